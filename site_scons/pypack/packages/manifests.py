"""What a program says of itself: pyproject.toml's ``[project]``, setup.py and setup.cfg, a script's inline metadata."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_READ = "docs/dependencies.md"
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The regular expression that the specification of inline script metadata (PEP 723) gives."""
_IN_INFO = re.compile(r"[^/]+\.dist-info/(METADATA|entry_points\.txt)")
_SETTINGS = ("*.toml", "*.cfg", "*.py", "*.txt", "*.in", "VERSION*", "README*")
"""What a build backend may read of a program's settings; of code below folders it reads no more than a version."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a file says of a program. ``file`` is that file.

    ``dependencies``, ``extras`` and ``groups`` (flattened) are requirements as PEP 508 writes them; ``scripts`` and
    ``gui_scripts`` map command names to ``module:function``. ``dynamic`` names what only a build backend can tell;
    ``built``: there is a build backend, so the program is a distribution that can be built to a wheel.
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
    dynamic: tuple[str, ...] = ()
    built: bool = False

    @property
    def states_dependencies(self) -> bool:
        """Whether the file says anything about packages, be it that a build backend knows them."""
        return bool(self.dependencies or self.extras or self.groups or "dependencies" in self.dynamic)

    def chosen(self, extras: Iterable[str], groups: Iterable[str]) -> tuple[str, ...]:
        """Return the requirements of the program itself, of some extras and of some groups."""
        more = [line for name in extras for line in self.extras.get(normal(name), ())]
        more += [line for name in groups for line in self.groups.get(normal(name), ())]
        return (*self.dependencies, *more)


def normal(name: str) -> str:
    """Return a name as packages, extras and groups are compared (PEP 503, PEP 685, PEP 735)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file; what cannot be read is an :class:`InputError` that names the place."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", do="mend the file") from error


def pyproject(file: Path) -> Manifest:
    """Read ``[project]``, ``[dependency-groups]`` and ``[build-system]``; every fault is told in one error."""
    table = read_toml(file)
    project = table.get("project", {})
    faults: list[str] = []
    if not isinstance(project, dict):
        raise InputError(f"project in {file} must be a table, is {project!r}", do="mend the file", see=_READ)
    optional = _mapping(project, "optional-dependencies", faults)
    found = Manifest(
        file=file,
        name=_text(project, "name", faults),
        version=_text(project, "version", faults),
        description=_text(project, "description", faults),
        requires_python=_text(project, "requires-python", faults),
        dependencies=_lines(project.get("dependencies", []), "project.dependencies", faults),
        extras={normal(k): _lines(v, f"project.optional-dependencies.{k}", faults) for k, v in optional.items()},
        groups=_groups(table.get("dependency-groups", {}), faults),
        scripts=_entry_points(_mapping(project, "scripts", faults), "project.scripts", faults),
        gui_scripts=_entry_points(_mapping(project, "gui-scripts", faults), "project.gui-scripts", faults),
        dynamic=tuple(str(each) for each in project.get("dynamic", [])),
        built="build-system" in table,
    )
    _end(faults, file)
    return found


def script(file: Path) -> Manifest | None:
    """Return what a script's inline metadata says (PEP 723), or None where it has none."""
    text = file.read_text(encoding="utf-8", errors="replace")
    blocks = [found["content"] for found in _BLOCK.finditer(text) if found["type"] == "script"]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise InputError(f"{file} has {len(blocks)} blocks of inline metadata; one is allowed", see=_READ)
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0].splitlines(keepends=True))
    try:
        table = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the inline metadata of {file} cannot be read: {error}", do="mend it", see=_READ) from error
    faults: list[str] = []
    found = Manifest(
        file=file,
        requires_python=_text(table, "requires-python", faults),
        dependencies=_lines(table.get("dependencies", []), "dependencies", faults),
    )
    _end(faults, file)
    return found


def wheel(file: Path) -> Manifest:
    """Return what the metadata of a wheel says."""
    import zipfile
    from email.parser import HeaderParser

    try:
        with zipfile.ZipFile(file) as packed:
            names = {name.rsplit("/", 1)[-1]: name for name in packed.namelist() if _IN_INFO.fullmatch(name)}
            facts = HeaderParser().parsestr(packed.read(names["METADATA"]).decode("utf-8", "replace"))
            points = packed.read(names["entry_points.txt"]).decode("utf-8") if "entry_points.txt" in names else ""
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no wheel: {error}", do="name a file that a build backend made") from error
    faults: list[str] = []
    found = Manifest(
        file=file,
        name=str(facts.get("Name", "")),
        version=str(facts.get("Version", "")),
        description=str(facts.get("Summary", "")),
        requires_python=str(facts.get("Requires-Python", "")),
        scripts=_entry_points(commands(points, "console_scripts"), "console_scripts", faults),
        gui_scripts=_entry_points(commands(points, "gui_scripts"), "gui_scripts", faults),
    )
    _end(faults, file)
    return found


