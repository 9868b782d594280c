"""The phases of a build, as people see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A kind of work as people see it: ``doing`` while it runs, ``past`` when it is over.

    ``units`` are what its steps make, one each, as one and as several; none: their number says nothing.
    ``actions`` are those of its steps.
    """

    past: str
    doing: str
    actions: frozenset[str]
    units: tuple[str, str] | None = None

    def describe(self, count: int) -> str:
        """Return what is done: ``Fetched 3 files``."""
        return f"{self.past} {count} {self.units[count != 1]}" if self.units else self.past


PHASES = (
    Phase(past="Fetched", doing="Fetching", units=("file", "files"), actions=frozenset({"fetch"})),
    Phase(
        past="Built", doing="Building", units=("part from source", "parts from source"),
        actions=frozenset({
            "build", "cpython", "dev", "gather", "headers", "library", "link", "loader", "objects", "patch", "wheel",
        }),
    ),
    Phase(
        past="Prepared runtime and launcher", doing="Preparing",
        actions=frozenset({
            "compiler", "embed", "embed-dev", "embed-unpack", "extract", "facts", "host", "join", "resources",
            "runtime", "stub", "unpack", "version",
        }),
    ),
    Phase(past="Compiled bytecode", doing="Compiling", actions=frozenset({"compile"})),
    Phase(
        past="Packed", doing="Packing", units=("package or layer", "packages and layers"),
        actions=frozenset({"app", "check", "contents", "installed", "layer", "pack"}),
    ),
    Phase(past="Wrote", doing="Writing", actions=frozenset({"bundle", "report"})),
)  # fmt: skip
"""In the order of a build. Every action of a step is in one of them."""
