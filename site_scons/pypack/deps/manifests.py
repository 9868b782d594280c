"""Read a program's metadata: pyproject.toml's ``[project]``, setup.py, setup.cfg, a script's inline metadata."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.base import folders, records
from pypack.deps.build import backend, uv_python
from pypack.errors import InputError
from pypack.formats import entry_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_READ = "docs/dependencies.md"
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The regular expression that the specification of inline script metadata (PEP 723) gives."""
_IN_INFO = re.compile(r"[^/]+\.dist-info/(METADATA|entry_points\.txt)")
_SETTINGS = ("*.toml", "*.cfg", "*.py", "*.txt", "*.in", "VERSION*", "README*")
"""Globs of the files that a build backend may read metadata from, besides a version in a module."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The metadata of a program. ``file`` is the file that it was read from.

    ``dependencies``, ``extras`` and ``groups`` (flattened) are requirements as PEP 508 writes them; ``scripts`` and
    ``gui_scripts`` map command names to ``module:function``; ``script_files`` are files that are commands by themselves
    (``setup(scripts=…)``). ``dynamic`` names what only a build backend can tell; ``built``: there is a build backend,
    so the program is a distribution that can be built to a wheel.
    """

    file: Path
    name: str = ""
    version: str = ""
    description: str = ""
    requires_python: str = ""
    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    gui_scripts: Mapping[str, str] = field(default_factory=dict)
    script_files: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    built: bool = False

    @property
    def states_dependencies(self) -> bool:
        """Whether the file names packages, or says that its build backend does."""
        return bool(self.dependencies or self.extras or self.groups or "dependencies" in self.dynamic)

    def chosen(self, extras: Iterable[str], groups: Iterable[str]) -> tuple[str, ...]:
        """Return the requirements of the program itself, of some extras and of some groups."""
        selected = [line for name in extras for line in self.extras.get(canonicalize_name(name), ())]
        selected += [line for name in groups for line in self.groups.get(canonicalize_name(name), ())]
        return (*self.dependencies, *selected)


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file; raises :class:`InputError` that names the file and the line."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", hint="mend the file") from error


def pyproject(file: Path) -> Manifest:
    """Read ``[project]``, ``[dependency-groups]`` and ``[build-system]``; all faults are one error."""
    table = read_toml(file)
    project = table.get("project", {})
    faults: list[str] = []
    if not isinstance(project, dict):
        raise InputError(f"project in {file} must be a table, is {project!r}", hint="mend the file", docs=_READ)
    optional = _mapping(project, "optional-dependencies", faults)
    manifest = Manifest(
        file=file,
        name=_text(project, "name", faults),
        version=_text(project, "version", faults),
        description=_text(project, "description", faults),
        requires_python=_text(project, "requires-python", faults),
        dependencies=_lines(project.get("dependencies", []), "project.dependencies", faults),
        extras={
            canonicalize_name(k): _lines(v, f"project.optional-dependencies.{k}", faults) for k, v in optional.items()
        },
        groups=_flatten_groups(table.get("dependency-groups", {}), faults),
        scripts=entry_points.checked(_mapping(project, "scripts", faults), "project.scripts", faults),
        gui_scripts=entry_points.checked(_mapping(project, "gui-scripts", faults), "project.gui-scripts", faults),
        dynamic=tuple(str(key) for key in project.get("dynamic", [])),
        built="build-system" in table,
    )
    _raise_for(faults, file)
    return manifest


def script(file: Path) -> Manifest | None:
    """Return the manifest of a script's inline metadata (PEP 723), or None where it names no packages."""
    table = script_table(file)
    if table is None or not {"dependencies", "requires-python"} & set(table):
        return None  # settings of tools alone say nothing about packages
    faults: list[str] = []
    manifest = Manifest(
        file=file,
        requires_python=_text(table, "requires-python", faults),
        dependencies=_lines(table.get("dependencies", []), "dependencies", faults),
    )
    _raise_for(faults, file)
    return manifest


def script_table(file: Path) -> dict[str, Any] | None:
    """Return the table of a script's inline metadata, or None where it has none."""
    text = file.read_text(encoding="utf-8", errors="replace")
    blocks = [match["content"] for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise InputError(f"{file} has {len(blocks)} blocks of inline metadata; one is allowed", docs=_READ)
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0].splitlines(keepends=True))
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"the inline metadata of {file} cannot be read: {error}", hint="mend it", docs=_READ
        ) from error


def wheel(file: Path) -> Manifest:
    """Return the manifest of a wheel's METADATA and entry points."""
    import zipfile

    from packaging.metadata import parse_email

    try:
        with zipfile.ZipFile(file) as packed:
            names = {name.rsplit("/", 1)[-1]: name for name in packed.namelist() if _IN_INFO.fullmatch(name)}
            facts, _ = parse_email(packed.read(names["METADATA"]))
            points = packed.read(names["entry_points.txt"]).decode("utf-8") if "entry_points.txt" in names else ""
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no wheel: {error}", hint="name a file that a build backend made") from error
    faults: list[str] = []
    manifest = Manifest(
        file=file,
        name=facts.get("name", ""),
        version=facts.get("version", ""),
        description=facts.get("summary", ""),
        requires_python=facts.get("requires_python", ""),
        scripts=entry_points.checked(entry_points.read(points, "console_scripts"), "console_scripts", faults),
        gui_scripts=entry_points.checked(entry_points.read(points, "gui_scripts"), "gui_scripts", faults),
    )
    _raise_for(faults, file)
    return manifest