def commands(points: str, kind: str) -> dict[str, str]:
    """Return the ``module:function`` of each command in an ``entry_points.txt``, by its name."""
    import configparser

    table = configparser.RawConfigParser(delimiters=("=",), strict=False)
    table.optionxform = str  # type: ignore[assignment,method-assign] # names are kept as they are written
    table.read_string(points)
    rows = dict(table[kind]) if table.has_section(kind) else {}
    return {name: point.split("[", maxsplit=1)[0].strip() for name, point in rows.items()}


def script_block(file: Path) -> str:
    """Return the text of a script's inline metadata, which alone decides about its packages."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return "".join(found[0] for found in _BLOCK.finditer(text) if found["type"] == "script")


def settings_files(folder: Path) -> list[Path]:
    """Return the files at the top of a program's folder that can decide what it says of itself."""
    found = {path for pattern in _SETTINGS for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in found if not path.name.startswith("pylock."))  # a lock follows from the others


def setup(folder: Path, memory: Path | None = None) -> Manifest:
    """Return what ``setup.py`` or ``setup.cfg`` in ``folder`` says: setuptools itself is asked, as in a build.

    It is asked again only when one of the files has changed; ``memory`` is the JSON file that keeps the answer.
    """
    file = next(folder / name for name in ("setup.py", "setup.cfg", "pyproject.toml") if (folder / name).is_file())
    digest = hashlib.sha256()
    for path in settings_files(folder):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    known = _remembered(memory, digest.hexdigest())
    told = known if known is not None else _asked_of_setuptools(folder, file)
    if known is None and memory:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps({"digest": digest.hexdigest(), "told": told}), encoding="utf-8")
    faults: list[str] = []
    points = told["entry_points"]
    found = Manifest(
        file=file,
        name=told["name"],
        version=told["version"],
        description=told["description"],
        requires_python=told["requires_python"],
        dependencies=_lines(told["dependencies"], "install_requires", faults),
        extras={normal(k): _lines(v, f"extras_require {k}", faults) for k, v in told["extras"].items() if ":" not in k},
        scripts=_entry_points(_pairs(points.get("console_scripts", [])), "console_scripts", faults),
        gui_scripts=_entry_points(_pairs(points.get("gui_scripts", [])), "gui_scripts", faults),
        built=file.name != "setup.cfg",  # a setup.cfg alone tells what there is, and no installer builds it
    )
    _end(faults, file)
    return found


def _remembered(memory: Path | None, digest: str) -> dict[str, Any] | None:
    try:
        known = json.loads(memory.read_text(encoding="utf-8")) if memory else {}
    except (OSError, ValueError):
        return None
    return known["told"] if known.get("digest") == digest else None


def _asked_of_setuptools(folder: Path, file: Path) -> dict[str, Any]:
    import uv

    worker = Path(__file__).parents[1] / "boot" / "setup_facts.py"
    command = [
        uv.find_uv_bin(), "run", "--no-project", "--no-python-downloads", "--quiet", "--python", sys.executable,
        "--with", "setuptools", str(worker), str(folder),
    ]  # fmt: skip
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-12:])
        raise InputError(f"{file} cannot be run by setuptools:\n{tail}", do="mend the file", see=_READ)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _pairs(lines: Iterable[str] | str) -> dict[str, Any]:
    rows = lines.splitlines() if isinstance(lines, str) else lines
    split = (row.partition("=") for row in rows if row.strip())
    return {name.strip(): point.split("[", maxsplit=1)[0].strip() for name, _, point in split}


def _groups(table: object, faults: list[str]) -> dict[str, tuple[str, ...]]:
    """Flatten ``[dependency-groups]`` (PEP 735), telling cycles and unknown groups by name."""
    if not isinstance(table, dict):
        faults.append(f"dependency-groups: must be a table, is {table!r}")
        return {}
    from packaging.dependency_groups import DependencyGroupResolver

    found = {}
    try:
        resolver = DependencyGroupResolver(table)
    except Exception as error:  # the library raises groups of several kinds
        faults.append(f"dependency-groups: {error}")
        return {}
    for name in table:
        try:
            found[normal(name)] = tuple(str(each) for each in resolver.resolve(name))
        except BaseExceptionGroup as errors:
            faults += [f"dependency-groups.{name}: {error}" for error in errors.exceptions]
        except Exception as error:
            faults.append(f"dependency-groups.{name}: {error}")
    return found


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


def _entry_points(values: Mapping[str, Any], where: str, faults: list[str]) -> dict[str, str]:
    pattern = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\s*:\s*[^\W\d]\w*(\.[^\W\d]\w*)*")
    for name, value in values.items():
        if not isinstance(value, str) or not pattern.fullmatch(value.strip()):
            faults.append(f"{where}.{name}: must be module:function, is {value!r}")
    return {name: "".join(str(value).split()) for name, value in values.items()}


def _mapping(table: Mapping[str, Any], key: str, faults: list[str]) -> Mapping[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        faults.append(f"project.{key}: must be a table, is {found!r}")
        return {}
    return found


def _text(table: Mapping[str, Any], key: str, faults: list[str]) -> str:
    found = table.get(key, "")
    if not isinstance(found, str):
        faults.append(f"{key}: must be a string, is {found!r}")
        return ""
    return found


def _end(faults: list[str], file: Path) -> None:
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{file} cannot be used:\n{told}", do="mend the file", see=_READ)
