"""Compares what goes into a bundle with what the program says that it is: its metadata, else its own imports."""

from __future__ import annotations

import json
import posixpath
import re
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.bundle import starting
from pypack.deps import reasons
from pypack.errors import StepError
from pypack.formats import entry_points, selection
from pypack.formats.image import list_image, read_image
from pypack.formats.paths import parents
from pypack.project import app, data_check, entries, import_check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pypack.project.program import Project
    from pypack.steps.step import Context

_DOCS = "docs/dependencies.md"
_SETTINGS = "docs/settings.md"
_DATA_DOCS = "docs/launcher.md"
_INFO = re.compile(r"app/(?:site-packages/)?[^/]+\.dist-info/(METADATA|entry_points\.txt)")
_DATA = re.compile(r"[^/]+\.data/(?P<scheme>[^/]+)/(?P<path>.+)")
_SHOWN = 10


def run_check(context: Context) -> None:
    """Step: compare the parts of a bundle with the program's metadata -> JSON with ``warnings``, a list of lines.

    Inputs, named in their order by the param ``roles``: ``app`` (the app's image), ``wheel`` (the archive of the
    program's own wheel), ``compiler`` (the compiler image), ``deps`` (the facts of all packages). Params: ``requires``
    (requirements, where no wheel states them), ``extras`` that were chosen, ``markers`` (the environment on the
    target), ``exclude`` (packages left out on purpose), ``origin`` (what names the packages), ``entry``, ``commands``
    (the known ones), and for the imports (:mod:`pypack.project.import_check`) ``scan``, ``files``, ``minor``,
    ``python``, ``environment``. Raises :class:`StepError` for packages that are missing or do not fit.
    """
    inputs = dict(zip(context.params["roles"], context.inputs, strict=True))
    deps = json.loads(inputs["deps"].read_text(encoding="utf-8")) if "deps" in inputs else {}
    metadata, points = _read_info(inputs["app"]) if "wheel" in inputs else ("", "")
    name, requires = _requirements(metadata, context.params)
    if faults := [*_package_faults(name, requires, deps.get("distributions", ()), context.params)]:
        raise _packages_error(context.params, name, faults)
    if faults := [*_entry_faults(inputs["app"], deps, context.params["entry"])]:
        raise StepError("\n".join(faults), hint="check the entry point: module, or module:function", docs=_SETTINGS)
    warnings = []
    if "wheel" in inputs:
        warnings += _file_warnings(inputs["wheel"], inputs["app"], context.params["entry"])
        warnings += _command_warnings(points, context.params)
    warnings += import_check.check(context, inputs, deps)
    warnings += _data_warnings(context.unhashed["project"])
    text = json.dumps({"warnings": warnings}, indent=1, ensure_ascii=False)
    context.product.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _read_info(image: Path) -> tuple[str, str]:
    """Return METADATA and entry_points.txt of the program's own distribution in the app's image."""
    texts = {"METADATA": "", "entry_points.txt": ""}
    for member, stream in read_image(image):
        if stream is not None and (match := _INFO.fullmatch(member.path)):
            texts[match[1]] = stream.read().decode("utf-8", "replace")
    return texts["METADATA"], texts["entry_points.txt"]


# --- packages ---------------------------------------------------------------------------------------------------------


