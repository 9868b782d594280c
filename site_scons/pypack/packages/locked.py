"""The table of our own in a lock: what it was made from and for; and whether that still holds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError
from pypack.packages import manifests, requirements
from pypack.packages.building import folder as local
from pypack.packages.manifests import normal
from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pypack.packages.inputs import Dependencies
    from pypack.project import Project
    from pypack.providers.base import Runtime

_READ = "docs/dependencies.md"
_BEGIN = "\n[tool.pypack]\n"
_BACKENDS = ("setuptools", "hatch", "poetry", "flit", "pdm")
_SOURCES = ("setup.py", "setup.cfg", "*requirements*.txt", "*.in")
_HASH = re.compile(r"\s+--hash[= ]\S+")


@dataclass(frozen=True, kw_only=True)
class LockedRuntime:
    """The runtime that a lock pins for a target.

    ``file`` and ``sha256`` are empty where the provider has no archive.
    """

    provider: str
    version: str
    file: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a program asks for, as far as it decides about its lock.

    ``file`` is where, relative to the lock's folder, with ``/``. ``requirements`` are lines for people, ``stamp`` is a
    hash over all of it, hashes of requirements too.
    """

    file: str
    requires_python: str
    requirements: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    stamp: str

    @property
    def source(self) -> str:
        """The file for people."""
        return self.file if self.file != "." else "the wheels that were given"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What our table in a lock says.

    ``python`` is the lowest version of CPython that it was resolved for, in full; ``targets`` the names it was checked
    for, ``runtimes`` the runtime of each; ``settings`` a hash over uv's settings, names and passwords left out.
    """

    asked: Asked
    python: str
    targets: tuple[str, ...]
    runtimes: Mapping[str, LockedRuntime] = field(default_factory=dict)
    settings: str = ""


def of_runtime(runtime: Runtime) -> LockedRuntime:
    """Return what is kept of a runtime in a lock: of several archives the first, CPython's own."""
    pin = runtime.pins[0] if runtime.pins else None
    return LockedRuntime(
        provider=runtime.provider,
        version=runtime.version,
        file=pin.file if pin else "",
        sha256=pin.sha256 if pin else "",
    )


def asked(dependencies: Dependencies, folder: Path, options: Iterable[str] = ()) -> Asked:
    """Return what ``dependencies`` ask for now; ``folder`` is where the lock stands. Reads files, asks nobody.

    ``options`` are those of the resolution, as a requirements file would spell them.
    """
    whole = sorted(without_secrets(line) for line in (*_lines(dependencies), *options))
    requirements = dict.fromkeys(_HASH.sub("", line) for line in whole)
    extras, groups = (tuple(sorted({normal(n) for n in names})) for names in (dependencies.extras, dependencies.groups))
    needs = dependencies.manifest.requires_python if dependencies.manifest else ""
    hidden = _hidden(dependencies)
    digest = hashlib.sha256(json.dumps([needs, whole, extras, groups, hidden]).encode()).hexdigest()
    return Asked(
        file=_relative(dependencies.file, folder), requires_python=needs, requirements=tuple(requirements),
        extras=extras, groups=groups, stamp=digest,
    )  # fmt: skip


