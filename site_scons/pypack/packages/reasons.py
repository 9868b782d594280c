"""Why a package is in a bundle: the chain of requirements that leads to it, from the METADATA of what was packed."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.packages import requirements
from pypack.packages.manifests import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from pypack.packages.inputs import Dependencies

_NAMED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True, kw_only=True)
class Chain:
    """``links`` lead from what names packages to one of them; ``parents`` are all the packages that require it."""

    links: tuple[str, ...]
    parents: tuple[str, ...]


def direct(dependencies: Dependencies) -> tuple[str, ...]:
    """Return the requirements that a program states itself, as far as they can be read; markers may stand in them."""
    found = list(dependencies.asked)
    if dependencies.kind == "requirements":
        lines = (line for file in requirements.files(dependencies.file) for line in _lines(file))
        found += [named for line in lines if (named := _requirement(line))]
    return (*found, *(wheel.name.split("-", 1)[0] for wheel in dependencies.wheels))


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def _requirement(line: str) -> str:
    """Return the name, and extras, of a line of a requirements file; "" for options, comments and paths to sources."""
    line = line.split(" #", 1)[0].strip()
    name = line.replace("\\", "/").rsplit("/", 1)[-1]
    if name.split("#", 1)[0].endswith(".whl") and " @ " not in line:
        return name.split("-", 1)[0]
    found = _NAMED.match(line)
    if not found or line.startswith(("-", ".", "/")) or "://" in line.split("@", 1)[0]:
        return ""
    return f"{found[1]}[{found[2]}]" if found[2] else found[1]


def chains(
    parts: Sequence[Mapping[str, Any]], asked: Iterable[str], markers: Mapping[str, str], *, origin: str
) -> dict[str, Chain]:
    """Return the shortest chain for each of ``parts`` (:func:`pypack.packages.contents.run_contents`), by its name.

    ``asked`` are the program's own requirements, ``markers`` the environment on the target; chains begin with
    ``origin``. What no requirement leads to (it was asked for in a way that cannot be read) stands behind ``origin``
    by itself.
    """
    names = {normal(part["name"]): part["name"] for part in parts}
    needs = {normal(part["name"]): list(_parsed(part["requires"])) for part in parts}
    links: dict[str, tuple[str, ...]] = {}
    parents: dict[str, set[str]] = {name: set() for name in names}
    _follow([*_applying(_parsed(asked), "", markers)], (origin,), names, needs, links, parents, markers)
    wanted = {normal(each.name) for each in (need for rows in needs.values() for need in rows)}
    for name in sorted(names, key=lambda each: (each in wanted, each)):
        if name not in links:
            _follow([*_parsed([name])], (origin,), names, needs, links, parents, markers)
    return {
        names[name]: Chain(links=links[name], parents=tuple(sorted(names[each] for each in parents[name])))
        for name in names
    }


def _follow(
    begin: Iterable[Requirement],
    start: tuple[str, ...],
    names: Mapping[str, str],
    needs: Mapping[str, Sequence[Requirement]],
    links: dict[str, tuple[str, ...]],
    parents: dict[str, set[str]],
    markers: Mapping[str, str],
) -> None:
    """Go from requirement to requirement, the nearest first, and note how each package was reached."""
    waiting = deque((each, start) for each in begin)
    seen: set[tuple[str, str]] = set()
    while waiting:
        need, chain = waiting.popleft()
        name = normal(need.name)
        if name not in names:
            continue
        links.setdefault(name, (*chain, names[name]))
        for extra in ("", *sorted(need.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for each in _applying(needs[name], extra, markers):
                if (child := normal(each.name)) in names and child != name:
                    parents[child].add(name)
                waiting.append((each, links[name]))


def _applying(needs: Iterable[Requirement], extra: str, markers: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield the requirements that hold with an extra; with "" those that hold without any."""
    for need in needs:
        if need.marker is None or need.marker.evaluate({**markers, "extra": extra}):
            yield need


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    from packaging.requirements import InvalidRequirement, Requirement

    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:  # old metadata; the package is there all the same
            continue
