"""The table of sources: loaded from ``runtimes/sources.toml``, with all faults in one error."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from pypack.base import folders, targets
from pypack.download import pins
from pypack.errors import InputError, did_you_mean
from pypack.runtimes.cpython import patches

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.download.pins import Pin
    from pypack.runtimes.cpython.patches import Patch

_DOCS = "docs/source-runtime.md"

Kind = Literal["static", "shared"]
"""What is built: one executable without a loader, or libpython and extension modules as shared libraries."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_LISTS = frozenset({"commands", "sources", "exclude", "include", "defines", "headers", "libraries"})
_WORDS = frozenset({"archive", "header_root"})
_TABLES = frozenset({"files", "modules"})
_RECIPE = _LISTS | _WORDS | _TABLES
_PIN = frozenset({"version", "file", "urls", "sha256", "size"})
_CPYTHON = frozenset({"configure", "cross", "environment", "setup", "files", "make", "modules", "leave_out", "symbols"})
_COMMON = frozenset({"licence", "licence_files", "needs", "tools"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source archive and how it is built; the head comment of ``sources.toml`` explains each field.

    ``recipe`` holds the remaining fields of its row as they stand there, ``special`` what is added to it for
    single processors, C libraries and kinds, by their names.
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
    special: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def recipe_for(self, *conditions: str) -> dict[str, Any]:
        """Return the recipe with the additions of each of ``conditions`` (a processor, C library or kind)."""
        merged: dict[str, Any] = dict(self.recipe)
        for condition in conditions:
            for key, value in self.special.get(condition, {}).items():
                merged[key] = _merge_field(merged.get(key), value)
        return merged

    def patches_for(self, kind: str) -> tuple[Patch, ...]:
        """Return the patches that a build of ``kind`` takes."""
        return tuple(patch for patch in self.patches if patch.only in {"", kind})


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One kind of build for one target. ``words`` stand for ``{…}`` in commands.

    ``usual``: it is the target's runtime unless another kind is requested.
    """

    target: str
    kind: Kind
    usual: bool
    triple: str
    words: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """All of ``sources.toml``.

    ``variants`` are those of each target by its name, the usual one first; ``packages`` gives Debian's package of each
    host tool.
    """

    cpython: Source
    loader: Source | None
    libraries: Mapping[str, Source]
    variants: Mapping[str, tuple[Variant, ...]]
    packages: Mapping[str, str]

    def variant(self, target: str, kind: Kind | None = None) -> Variant | None:
        """Return the build of ``kind`` for a target (the usual one by default), or None where there is none."""
        variants = self.variants.get(target, ())
        return next((variant for variant in variants if kind in {None, variant.kind}), None)

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
    return _load_cached(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _load_cached(file: Path, changed: int) -> Table:
    """Read a file once for each time that it was ``changed``."""
    del changed
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    faults: list[str] = []
    known_patches = patches.load(file.parent / "patches", faults)
    rows = {name: ("library", row) for name, row in data.get("library", {}).items()}
    rows["cpython"] = ("cpython", data.get("cpython", {}))
    if "loader" in data:
        rows["musl"] = ("library", data["loader"])
    sources = {name: _source(name, kind, row, known_patches, faults) for name, (kind, row) in rows.items()}
    variants = {name: _variants(name, row, faults) for name, row in data.get("target", {}).items()}
    complete = {name: source for name, source in sources.items() if source is not None}
    packages = {str(tool): str(package) for tool, package in data.get("tools", {}).items()}
    faults += _dangling_references(complete, set(rows), known_patches, packages)
    if faults:
        message = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{file} cannot be used:\n{message}", hint="complete it; its head comment explains the fields", docs=_DOCS
        )
    cpython, loader = complete.pop("cpython"), complete.pop("musl", None)
    return Table(cpython=cpython, loader=loader, libraries=complete, variants=variants, packages=packages)


def _merge_field(old: object, new: object) -> object:
    """Return a field of a recipe merged with a special row's: lists and tables are extended, text is replaced."""
    if isinstance(new, list):
        return [*(old if isinstance(old, list) else []), *new]
    if isinstance(new, Mapping):
        return {**(old if isinstance(old, Mapping) else {}), **new}
    return new


def _source(
    name: str, kind: str, row: Mapping[str, Any], known_patches: tuple[Patch, ...], faults: list[str]
) -> Source | None:
    pin = pins.from_row(name, row, faults)
    missing = sorted({"version", "licence", "licence_files"} - row.keys())
    recipe = _RECIPE if kind == "library" else _CPYTHON
    special = row.get("for", {})
    parts = [(name, row, _PIN | _COMMON | recipe | {"for"})]
    parts += [(f"{name}.for.{word}", more, recipe) for word, more in special.items()]
    faults += [
        f"{name}.for.{word}: no target has such a word{did_you_mean(word, _words())}"
        for word in sorted(special.keys() - _words())
    ]
    for where, part, names in parts:
        extra = sorted(part.keys() - names)
        faults += [f"{where}: {key} not known{did_you_mean(key, names)}" for key in extra]
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
        patches=patches.select(known_patches, name, row["version"], faults),
        recipe={key: value for key, value in row.items() if key not in _PIN | _COMMON | {"for"}},
        special=special,
    )


def _words() -> set[str]:
    """Return the words that a special row can be for."""
    rows = targets.load().values()
    return {word for target in rows for word in (target.arch, target.libc) if word} | set(_KINDS)


def _variants(name: str, row: Mapping[str, Any], faults: list[str]) -> tuple[Variant, ...]:
    missing = sorted(key for key in ("kinds", "triple", "words") if not row.get(key))
    if missing:
        faults.append(f"target {name}: {', '.join(missing)} missing")
        return ()
    kinds: Iterable[Any] = row["kinds"]
    faults += [
        f"target {name}: kind {kind!r} is not known ({', '.join(_KINDS)}){did_you_mean(str(kind), _KINDS)}"
        for kind in kinds
        if kind not in _KINDS
    ]
    return tuple(
        Variant(target=name, kind=kind, usual=index == 0, triple=row["triple"], words=row["words"])
        for index, kind in enumerate(kinds)
    )


def _dangling_references(
    sources: Mapping[str, Source], names: set[str], known_patches: tuple[Patch, ...], packages: Mapping[str, str]
) -> list[str]:
    """Return a fault for each reference to something that does not exist."""
    faults = []
    for source in sources.values():
        faults += [
            f"{source.name}: needs {need!r}, which is not in the file" for need in source.needs if need not in names
        ]
        faults += [f"{source.name}: tool {tool!r} is not in [tools]" for tool in source.tools if tool not in packages]
    faults += [
        f"patch {patch.name}: there is no source {patch.source!r}"
        for patch in known_patches
        if patch.source not in names
    ]
    return faults
