"""Read the installed distributions of a virtual environment by their metadata."""

from __future__ import annotations

import csv
import json
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from installer.utils import parse_metadata_file
from packaging.utils import canonicalize_name

from pypack.base import digests
from pypack.base.version import minor_of
from pypack.bytecode import compiling
from pypack.deps import reasons, tags
from pypack.deps.wheels import SITE, record, select
from pypack.errors import InputError
from pypack.formats import entry_points
from pypack.formats.image import ImageBuilder
from pypack.formats.scripts import console_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.base.targets import Target
    from pypack.steps.step import Context

_READ = "docs/dependencies.md"
_ANY_FLOOR = {"manylinux": "2.99", "musllinux": "1.99", "macosx": "26.0"}
_SEEDS = frozenset({"pip", "setuptools", "wheel"})
"""Distributions that every environment has: left out unless another distribution requires them."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A distribution that is installed.

    ``info`` is its ``.dist-info`` folder's name; ``files`` maps the path in the image to the file on the disk;
    ``requires`` are the requirements that its metadata states; ``tags`` are the wheel tags that it was
    installed from.
    """

    name: str
    version: str
    info: str
    files: dict[str, Path]
    requires: tuple[str, ...]
    tags: tuple[str, ...]
    editable: bool
    commands: dict[str, str]

    def digest(self, memory: Path | None) -> str:
        """Return a hash over what is installed. ``memory``: see :func:`pypack.base.digests.contents`."""
        return digests.whole(digests.contents(self.files.items(), memory))