def _relative(file: Path, folder: Path) -> str:
    try:
        return os.path.relpath(file, folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return file.name


def _lines(dependencies: Dependencies) -> Iterator[str]:
    from packaging.requirements import Requirement

    yield from (path.name for path in dependencies.wheels)
    if dependencies.kind != "requirements":
        yield from (str(Requirement(line)) for line in dependencies.asked)
        return
    yield from requirements.lines(dependencies.file)


def _hidden(dependencies: Dependencies) -> list[str]:
    """Return what of the program's requirements only others read: its build backend, those of local projects."""
    if dependencies.kind == "requirements":
        return [_needs(file) for file in local.metadata_of_files(requirements.files(dependencies.file))]
    if dependencies.kind != "backend":
        return []
    folder = dependencies.base
    tables = manifests.read_toml(folder / "pyproject.toml").get("tool", {})
    found = [json.dumps(tables[name], sort_keys=True, default=str) for name in _BACKENDS if name in tables]
    files = sorted({path for pattern in _SOURCES for path in folder.glob(pattern) if path.is_file()})
    return found + [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _needs(file: Path) -> str:
    """Return what of a local project's file decides about the packages."""
    if file.name != "pyproject.toml":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    table = manifests.read_toml(file)
    project = {key: value for key, value in table.get("project", {}).items() if "depend" in key or "python" in key}
    return json.dumps([project, table.get("build-system")], sort_keys=True, default=str)


def read(path: Path) -> Made | None:
    """Return what our table in a lock says, None where it has none.

    Only the end is parsed, where the table stands: a large lock takes half a second, and every build asks.
    """
    try:
        text = path.read_text(encoding="utf-8")
        at = text.rfind(_BEGIN)
        return _made(tomllib.loads(text[at:])["tool"]["pypack"]) if at >= 0 else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # what is no TOML or UTF-8 is a ValueError
        raise InputError(
            f"[tool.pypack] in {path} cannot be read: {error!r}", do='renew it with "pypack lock"', see=_READ
        ) from error


def _made(table: Mapping[str, Any]) -> Made:
    return Made(
        asked=Asked(
            file=str(table["from"]), requires_python=str(table["requires-python"]), stamp=str(table["stamp"]),
            requirements=tuple(table["requirements"]), extras=tuple(table["extras"]), groups=tuple(table["groups"]),
        ),
        python=str(table["python"]),
        targets=tuple(table["targets"]),
        runtimes={name: LockedRuntime(**row) for name, row in table.get("runtimes", {}).items()},
        settings=str(table["settings"]),
    )  # fmt: skip


def written(made: Made) -> str:
    """Return the table as TOML, to stand at the end of a lock."""
    it = made.asked
    rows: dict[str, str | tuple[str, ...]] = {
        "from": it.file, "requires-python": it.requires_python, "extras": it.extras, "groups": it.groups,
        "requirements": it.requirements, "stamp": it.stamp, "settings": made.settings, "python": made.python,
        "targets": made.targets,
    }  # fmt: skip
    lines = [f"{key} = {_toml(value)}" for key, value in rows.items()]
    for name, pin in sorted(made.runtimes.items()):
        lines += ["", f"[tool.pypack.runtimes.{name}]", *(f"{k} = {_toml(v)}" for k, v in vars(pin).items() if v)]
    return _BEGIN + "\n".join([*lines, ""])


def _toml(value: str | Iterable[str]) -> str:
    """Spell a value; JSON's strings are TOML's, but for DEL."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    inner = "".join(f"    {_toml(each)},\n" for each in value)
    return f"[\n{inner}]" if inner else "[]"


def runtime(dependencies: Dependencies | None, target: str) -> LockedRuntime | None:
    """Return the runtime that a lock pins for a target; None where no lock does."""
    made = read(dependencies.file) if dependencies and dependencies.kind == "pylock" else None
    return made.runtimes.get(target) if made else None


def options(project: Project) -> tuple[str, ...]:
    """Return what a program's settings say of the resolution, as a requirements file would spell it."""
    return (
        *(f"--no-binary {name}" for name in project.no_binary),
        *(["--only-binary :all:"] if project.no_build else ()),
    )


def check(project: Project, targets: Iterable[str], *, upgrade: bool = False) -> None:
    """Refuse a lock of our making that is older than what it was made from, or was not made for one of ``targets``.

    ``upgrade``: the person who builds wants newer packages, which a build with such a lock does not look for.
    """
    dependencies = project.dependencies
    made = read(dependencies.file) if dependencies and dependencies.kind == "pylock" else None
    if dependencies is None or made is None:
        return
    file = dependencies.file
    if upgrade:
        raise InputError(
            f"{file} says which packages and which runtime are taken, and a build does not change it",
            do="run pypack lock --upgrade, then build without --upgrade",
            see=_READ,
        )
    if faults := [*outdated(made, dependencies, options(project))]:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{file} is older than {made.asked.source}:\n{told}", do="run pypack lock", see=_READ)
    if missing := [name for name in targets if name not in made.targets]:
        every = ",".join((*made.targets, *missing))
        raise InputError(
            f"{file} does not cover {', '.join(missing)}: it was made for {', '.join(made.targets)}",
            do=f"run pypack lock --target {every}, or name the targets in [tool.pypack] and run pypack lock",
            see=_READ,
        )


def outdated(made: Made, dependencies: Dependencies, options: Iterable[str] = ()) -> Iterator[str]:
    """Yield what has changed since a lock was made from what ``dependencies.origin`` asks for."""
    was, origin = made.asked, dependencies.origin
    if origin is None:
        yield f"it was made from {was.source}, which names no packages any more"
        return
    if origin.kind == "pylock":  # it was named, and there is nothing that it could be held against
        return
    now = asked(origin, dependencies.file.parent, options)
    if now.file != was.file:
        yield f"it was made from {was.source}, and {now.source} is what counts now"
        return
    faults = [*_rechosen("extra", was.extras, now.extras), *_rechosen("group", was.groups, now.groups)]
    if was.requires_python != now.requires_python:
        faults.append(
            f"requires-python was {was.requires_python or 'not there'}, is {now.requires_python or 'not there'}"
        )
    faults += _changed(was.requirements, now.requirements)
    if not faults and was.stamp != now.stamp:
        told = "what its build backend reads has changed", "hashes have changed, or what a local project needs"
        faults.append(told[origin.kind != "backend"])
    yield from faults


def _rechosen(word: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    yield from (f"the {word} {name} is asked for, and it was made without" for name in new if name not in old)
    yield from (f"it was made with the {word} {name}, which is not asked for" for name in old if name not in new)


def _changed(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Yield which requirements came, went and changed; those of one package are told together."""
    gone = {_name(line): line for line in old if line not in new}
    come = {_name(line): line for line in new if line not in old}
    yield from (f"{gone[name]} has become {come[name]}" for name in gone if name in come)
    yield from (f"{line} is asked for, and was not" for name, line in come.items() if name not in gone)
    yield from (f"{line} is not asked for any more" for name, line in gone.items() if name not in come)


def _name(line: str) -> str:
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
    return normal(found[0]) if found else line
