"""``[tool.pypack]`` in a lock: what the lock was made from and for, and whether it is still current."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.deps import manifests, requirements
from pypack.deps.build import folder as local
from pypack.deps.secrets import without_secrets
from pypack.errors import InputError
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import tomlkit.items

    from pypack.deps.inputs import Dependencies
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime

_READ = "docs/dependencies.md"
_BEGIN = "\n[tool.pypack]\n"
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
class LockRequest:
    """The requirements of a program, as far as they decide about its lock.

    ``file`` names them, relative to the lock's folder, with ``/``. ``requirements`` are lines to show, without hashes;
    ``stamp`` is a hash over everything, hashes of requirements too.
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
class LockMetadata:
    """The table ``[tool.pypack]`` of a lock.

    ``python`` is the lowest version of CPython that it was resolved for, in full; ``targets`` the names it was checked
    for, ``runtimes`` the runtime of each; ``settings`` a hash over uv's settings, names and passwords left out.
    """

    request: LockRequest
    python: str
    targets: tuple[str, ...]
    runtimes: Mapping[str, LockedRuntime] = field(default_factory=dict)
    settings: str = ""


def of_runtime(runtime: Runtime) -> LockedRuntime:
    """Return the entry of a runtime in a lock: of several archives the first, CPython's own."""
    pin = runtime.pins[0] if runtime.pins else None
    return LockedRuntime(
        provider=runtime.provider,
        version=runtime.version,
        file=pin.file if pin else "",
        sha256=pin.sha256 if pin else "",
    )


def current_request(dependencies: Dependencies, folder: Path, options: Iterable[str] = ()) -> LockRequest:
    """Return the current requirements of ``dependencies``; ``folder`` is that of the lock. Reads files, no network.

    ``options`` are those of the resolution, written as in a requirements file.
    """
    full_lines = sorted(without_secrets(line) for line in (*_lines(dependencies), *options))
    requirements = dict.fromkeys(_HASH.sub("", line) for line in full_lines)
    extras, groups = (
        tuple(sorted({canonicalize_name(n) for n in names})) for names in (dependencies.extras, dependencies.groups)
    )
    requires_python = dependencies.manifest.requires_python if dependencies.manifest else ""
    unlisted = _unlisted_inputs(dependencies)
    digest = hashlib.sha256(json.dumps([requires_python, full_lines, extras, groups, unlisted]).encode()).hexdigest()
    return LockRequest(
        file=_relative(dependencies.file, folder), requires_python=requires_python, requirements=tuple(requirements),
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
        yield from (str(Requirement(line)) for line in dependencies.requirements)
        return
    yield from requirements.lines(dependencies.file)


def _unlisted_inputs(dependencies: Dependencies) -> list[str]:
    """Return inputs of a lock that are not lines of requirements: files of local projects, another tool's lock."""
    if dependencies.kind == "requirements":
        return [_project_inputs(file) for file in local.metadata_of_files(requirements.files(dependencies.file))]
    if dependencies.kind == "exported":
        return [file_digest(dependencies.file)]
    return []


def _project_inputs(file: Path) -> str:
    """Return the part of a local project's file that decides about the packages, or its hash."""
    if file.name != "pyproject.toml":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    table = manifests.read_toml(file)
    project = {key: value for key, value in table.get("project", {}).items() if "depend" in key or "python" in key}
    return json.dumps([project, table.get("build-system")], sort_keys=True, default=str)


def read(path: Path) -> LockMetadata | None:
    """Return the table ``[tool.pypack]`` of a lock, None where it has none.

    Only the end of the file is parsed, where the table is: every build reads it, and a large lock takes half a second.
    """
    try:
        text = path.read_text(encoding="utf-8")
        at = text.rfind(_BEGIN)
        return _parse_table(tomllib.loads(text[at:])["tool"]["pypack"]) if at >= 0 else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # what is no TOML or UTF-8 is a ValueError
        raise InputError(
            f"[tool.pypack] in {path} cannot be read: {error!r}", hint='renew it with "pypack lock"', docs=_READ
        ) from error


def _parse_table(table: Mapping[str, Any]) -> LockMetadata:
    return LockMetadata(
        request=LockRequest(
            file=str(table["from"]), requires_python=str(table["requires-python"]), stamp=str(table["stamp"]),
            requirements=tuple(table["requirements"]), extras=tuple(table["extras"]), groups=tuple(table["groups"]),
        ),
        python=str(table["python"]),
        targets=tuple(table["targets"]),
        runtimes={name: LockedRuntime(**row) for name, row in table.get("runtimes", {}).items()},
        settings=str(table["settings"]),
    )  # fmt: skip


def format_table(metadata: LockMetadata) -> str:
    """Return the table as TOML, for the end of a lock."""
    import tomlkit

    request = metadata.request
    values: dict[str, str | tuple[str, ...]] = {
        "from": request.file, "requires-python": request.requires_python, "extras": request.extras,
        "groups": request.groups, "requirements": request.requirements, "stamp": request.stamp,
        "settings": metadata.settings, "python": metadata.python, "targets": metadata.targets,
    }  # fmt: skip
    table, runtimes = tomlkit.table(), tomlkit.table(is_super_table=True)
    for key, value in values.items():
        table.add(key, value if isinstance(value, str) else _multiline_array(value))
    for name, pin in sorted(metadata.runtimes.items()):
        runtimes.add(name, {key: value for key, value in vars(pin).items() if value})
    if metadata.runtimes:
        table.add("runtimes", runtimes)
    return "\n" + tomlkit.dumps({"tool": tomlkit.table(is_super_table=True).add("pypack", table)})


def _multiline_array(values: Iterable[str]) -> tomlkit.items.Array:
    """Return an array with a line for each value."""
    import tomlkit

    array = tomlkit.array()
    array.extend(values)
    return array.multiline(multiline=True)


def runtime(dependencies: Dependencies | None, target: str) -> LockedRuntime | None:
    """Return the runtime that a lock pins for a target; None where no lock does."""
    metadata = read(dependencies.file) if dependencies and dependencies.kind == "pylock" else None
    return metadata.runtimes.get(target) if metadata else None


def options(project: Project) -> tuple[str, ...]:
    """Return the options of the resolution in a program's settings, written as in a requirements file."""
    return (
        *(f"--no-binary {name}" for name in project.no_binary),
        *(["--only-binary :all:"] if project.no_build else ()),
    )


def check(project: Project, targets: Iterable[str], *, upgrade: bool = False) -> None:
    """Raise :class:`InputError` where a lock of pypack's is outdated, or was not made for one of ``targets``.

    ``upgrade``: newer packages were asked for, which a build with such a lock does not look for.
    """
    dependencies = project.dependencies
    metadata = read(dependencies.file) if dependencies and dependencies.kind == "pylock" else None
    if dependencies is None or metadata is None:
        return
    file = dependencies.file
    if upgrade:
        raise InputError(
            f"{file} says which packages and which runtime are taken, and a build does not change it",
            hint="run pypack lock --upgrade, then build without --upgrade",
            docs=_READ,
        )
    if faults := [*outdated(metadata, dependencies, options(project))]:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{file} is older than {metadata.request.source}:\n{details}", hint="run pypack lock", docs=_READ
        )
    if missing := [name for name in targets if name not in metadata.targets]:
        every = ",".join((*metadata.targets, *missing))
        raise InputError(
            f"{file} does not cover {', '.join(missing)}: it was made for {', '.join(metadata.targets)}",
            hint=f"run pypack lock --target {every}, or name the targets in [tool.pypack] and run pypack lock",
            docs=_READ,
        )


