"""The table of sources: loaded from ``runtimes/sources.toml``, every fault of it told in one error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack import folders, pins
from pypack.errors import InputError
from pypack.sources import patches

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.pins import Pin
    from pypack.sources.patches import Patch

_LISTS = frozenset({"commands", "sources", "exclude", "include", "defines", "headers", "libraries"})
_WORDS = frozenset({"archive", "header_root"})
_TABLES = frozenset({"files", "modules"})
_RECIPE = _LISTS | _WORDS | _TABLES
_PIN = frozenset({"version", "file", "urls", "sha256", "size"})
_CPYTHON = frozenset({"configure", "environment", "setup", "make", "modules", "leave_out", "symbols"})
_COMMON = frozenset({"licence", "licence_files", "needs", "tools"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source archive and how it is built; the head comment of ``sources.toml`` explains each field.

    ``recipe`` holds the remaining fields of its row as they stand there, ``arches`` what is added to it for
    single processors.
    """

    name: str
    version: str
    pin: Pin
    licence: str
    licence_files: tuple[str, ...]
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()
    recipe: Mapping[str, Any]
    arches: Mapping[str, Mapping[str, Any]]

    def recipe_for(self, arch: str) -> dict[str, Any]:
        """Return the recipe with what processor ``arch`` adds to it."""
        merged: dict[str, Any] = dict(self.recipe)
        for key, value in self.arches.get(arch, {}).items():
            old = merged.get(key)
            if isinstance(value, list):
                merged[key] = [*(old or []), *value]
            elif isinstance(value, Mapping):
                merged[key] = {**(old or {}), **value}
            else:
                merged[key] = value
        return merged


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A target that can be built from source: ``kind`` is ``static``, ``words`` stand for ``{…}`` in commands."""

    target: str
    kind: str
    triple: str
    words: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """All of ``sources.toml``. ``packages`` gives Debian's package of each host tool."""

    cpython: Source
    libraries: Mapping[str, Source]
    variants: Mapping[str, Variant]
    packages: Mapping[str, str]

    def order(self) -> list[Source]:
        """Return the libraries that CPython needs, each after those that it needs itself."""
        done: dict[str, Source] = {}

        def visit(name: str) -> None:
            if name not in done:
                for need in self.libraries[name].needs:
                    visit(need)
                done[name] = self.libraries[name]

        for name in self.cpython.needs:
            visit(name)
        return list(done.values())


def load(path: Path | None = None) -> Table:
    """Read the table and the patches that belong to it; every fault is reported in one error."""
    file = path or folders.data("runtimes") / "sources.toml"
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    faults: list[str] = []
    known = patches.load(file.parent / "patches", faults)
    rows = {name: ("library", row) for name, row in data.get("library", {}).items()}
    rows["cpython"] = ("cpython", data.get("cpython", {}))
    sources = {name: _source(name, kind, row, known, faults) for name, (kind, row) in rows.items()}
    variants = {name: _variant(name, row, faults) for name, row in data.get("target", {}).items()}
    found = {name: source for name, source in sources.items() if source is not None}
    packages = {str(tool): str(package) for tool, package in data.get("tools", {}).items()}
    faults += _loose_ends(found, set(rows), known, packages)
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{file} cannot be used:\n{told}", do="complete it; its head comment explains the fields")
    cpython = found.pop("cpython")
    return Table(
        cpython=cpython,
        libraries=found,
        variants={name: variant for name, variant in variants.items() if variant is not None},
        packages=packages,
    )


def _source(name: str, kind: str, row: Mapping[str, Any], known: tuple[Patch, ...], faults: list[str]) -> Source | None:
    pin = pins.from_row(name, row, faults)
    missing = sorted({"version", "licence", "licence_files"} - row.keys())
    allowed = _PIN | _COMMON | _RECIPE | {"arch"} if kind == "library" else _PIN | _COMMON | _CPYTHON
    parts = [(name, row, allowed)]
    parts += [(f"{name}.arch.{arch}", more, _RECIPE) for arch, more in row.get("arch", {}).items()]
    for where, part, names in parts:
        extra = sorted(part.keys() - names)
        faults += [f"{where}: {', '.join(extra)} not known"] if extra else []
        faults += [
            f"{where}: {key} must be a list" for key in sorted(_LISTS & part.keys()) if type(part[key]) is not list
        ]
    if missing:
        faults.append(f"{name}: {', '.join(missing)} missing")
    if pin is None or missing:
        return None
    return Source(
        name=name,
        version=row["version"],
        pin=pin,
        licence=row["licence"],
        licence_files=tuple(row["licence_files"]),
        needs=tuple(row.get("needs", ())),
        tools=tuple(row.get("tools", ())),
        patches=patches.select(known, name, row["version"], faults),
        recipe={key: value for key, value in row.items() if key not in _PIN | _COMMON | {"arch"}},
        arches=row.get("arch", {}),
    )


def _variant(name: str, row: Mapping[str, Any], faults: list[str]) -> Variant | None:
    missing = sorted({"kind", "triple", "words"} - row.keys())
    if missing:
        faults.append(f"target {name}: {', '.join(missing)} missing")
        return None
    if row["kind"] != "static":
        faults.append(f"target {name}: kind {row['kind']!r} is not known (static)")
        return None
    return Variant(target=name, kind=row["kind"], triple=row["triple"], words=row["words"])


def _loose_ends(
    found: Mapping[str, Source], names: set[str], known: tuple[Patch, ...], packages: Mapping[str, str]
) -> list[str]:
    """Name what is referred to and does not exist."""
    faults = []
    for source in found.values():
        faults += [
            f"{source.name}: needs {need!r}, which is not in the file" for need in source.needs if need not in names
        ]
        faults += [f"{source.name}: tool {tool!r} is not in [tools]" for tool in source.tools if tool not in packages]
    faults += [
        f"patch {patch.name}: there is no source {patch.source!r}" for patch in known if patch.source not in names
    ]
    return faults
