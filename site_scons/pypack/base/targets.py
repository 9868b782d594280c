"""The table of targets: loaded from ``runtimes/targets.toml``, refused when a row is incomplete."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pypack.base import folders, hosts
from pypack.errors import InputError, did_you_mean, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_DOCS = "docs/settings.md"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths inside a runtime, relative to its root, with ``{minor}`` and ``{nodot}`` still in them."""

    python: str
    libpython: str
    stdlib: str
    site_packages: str

    def at(self, minor: str) -> Layout:
        """Return the layout of one Python minor version such as ``3.13``."""
        values = {
            field.name: getattr(self, field.name).format(minor=minor, nodot=minor.replace(".", ""))
            for field in fields(self)
        }
        return Layout(**values)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One row of the table; the head comment of ``targets.toml`` explains each field.

    ``of`` names the targets whose bundles are joined in one file; the other fields are then the first one's.
    """

    name: str
    system: str
    libc: str
    arch: str
    container: str
    suffix: str
    stub_zig: str
    runtime_zig: str
    pbs: str
    uv: str
    floor: str
    wheels: str
    wheel_arch: str
    machine: str
    markers: Mapping[str, str]
    layout: Layout
    launches: tuple[str, ...]
    providers: tuple[str, ...]
    in_all: bool
    of: tuple[str, ...] = ()

    @property
    def launch(self) -> str:
        """How Python is usually started: ``exec`` or ``embed``."""
        return self.launches[0]

    @property
    def floor_version(self) -> tuple[int, ...]:
        """The floor as numbers, e.g. ``(2, 17)``."""
        return tuple(int(part) for part in self.floor.split("."))


_FLOORS = {"gnu": "glibc", "musl": "musl", "macos": "macos"}
"""What the floor is a version of, by C library or system."""
FLOORS = tuple(sorted(set(_FLOORS.values())))
"""The keys of the setting ``floors``."""
FLOOR = r"[0-9]+\.[0-9]+"
"""Regular expression for its values."""


def floor_name(target: Target) -> str:
    """Return the key of the setting ``floors`` that applies to ``target``, or ``""``."""
    return _FLOORS.get(target.libc or target.system, "")


def raised(target: Target, floors: Mapping[str, str]) -> Target:
    """Return ``target`` with the floor that ``floors`` gives (``{"glibc": "2.28"}``); a lower one is refused."""
    floor = floors.get(floor_name(target))
    if floor is None or floor == target.floor:
        return target
    higher = replace(target, floor=floor)
    if higher.floor_version < target.floor_version:
        raise InputError(
            f"the floor {floor} of {target.name} is below {target.floor}, the lowest that is built for",
            hint="raise it, or leave it out",
            docs="docs/settings.md",
        )
    return higher


def check_floors(floors: Mapping[str, object]) -> list[str]:
    """Return the faults of a setting ``floors``, one clause each."""
    choices = f"choose from {', '.join(FLOORS)}"
    faults = [f"floors.{key}: not known{did_you_mean(key, FLOORS)}; {choices}" for key in floors if key not in FLOORS]
    return faults + [
        f'floors.{key}: must be a version such as "2.28", is {value!r}'
        for key, value in floors.items()
        if key in FLOORS and (not isinstance(value, str) or not re.fullmatch(FLOOR, value))
    ]


def load(path: Path | None = None) -> dict[str, Target]:
    """Read the table. Every fault of every row is reported in one error."""
    file = path or folders.data("runtimes") / "targets.toml"
    return dict(_loaded(file, file.stat().st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _loaded(file: Path, changed: int) -> dict[str, Target]:
    """Read a file once for each time that it was ``changed``: a build asks for the table dozens of times."""
    del changed
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    faults: list[str] = []
    layouts = {name: _layout(name, row, faults) for name, row in table.get("layout", {}).items()}
    rows: dict[str, dict[str, Any]] = table.get("target", {})
    markers: dict[str, Mapping[str, str]] = table.get("markers", {})
    targets = {name: _target(name, row, layouts, markers, faults) for name, row in rows.items() if "of" not in row}
    targets |= {name: _join(name, row, targets, faults) for name, row in rows.items() if "of" in row}
    if faults or not targets:
        message = "\n".join(f"  {fault}" for fault in faults) or "  it has no rows"
        raise InputError(
            f"{file} cannot be used:\n{message}", hint="complete the rows; its head comment explains them", docs=_DOCS
        )
    return {name: target for name, target in targets.items() if target is not None}


def find(name: str, table: Mapping[str, Target]) -> Target:
    """Return the target called ``name`` (``host`` stands for this machine's own)."""
    target_name = hosts.target_name() if name == "host" else name
    if target_name not in table:
        raise unknown("target", name, table)
    return table[target_name]


def starts_here(target: Target) -> bool:
    """Say whether a bundle for ``target`` can be started on this host without help: static musl runs on any Linux."""
    arches = {name.rsplit("-", 1)[-1] for name in target.of} or {target.arch}
    return target.system == hosts.system() and hosts.arch() in arches and target.libc in {hosts.libc(), "musl"}


def select(names: Iterable[str], table: Mapping[str, Target]) -> list[Target]:
    """Return the targets that ``names`` means: each may hold commas, ``all`` and ``host``; no repeats."""
    selected: dict[str, Target] = {}
    for name in (part.strip() for text in names for part in text.split(",")):
        if not name:
            continue
        named_targets = [target for target in table.values() if target.in_all] if name == "all" else [find(name, table)]
        selected.update({target.name: target for target in named_targets})
    if not selected:
        raise InputError("no target was named", hint=f"choose from: host, all, {', '.join(table)}", docs=_DOCS)
    return list(selected.values())


def _layout(name: str, row: Mapping[str, Any], faults: list[str]) -> Layout | None:
    if not _complete(f"layout {name}", row, {field.name for field in fields(Layout)}, faults):
        return None
    return Layout(**row)


def _target(
    name: str,
    row: Mapping[str, Any],
    layouts: Mapping[str, Layout | None],
    markers: Mapping[str, Mapping[str, str]],
    faults: list[str],
) -> Target | None:
    expected = {field.name for field in fields(Target)} - {"name", "of", "markers"}
    if not _complete(f"target {name}", row, expected, faults):
        return None
    layout = layouts.get(row["layout"])
    if layout is None:
        faults.append(f"target {name}: layout {row['layout']!r} is not in the file")
        return None
    if row["system"] not in markers:
        faults.append(f"target {name}: there is no [markers.{row['system']}]")
        return None
    if name != "-".join(part for part in (row["system"], row["libc"], row["arch"]) if part):
        faults.append(f"target {name}: the name is not system-libc-arch")
        return None
    values = {
        **row,
        "layout": layout,
        "providers": tuple(row["providers"]),
        "launches": tuple(row["launches"]),
        "markers": markers[row["system"]],
    }
    return Target(name=name, **values)


def _join(name: str, row: Mapping[str, Any], targets: Mapping[str, Target | None], faults: list[str]) -> Target | None:
    parts = [targets.get(part) for part in row["of"]]
    if set(row) != {"of"} or len(parts) < 2 or None in parts or len({part.container for part in parts if part}) != 1:
        faults.append(f"target {name}: of must be all that it has, two or more targets of one container")
        return None
    assert parts[0] is not None  # that was a fault
    return replace(parts[0], name=name, arch=name.rsplit("-", 1)[-1], of=tuple(row["of"]), in_all=False)


def _complete(what: str, row: Mapping[str, Any], expected: set[str], faults: list[str]) -> bool:
    missing, extra = sorted(expected - row.keys()), sorted(row.keys() - expected)
    empty = sorted(key for key in expected & row.keys() if row[key] == "" and key not in {"libc", "suffix"})
    before = len(faults)
    if missing:
        faults.append(f"{what}: {', '.join(missing)} missing")
    if extra:
        faults.append(f"{what}: {', '.join(extra)} not known")
    if empty:
        faults.append(f"{what}: {', '.join(empty)} empty")
    return len(faults) == before