def outdated(metadata: LockMetadata, dependencies: Dependencies, options: Iterable[str] = ()) -> Iterator[str]:
    """Yield what has changed in ``dependencies.origin`` since the lock was made, one clause for each change."""
    was, origin = metadata.request, dependencies.origin
    if origin is None:
        yield f"it was made from {was.source}, which names no packages any more"
        return
    if origin.kind == "pylock":  # it was named, and there is nothing to compare it with
        return
    now = current_request(origin, dependencies.file.parent, options)
    if now.file != was.file:
        yield f"it was made from {was.source}, and {now.source} is what counts now"
        return
    faults = [*_choice_changes("extra", was.extras, now.extras), *_choice_changes("group", was.groups, now.groups)]
    if was.requires_python != now.requires_python:
        faults.append(
            f"requires-python was {was.requires_python or 'not there'}, is {now.requires_python or 'not there'}"
        )
    faults += _requirement_changes(was.requirements, now.requirements)
    if not faults and was.stamp != now.stamp:
        faults.append("hashes have changed, or what a local project needs")
    yield from faults


def _choice_changes(kind: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    yield from (f"the {kind} {name} is asked for, and it was made without" for name in new if name not in old)
    yield from (f"it was made with the {kind} {name}, which is not asked for" for name in old if name not in new)


def _requirement_changes(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Yield the requirements that were added, removed and changed; one clause for each package."""
    gone = {_name(line): line for line in old if line not in new}
    come = {_name(line): line for line in new if line not in old}
    yield from (f"{gone[name]} has become {come[name]}" for name in gone if name in come)
    yield from (f"{line} is asked for, and was not" for name, line in come.items() if name not in gone)
    yield from (f"{line} is not asked for any more" for name, line in gone.items() if name not in come)


def _name(line: str) -> str:
    requirement = requirements.of_line(line)
    return canonicalize_name(requirement.name) if requirement else line
