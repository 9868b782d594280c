"""Read a program's metadata: pyproject.toml's ``[project]``, setup.py, setup.cfg, a script's inline metadata."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.base import folders
from pypack.deps import metadata_cache, requirements
from pypack.deps.build import backend, uv_python
from pypack.errors import InputError
from pypack.formats import entry_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_READ = "docs/dependencies.md"
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The regular expression that the specification of inline script metadata (PEP 723) gives."""
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")
_EXTRA_FIRST = re.compile(r"""(?<=;)\s*extra\s*==\s*["'][^"']+["']\s+and\b""")
_IS_EXTRA = re.compile(r"""\s*(?:\band|;)\s*extra\s*==\s*["'][^"']+["']\s*$""")
_IN_INFO = re.compile(r"[^/]+\.dist-info/(METADATA|entry_points\.txt)")


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
        """Return the requirements of the program itself, of some extras and of some groups.

        What names the program (``all = ["program[fast]"]``) stands for those extras: an index may have another
        package of that name.
        """
        lines = [*self.dependencies]
        waiting: list[str] = [canonicalize_name(name) for name in extras]
        visited: set[str] = set()
        while waiting:
            if (name := waiting.pop(0)) not in visited:
                visited.add(name)
                lines += self.extras.get(name, ())
                waiting += [extra for line in self.extras.get(name, ()) for extra in self._own_extras(line) or ()]
        lines += [line for name in groups for line in self.groups.get(canonicalize_name(name), ())]
        return tuple(line for line in lines if self._own_extras(line) is None)

    def _own_extras(self, line: str) -> list[str] | None:
        """Return the extras of this very program that a requirement asks for; None for any other requirement."""
        if not self.name or not line.lower().startswith(self.name[:1].lower()):
            return None
        requirement = requirements.parsed(line)
        if requirement is None or canonicalize_name(requirement.name) != canonicalize_name(self.name):
            return None
        return [canonicalize_name(extra) for extra in requirement.extras]


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file; raises :class:`InputError` that names the file and the line."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file} is not UTF-8 (at line {line})", hint="save the file as UTF-8", docs=_READ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file} cannot be read: {error}", hint="mend the file", docs=_READ) from error


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
        raise InputError(
            f"{file} has {len(blocks)} blocks of inline metadata; one is allowed", hint="join them", docs=_READ
        )
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0].splitlines(keepends=True))
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"the inline metadata of {file} cannot be read: {error}", hint="mend it", docs=_READ
        ) from error


def wheel(file: Path) -> Manifest:
    """Return the manifest of a wheel's METADATA and entry points."""
    return of_metadata(file, **packed_metadata(file))


def packed_metadata(file: Path) -> dict[str, str]:
    """Return the arguments of :func:`of_metadata` for a wheel."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as packed:
            names = {name.rsplit("/", 1)[-1]: name for name in packed.namelist() if _IN_INFO.fullmatch(name)}
            points = packed.read(names["entry_points.txt"]).decode("utf-8") if "entry_points.txt" in names else ""
            return {"metadata": packed.read(names["METADATA"]).decode("utf-8"), "points": points}
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} is no wheel: {error}", hint="name a file that a build backend made", docs=_READ
        ) from error


def of_metadata(file: Path, *, metadata: str, points: str) -> Manifest:
    """Return the manifest of a distribution: its METADATA and entry_points.txt as text. ``file`` is for messages."""
    from packaging.metadata import parse_email

    facts, _ = parse_email(metadata)
    faults: list[str] = []
    extras = [canonicalize_name(name) for name in facts.get("provides_extra", [])]
    dependencies, by_extra = _split_by_extra(facts.get("requires_dist", []), extras)
    manifest = Manifest(
        file=file,
        name=facts.get("name", ""),
        version=facts.get("version", ""),
        description=facts.get("summary", ""),
        requires_python=facts.get("requires_python", ""),
        dependencies=dependencies,
        extras=by_extra,
        scripts=entry_points.checked(entry_points.read(points, "console_scripts"), "console_scripts", faults),
        gui_scripts=entry_points.checked(entry_points.read(points, "gui_scripts"), "gui_scripts", faults),
    )
    _raise_for(faults, file)
    return manifest


def _split_by_extra(lines: Iterable[str], extras: Iterable[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Split requirements of metadata into those that always count and those of each extra.

    A line of an extra keeps its marker only as far as that is about something else.
    """
    by_extra: dict[str, list[str]] = {name: [] for name in extras}
    always = []
    for line in lines:
        names = {canonicalize_name(name) for name in _EXTRA.findall(line)}
        if not names & by_extra.keys():
            always.append(line)
        for name in names & by_extra.keys():
            by_extra[name].append(_IS_EXTRA.sub("", _EXTRA_FIRST.sub("", line)))
    return tuple(always), {name: tuple(group) for name, group in by_extra.items()}


def script_block(file: Path) -> str:
    """Return the text of a script's inline metadata, which alone decides about its packages."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return "".join(match[0] for match in _BLOCK.finditer(text) if match["type"] == "script")


def setup(folder: Path, memory: Path | None = None) -> Manifest:
    """Return what ``setup.py`` or ``setup.cfg`` in ``folder`` says: setuptools itself is asked, as in a build.

    It is asked again only when one of the files has changed; ``memory`` is the JSON file that keeps the answer.
    """
    file = next(folder / name for name in ("setup.py", "setup.cfg", "pyproject.toml") if (folder / name).is_file())
    facts = metadata_cache.recall(memory, folder, lambda: _ask_setuptools(folder, file))
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


def _ask_setuptools(folder: Path, file: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what setuptools says of a project, and the files that were opened for it."""
    requires = backend.read(folder, str(folder)).requires if file.name != "setup.cfg" else ()
    worker = folders.bootstrap() / "setup_facts.py"
    done = uv_python.run_in_copy(folder, [*requires, "setuptools"], [worker])
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-12:])
        hint = backend.advice(done.stderr) or "mend the file, or name what it imports in [build-system] requires"
        raise InputError(f"{file} cannot be run by setuptools:\n{tail}", hint=hint, docs=_READ)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts, facts.pop("opened")


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