def version(venv: Path) -> str:
    """Return the version of Python that a virtual environment is for, e.g. ``3.13.5``, as its pyvenv.cfg says."""
    # read as CPython's site does it: the last line of a key counts, in any case
    lines = (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    settings = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    text = settings.get("version_info") or settings.get("version") or ""
    parts = text.split(".")[:3]
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise InputError(f"{venv / 'pyvenv.cfg'} does not say which Python it is for", hint="make it anew", docs=_READ)
    return ".".join(parts)


def installed(venv: Path, *, program: str = "", requirements: Iterable[str] = ()) -> list[Installed]:
    """Return the distributions of an environment, sorted by name.

    ``program`` is the name of the program itself, which is bundled from its own folder. ``requirements`` are its
    requirements, besides those in its metadata where it is installed. Raises :class:`InputError` that lists everything
    that cannot be bundled.
    """
    faults: list[str] = []
    distributions = [distribution for info in _find_metadata(venv) if (distribution := _read(info, faults))]
    others = [
        distribution
        for distribution in distributions
        if canonicalize_name(distribution.name) != canonicalize_name(program)
    ]
    faults += [
        f"{distribution.name} {distribution.version} is installed editable, so its files are elsewhere"
        for distribution in others
        if distribution.editable
    ]
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{venv} cannot be bundled:\n{details}", hint="install these again, as wheels", docs=_READ)
    needed = _needed(distributions, requirements, version(venv))
    kept = (distribution for distribution in others if canonicalize_name(distribution.name) not in _SEEDS - needed)
    return sorted(kept, key=lambda distribution: canonicalize_name(distribution.name))


def _needed(distributions: Iterable[Installed], direct: Iterable[str], python: str) -> set[str]:
    """Return the normalised names that the program or a distribution requires, following extras.

    Requirements of seeds count only where the seed is required itself.
    """
    from packaging.markers import default_environment

    environment = cast("dict[str, str]", default_environment())
    minor = minor_of(python)
    environment.update(python_version=minor, python_full_version=python, implementation_version=python)
    requires = {str(canonicalize_name(item.name)): [*reasons.parsed(item.requires)] for item in distributions}
    waiting = [*reasons.applying(reasons.parsed(direct), "", environment)]
    for name in requires.keys() - _SEEDS:
        waiting += reasons.applying(requires[name], "", environment)
    visited: set[tuple[str, str]] = set()
    needed: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        needed.add(name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in visited:
                visited.add((name, extra))
                waiting += reasons.applying(requires.get(name, ()), extra, environment)
    return needed


def check(venv: Path, distributions: Iterable[Installed], target: Target, minor: str, *, static: bool) -> None:
    """Refuse an environment of another minor version of Python, and distributions that ``target`` cannot load."""
    installed_minor = minor_of(version(venv))
    if installed_minor != minor:
        raise InputError(
            f"{venv} is for Python {installed_minor}, the bundle for {target.name} gets Python {minor}",
            hint=f"ask for python={installed_minor}, or make the environment with Python {minor}",
            docs=_READ,
        )
    # wheels were chosen for this system, any floor: the floor of the bundle is computed from the files
    target = replace(target, floor=_ANY_FLOOR.get(target.wheels, target.floor))
    accepted = {str(tag) for tag in tags.supported(target, minor, pure=static)}
    wrong = [
        f"{distribution.name} {distribution.version} is installed for {', '.join(distribution.tags)}"
        for distribution in distributions
        if distribution.tags and not accepted & set(distribution.tags)
    ]
    if wrong:
        details = "\n".join(f"  {fault}" for fault in wrong)
        raise InputError(
            f"{venv} holds what {target.name} cannot load:\n{details}",
            hint="name the packages in a pyproject.toml or requirements.txt: their wheels are then chosen by target",
            docs=_READ,
        )


def run_installed(context: Context) -> None:
    """Step: one installed distribution -> image of it, with bytecode; as :func:`wheels.run_wheel` makes it of a wheel.

    Input: the compiler image, where something can compile. Unhashed: ``installed``. Params: those of
    :func:`pypack.bytecode.compiling.run_compile`.
    """
    distribution: Installed = context.unhashed["installed"]
    with ImageBuilder("installed", folder=context.product.parent) as builder:
        for inside, path in distribution.files.items():
            builder.add_file(inside, path)
        if distribution.digest(None) != context.params["digest"]:
            raise InputError(f"{distribution.info} changed while it was being bundled", hint="build again", docs=_READ)
        for name, point in distribution.commands.items():
            if f"bin/{name}.py" not in builder:
                builder.add(f"bin/{name}.py", console_script(point))
        paths = [posixpath.relpath(path, SITE) for path in builder.paths()]
        builder.add(f"{SITE}/{distribution.info}/RECORD", record([*paths, f"{distribution.info}/RECORD"]))
        select(builder, context.params)
        if context.inputs:
            compiling.compile_image(context, builder, context.inputs[0], below=f"{SITE}/")
        builder.write(context.product)


def _find_metadata(venv: Path) -> Iterator[Path]:
    folders = [*venv.glob("lib/python3*/site-packages"), *venv.glob("Lib/site-packages")]
    if not folders:
        raise InputError(f"{venv} has no site-packages", hint="name a virtual environment", docs=_READ)
    for folder in {folder.resolve(): folder for folder in folders}.values():
        yield from sorted(folder.glob("*.dist-info"))


def _read(info: Path, faults: list[str]) -> Installed | None:
    """Read one ``.dist-info``; what is wrong with it is added to ``faults``."""
    missing = [name for name in ("METADATA", "RECORD") if not (info / name).is_file()]
    if missing:
        faults.append(f"{info.name} is broken: it has no {' and no '.join(missing)}")
        return None
    from packaging.metadata import parse_email

    facts, _ = parse_email((info / "METADATA").read_bytes())
    name, number = facts.get("name", ""), facts.get("version", "")
    if not name or not number:
        faults.append(f"{info.name} is broken: its METADATA has no Name and Version")
        return None
    files, missing_files = _files(info)
    if missing_files:
        faults.append(
            f"{info.name} is broken: {missing_files[0]} and {len(missing_files) - 1} more of its files are missing"
        )
    points = entry_points.read(_text(info / "entry_points.txt"), "console_scripts")
    command_faults: list[str] = []
    commands = entry_points.checked(points, "console_scripts", command_faults)
    faults += [f"{info.name} is broken: {fault}" for fault in command_faults]
    return Installed(
        name=name,
        version=number,
        info=info.name,
        files=files,
        requires=tuple(facts.get("requires_dist", [])),
        tags=tuple(str(tag) for tag in parse_metadata_file(_text(info / "WHEEL")).get_all("Tag", [])),
        editable=_is_editable(info),
        commands=commands,
    )


def _files(info: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the files of a RECORD by their path in the image, and the rows whose files are missing."""
    site, files, missing = info.parent, dict[str, Path](), list[str]()
    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        recorded = [row[0].replace("\\", "/") for row in csv.reader(stream) if row]
    for row in sorted(recorded):
        inside = _image_path(row)
        if not inside or row in {f"{info.name}/{name}" for name in ("RECORD", "direct_url.json", "INSTALLER")}:
            continue
        if (site / row).is_file():
            files[inside] = site / row
        elif not inside.endswith(".pyc"):
            missing.append(row)
    return files, missing


def _image_path(row: str) -> str:
    """Return the path in the image of a file in a RECORD, in site-packages or data; ``""``: it is generated."""
    if row.endswith(".pyc") or row.startswith("/"):
        return ""
    if not row.startswith("../"):
        return f"{SITE}/{posixpath.normpath(row)}"
    outside = row.lstrip("./")
    return "" if outside.startswith(("bin/", "Scripts/", "include/")) else f"data/{outside}"


def _text(path: Path) -> str:
    """Return the text of a file, "" where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _is_editable(info: Path) -> bool:
    try:
        direct_url = json.loads((info / "direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(direct_url.get("dir_info", {}).get("editable"))
