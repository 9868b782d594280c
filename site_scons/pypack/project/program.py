"""Loads the program to bundle: its folder, its entry point, its packages, its settings."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pypack.base import declare, folders
from pypack.base.declare import declared
from pypack.base.notes import Note
from pypack.base.version import minor_of
from pypack.deps import inputs, manifests, metadata, uv_settings
from pypack.errors import InputError
from pypack.project import entries, entry_text, python_choice, tool_table
from pypack.project.python_choice import PythonChoice
from pypack.project.settings import TABLE, Lookup, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.deps.inputs import Dependencies
    from pypack.deps.manifests import Manifest
    from pypack.project.entries import Entry

_DOCS = "docs/settings.md"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_WITH_EXTRAS = re.compile(r"(.+)\[([A-Za-z0-9._, -]+)\]")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}


@dataclass(frozen=True, kw_only=True)
class Project(Settings):
    """A program and its settings.

    ``root`` is the folder whose content becomes ``app/`` (below ``under``); ``only`` limits it to some paths, and a
    ``bare`` program brings no files of its own, because it is one of its packages. With ``package`` the program is a
    distribution, and what its build backend puts into a wheel becomes ``app/``. Relative paths of the settings count
    from ``folder``; here they are absolute. ``manifest`` is its metadata, ``dependencies`` where its packages are
    named. ``outputs`` are files and folders that builds write: they are never part of the app. ``notes`` are messages
    for the user. ``choice`` is the Python that the project's files ask for, which counts without the setting.
    """

    root: Path
    folder: Path
    entry: Entry
    under: str = ""
    bare: bool = False
    only: tuple[str, ...] = ()
    manifest: Manifest | None = None
    dependencies: Dependencies | None = None
    outputs: tuple[Path, ...] = ()
    notes: tuple[Note, ...] = ()
    choice: PythonChoice = field(default_factory=PythonChoice)


def load(
    app: Path | None = None, *, entry: str = "", renew: bool = False,
    **overrides: Any,  # noqa: ANN401 - any setting
) -> Project:  # fmt: skip
    """Read a program's settings and find its entry point and its packages.

    ``app`` is its folder (or a single script); ``entry`` names a script, a package folder, a ``module``, a
    ``module:function`` or a command of ``[project.scripts]``. ``renew``: its lock will be renewed and is not
    an input. ``overrides`` holds settings that win over those of the script's inline metadata, which win over those of
    pyproject.toml; empty ones do not count.
    """
    app, asked_extras = _split_extras(app) if app else (None, ())
    if asked_extras:
        overrides["extras"] = (*(overrides.get("extras") or ()), *asked_extras)
    folder, entry = entries.program_folder(app, entry)
    wheel = folder if folder.suffix == ".whl" else None
    # for a single script or a wheel, the files beside it (settings too) do not belong to it
    alone = wheel is not None or entry.startswith("./")
    values = {} if alone else tool_table.read(folder)
    overrides = {key: value for key, value in overrides.items() if value not in (None, "", (), [])}
    tool_table.check(overrides, "a setting")
    manifest = manifests.wheel(wheel) if wheel else None if alone else _read_manifest(folder)
    chosen_entry = entry or values.pop("entry", "")
    found_entry = entries.find(folder, chosen_entry, manifest)
    script_settings = (
        tool_table.of_script(found_entry.root / found_entry.entry.name)
        if found_entry.entry.kind == "script" and not wheel
        else {}
    )
    values = {**values, **script_settings, **overrides}
    values.pop("entry", None)
    folder = wheel.parent if wheel else folder
    values = declare.with_absolute_paths(TABLE, values, lambda path: folder / path)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    lookup = Lookup(**{key: values.pop(key) for key in declared(Lookup) if key in values})
    dependencies, notes = _find_dependencies(folder, lookup, wheel, manifest, found_entry, alone=alone, renew=renew)
    _settle_settings(values, folder, found_entry, manifest, dependencies)
    inline = dependencies.manifest if dependencies and dependencies.kind == "script" else None
    choice = python_choice.read(None if alone else folder, (manifest, inline))
    what = entry_text.describe(found_entry.entry, found_entry.command, is_chosen=bool(chosen_entry))
    notes = (Note("entry", what), *notes)
    if dependencies and values["package"]:
        dependencies = replace(dependencies, program=folder)
    return Project(
        folder=folder, notes=notes, manifest=manifest, choice=choice, entry=found_entry.entry, root=found_entry.root,
        under=found_entry.under, only=found_entry.only, bare=wheel is not None, dependencies=dependencies, **values,
    )  # fmt: skip


def _settle_settings(
    values: dict[str, Any],
    folder: Path,
    found_entry: entries.FoundEntry,
    manifest: Manifest | None,
    dependencies: Dependencies | None,
) -> None:
    """Check the program's name, and add the defaults that follow from entry point and manifest."""
    _settle_names(values, found_entry, manifest)
    values.setdefault("package", manifest is not None and manifest.built and not found_entry.under)
    if dependencies and dependencies.kind == "venv":  # the installed packages are for its minor version
        from pypack.deps import venv

        values.setdefault("python", minor_of(venv.version(dependencies.file)))
    if found_entry.window:
        values.setdefault("console", False)
    if values.get("sign"):
        from pypack.bundle import identity

        values["sign"] = identity.settings(values["sign"], folder)