def script_block(file: Path) -> str:
    """Return the text of a script's inline metadata, which alone decides about its packages."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return "".join(match[0] for match in _BLOCK.finditer(text) if match["type"] == "script")


def settings_files(folder: Path) -> list[Path]:
    """Return the files at the top of a program's folder that can change its metadata."""
    paths = {path for pattern in _SETTINGS for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in paths if not path.name.startswith("pylock."))  # a lock follows from the others


def setup(folder: Path, memory: Path | None = None) -> Manifest:
    """Return what ``setup.py`` or ``setup.cfg`` in ``folder`` says: setuptools itself is asked, as in a build.

    It is asked again only when one of the files has changed; ``memory`` is the JSON file that keeps the answer.
    """
    file = next(folder / name for name in ("setup.py", "setup.cfg", "pyproject.toml") if (folder / name).is_file())
    digest = hashlib.sha256()
    for path in settings_files(folder):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    remembered = _read_memory(memory, digest.hexdigest())
    facts = remembered if remembered is not None else _ask_setuptools(folder, file)
    if remembered is None and memory:
        records.write(memory, {"digest": digest.hexdigest(), "told": facts})
    faults: list[str] = []
    points = facts["entry_points"]
    manifest = Manifest(
        file=file,
        name=facts["name"],
        version=facts["version"],
        description=facts["description"],
        requires_python=facts["requires_python"],
        dependencies=_lines(facts["dependencies"], "install_requires", faults),
        extras={
            canonicalize_name(k): _lines(v, f"extras_require {k}", faults)
            for k, v in facts["extras"].items()
            if ":" not in k
        },
        scripts=entry_points.checked(_split_entry_points(points.get("console_scripts", [])), "console_scripts", faults),
        gui_scripts=entry_points.checked(_split_entry_points(points.get("gui_scripts", [])), "gui_scripts", faults),
        script_files=tuple(facts.get("scripts", ())),
        built=file.name != "setup.cfg",  # a setup.cfg alone tells what there is, and no installer builds it
    )
    _raise_for(faults, file)
    return manifest


def _read_memory(memory: Path | None, digest: str) -> dict[str, Any] | None:
    memo = records.read(memory) if memory else {}
    return memo["told"] if memo.get("digest") == digest else None


def _ask_setuptools(folder: Path, file: Path) -> dict[str, Any]:
    requires = backend.read(folder, str(folder)).requires if file.name != "setup.cfg" else ()
    worker = folders.bootstrap() / "setup_facts.py"
    done = uv_python.run_in_copy(folder, [*requires, "setuptools"], [worker])
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-12:])
        hint = backend.advice(done.stderr) or "mend the file, or name what it imports in [build-system] requires"
        raise InputError(f"{file} cannot be run by setuptools:\n{tail}", hint=hint, docs=_READ)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _split_entry_points(lines: Iterable[str] | str) -> dict[str, Any]:
    entries = lines.splitlines() if isinstance(lines, str) else lines
    split = (entry.partition("=") for entry in entries if entry.strip())
    return {name.strip(): entry_points.without_extras(point) for name, _, point in split}


def _flatten_groups(table: object, faults: list[str]) -> dict[str, tuple[str, ...]]:
    """Flatten ``[dependency-groups]`` (PEP 735); cycles and unknown groups are added to ``faults``."""
    if not isinstance(table, dict):
        faults.append(f"dependency-groups: must be a table, is {table!r}")
        return {}
    from packaging.dependency_groups import DependencyGroupResolver

    groups: dict[str, tuple[str, ...]] = {}
    try:
        resolver = DependencyGroupResolver(table)
    except Exception as error:  # the library raises groups of several kinds
        faults.append(f"dependency-groups: {error}")
        return {}
    for name in table:
        try:
            groups[canonicalize_name(name)] = tuple(str(requirement) for requirement in resolver.resolve(name))
        except BaseExceptionGroup as errors:
            faults += [f"dependency-groups.{name}: {error}" for error in errors.exceptions]
        except Exception as error:
            faults.append(f"dependency-groups.{name}: {error}")
    return groups


def _lines(values: object, where: str, faults: list[str]) -> tuple[str, ...]:
    if not isinstance(values, list):
        faults.append(f"{where}: must be a list of requirements, is {values!r}")
        return ()
    if values:
        from packaging.requirements import InvalidRequirement, Requirement
    for value in values:
        try:
            Requirement(value if isinstance(value, str) else "")
        except InvalidRequirement as error:
            faults.append(f"{where}: {value!r} is no requirement: {str(error).splitlines()[0]}")
    return tuple(str(value) for value in values)


def _mapping(table: Mapping[str, Any], key: str, faults: list[str]) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        faults.append(f"project.{key}: must be a table, is {value!r}")
        return {}
    return value


def _text(table: Mapping[str, Any], key: str, faults: list[str]) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        faults.append(f"{key}: must be a string, is {value!r}")
        return ""
    return value


def _raise_for(faults: list[str], file: Path) -> None:
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{file} cannot be used:\n{details}", hint="mend the file", docs=_READ)