def _requirements(metadata: str, params: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Return the program's name and its requirements, as its wheel states them, else its manifest."""
    if not metadata:
        return params["name"], params["requires"]
    from packaging.metadata import parse_email

    facts, _ = parse_email(metadata)
    return facts.get("name", params["name"]), facts.get("requires_dist", [])


def _package_faults(
    name: str, requires: Sequence[str], distributions: Sequence[str], params: Mapping[str, Any]
) -> Iterator[str]:
    """Yield each requirement that applies to the target and is not met by the packages in the bundle."""
    split = (distribution.rpartition("-") for distribution in distributions)
    versions: dict[str, str] = {canonicalize_name(distribution): version for distribution, _, version in split}
    needs, extras, seen = list(reasons.parsed(requires)), ["", *params["extras"]], set[str]()
    while extras:
        extra = extras.pop(0)
        seen.add(extra)
        for need in reasons.applying(needs, extra, params["markers"]):
            if canonicalize_name(need.name) == canonicalize_name(name):  # tool[all] = tool[a,b]
                extras += [other for other in sorted(need.extras) if other not in seen]
            elif extra and need.marker is None:
                continue  # it has been looked at without an extra
            elif not selection.is_out(need.name, params["exclude"]):
                yield from _requirement_faults(need.name, str(need), need.specifier, versions)


def _requirement_faults(name: str, text: str, specifier: Any, versions: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - packaging's
    version = versions.get(canonicalize_name(name))
    if version is None:
        yield f"{text} is missing"
    elif not specifier.contains(version, prereleases=True):
        yield f"{name} {version} is there, and {text} is asked for"


def _packages_error(params: Mapping[str, Any], name: str, faults: Sequence[str]) -> StepError:
    details = "".join(f"\n  {fault}" for fault in dict.fromkeys(faults))
    origin = f"packages are named by {params['origin']}" if params["origin"] else "nothing names its packages"
    return StepError(
        f"the metadata of {name} asks for packages that the bundle does not have:{details}",
        hint=f"{origin}: name them there too (or -r pyproject.toml), or leave one out on purpose with exclude-packages",
        docs=_DOCS,
    )


# --- files and commands -----------------------------------------------------------------------------------------------


def _file_warnings(wheel_archive_file: Path, image: Path, entry: Mapping[str, Any]) -> list[str]:
    """Return a warning that names the files of the program's wheel that are not in the app's image.

    The script that is the program's ``entry`` may be anywhere in it.
    """
    from pypack.deps.build import wheel_archive

    with wheel_archive.open_wheel(wheel_archive_file) as wheel, zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if _is_for_running(name)]
    members = {member.path for member in list_image(image)}
    own_script = f".data/scripts/{posixpath.basename(entry['name'])}" if entry["kind"] == "script" else "."
    missing = [name for name in names if not members.intersection(_places(name)) and not name.endswith(own_script)]
    if not missing:
        return []
    return [f"the program's wheel has files that the bundle does not: {_listed(missing)}"]


def _is_for_running(name: str) -> bool:
    """Say whether a file of a wheel belongs into a bundle: headers are for compilers, and RECORD is written anew."""
    match = _DATA.fullmatch(name)
    is_record = name.endswith((".dist-info/RECORD", ".dist-info/RECORD.jws"))
    return not (name.endswith("/") or "__pycache__" in name or is_record or (match and match["scheme"] == "headers"))


def _places(name: str) -> list[str]:
    """Return the paths in the app's image at which a file of the wheel may be."""
    match = _DATA.fullmatch(name)
    if match is None:
        paths = [f"app/{name}", f"{starting.OWN_SITE}/{name}"]
    elif match["scheme"] in {"purelib", "platlib"}:
        paths = [f"app/{match['path']}", f"{starting.OWN_SITE}/{match['path']}"]
    else:
        folders = ("data", "bin", "app/data", "app/bin", "app/scripts", "scripts")
        paths = [f"{folder}/{match['path']}" for folder in folders]
    return [*paths, *(f"{path}c" for path in paths if path.endswith(".py"))]


def _entry_faults(image: Path, deps: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield each module that the program begins in, or one of its commands, and that nothing in the bundle has."""
    if entry["kind"] == "script" or deps.get("site"):  # code in a .pth file may add what it likes
        return
    inside = (member.path.replace(f"{starting.OWN_SITE}/", "app/", 1) for member in list_image(image))
    paths = {path.partition(".")[0] for path in inside}
    paths |= {folder for path in paths for folder in parents(path)}
    points = [point for _, point in entry["scripts"]] if entry["kind"] == "scripts" else [entry["name"]]
    for module in dict.fromkeys(point.partition(":")[0] for point in points):
        top = module.split(".", 1)[0]
        is_own = f"app/{top}" in paths
        if is_own and f"app/{module.replace('.', '/')}" not in paths:
            yield f"entry point {module}: {top} has no such module"
        elif not is_own and top not in {*deps.get("modules", ()), *sys.stdlib_module_names}:
            yield f"entry point {module}: nothing in the bundle provides {top}"


def _data_warnings(project: Project | None) -> list[str]:
    """Return a warning that names the lines of the program which write beside its own files."""
    if project is None or project.bare:
        return []
    places = [
        f"{file.inside}:{line}"
        for file in app.sources(project)
        if file.inside.endswith(".py") and not any(entries.is_for_tests(part) for part in file.inside.split("/"))
        for line in data_check.lines(file.path.read_bytes())
    ]
    if not places:
        return []
    return [
        f"{_listed(places)}: the program writes beside its own files, which a bundle keeps in a read-only cache, anew"
        f" for each version; let it write to a folder of the user (platformdirs), see {_DATA_DOCS}"
    ]


def _command_warnings(points: str, params: Mapping[str, Any]) -> list[str]:
    """Return a warning that names the commands of the wheel that were not known when the entry was chosen."""
    declared = {name for kind in entry_points.KINDS for name in entry_points.read(points, kind)}
    unknown = sorted(declared.difference(params["commands"]))
    if not unknown:
        return []
    return [f"the program's wheel declares commands that the bundle does not start: {_listed(unknown)} (--entry NAME)"]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