def _settle_names(values: dict[str, Any], found_entry: entries.FoundEntry, manifest: Manifest | None) -> None:
    """Set name, version and description: from the settings, else from the manifest."""
    manifest_name = manifest.name if manifest else ""
    values["name"] = values.get("name") or (
        found_entry.stem if found_entry.named or not manifest_name else manifest_name
    )
    values["version"] = values.get("version") or (manifest.version if manifest else "") or "0"
    values.setdefault("description", manifest.description if manifest else "")
    if not _NAME.fullmatch(values["name"]) or values["name"].endswith(".") or _is_reserved(values["name"]):
        raise InputError(
            f"{values['name']!r} cannot be the name of a file on every system",
            hint="choose letters, digits, '.', '_', '+', '-'",
            docs=_DOCS,
        )


def _is_reserved(name: str) -> bool:
    return name.split(".", maxsplit=1)[0].lower() in _RESERVED


def _read_manifest(folder: Path) -> Manifest | None:
    """Return the program's metadata: pyproject.toml if it has a ``[project]``, else what its build backend says."""
    file = folder / "pyproject.toml"
    memory = folders.build_cache() / "setup" / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:32]}.json"
    manifest = manifests.pyproject(file) if file.is_file() else None
    if manifest and manifest.name:
        return metadata.complete(manifest, memory)
    if (folder / "setup.py").is_file() or (folder / "setup.cfg").is_file():
        groups = manifest.groups if manifest else {}
        return replace(manifests.setup(folder, memory), groups=groups)
    return metadata.complete(manifest, memory) if manifest else None


def _find_dependencies(
    folder: Path,
    lookup: Lookup,
    wheel: Path | None,
    manifest: Manifest | None,
    found_entry: entries.FoundEntry,
    *,
    alone: bool,
    renew: bool,
) -> tuple[Dependencies | None, tuple[Note, ...]]:
    """Return where the packages of a program are named, and notes for the user."""
    wheels = {path: extras for pattern in lookup.wheels for path, extras in _matching_wheels(pattern).items()}
    if wheel:
        wheels = {wheel: tuple(lookup.extras), **wheels}
    dependencies, notes = inputs.find(
        folder,
        named=lookup.requirements,
        manifest=manifest,
        script=found_entry.root / found_entry.entry.name if found_entry.entry.kind == "script" else None,
        alone=alone,
        extras=lookup.extras,
        groups=lookup.groups,
        venv=lookup.venv,
        wheels=tuple(wheels),
        wheel_extras=wheels,
        renew=renew,
    )
    resolves = dependencies is not None and dependencies.kind not in {"pylock", "uv-lock", "venv"}
    of_pip = uv_settings.of_pip(dependencies.base).note if dependencies and resolves else ""
    return dependencies, (*notes, *([Note("pip-settings", of_pip)] if of_pip else ()))


def _split_extras(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Split ``dist/some.whl[extra,…]`` (or a folder with extras); a path that exists as it is has none."""
    match = _WITH_EXTRAS.fullmatch(path.name)
    if match is None or path.exists():
        return path, ()
    return path.with_name(match[1]), tuple(name.strip() for name in match[2].split(","))


def _matching_wheels(pattern: Path) -> dict[Path, tuple[str, ...]]:
    """Return the files that a path or glob matches, each with the extras asked for. It must match a file."""
    pattern, extras = _split_extras(pattern) if pattern.name.endswith("]") else (pattern, ())
    matching = [pattern] if pattern.is_file() else sorted(pattern.parent.glob(pattern.name))
    if not matching:
        raise InputError(f"there is no wheel {pattern}", hint="check the path", docs="docs/dependencies.md")
    wrong = [path.name for path in matching if path.suffix != ".whl"]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: not a wheel", hint="name files that end in .whl", docs=_DOCS)
    return dict.fromkeys(matching, extras)
