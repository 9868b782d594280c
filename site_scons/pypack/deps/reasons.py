"""Explain why a package is in a bundle: the chain of requirements that leads to it, from METADATA of the wheels."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.deps import requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from pypack.deps.inputs import Dependencies


@dataclass(frozen=True, kw_only=True)
class Chain:
    """``links`` lead from what names packages to one of them; ``parents`` are all the packages that require it."""

    links: tuple[str, ...]
    parents: tuple[str, ...]


def direct(dependencies: Dependencies) -> tuple[str, ...]:
    """Return the program's own requirements, as far as they can be read; they may have markers."""
    lines = list(dependencies.requirements)
    if dependencies.kind == "requirements":
        parsed_lines = (requirements.of_line(line) for line in requirements.lines(dependencies.file))
        lines += [_with_extras(requirement) for requirement in parsed_lines if requirement]
    return (*lines, *filter(None, (requirements.wheel_distribution(wheel.name) for wheel in dependencies.wheels)))


def _with_extras(requirement: Requirement) -> str:
    return f"{requirement.name}[{','.join(sorted(requirement.extras))}]" if requirement.extras else requirement.name


def chains(
    parts: Sequence[Mapping[str, Any]], asked: Iterable[str], markers: Mapping[str, str], *, origin: str
) -> dict[str, Chain]:
    """Return the shortest chain for each of ``parts`` (:func:`pypack.deps.contents.run_contents`), by its name.

    ``asked`` are the program's own requirements, ``markers`` the environment on the target; chains begin with
    ``origin``. What no requirement leads to (it was asked for in a way that cannot be read) stands behind ``origin``
    by itself.
    """
    names: dict[str, str] = {canonicalize_name(part["name"]): part["name"] for part in parts}
    needs: dict[str, list[Requirement]] = {
        canonicalize_name(part["name"]): list(parsed(part["requires"])) for part in parts
    }
    links: dict[str, tuple[str, ...]] = {}
    parents: dict[str, set[str]] = {name: set() for name in names}
    _follow([*applying(parsed(asked), "", markers)], (origin,), names, needs, links, parents, markers)
    required = {canonicalize_name(need.name) for group in needs.values() for need in group}
    for name in sorted(names, key=lambda name: (name in required, name)):
        if name not in links:
            _follow([*parsed([name])], (origin,), names, needs, links, parents, markers)
    return {
        names[name]: Chain(links=links[name], parents=tuple(sorted(names[parent] for parent in parents[name])))
        for name in names
    }


def _follow(
    first: Iterable[Requirement],
    start: tuple[str, ...],
    names: Mapping[str, str],
    needs: Mapping[str, Sequence[Requirement]],
    links: dict[str, tuple[str, ...]],
    parents: dict[str, set[str]],
    markers: Mapping[str, str],
) -> None:
    """Walk the requirements breadth first, and record the chain to each package in ``links`` and ``parents``."""
    waiting = deque((requirement, start) for requirement in first)
    visited: set[tuple[str, str]] = set()
    while waiting:
        need, chain = waiting.popleft()
        name = canonicalize_name(need.name)
        if name not in names:
            continue
        links.setdefault(name, (*chain, names[name]))
        for extra in ("", *sorted(need.extras)):
            if (name, extra) in visited:
                continue
            visited.add((name, extra))
            for requirement in applying(needs[name], extra, markers):
                if (child := canonicalize_name(requirement.name)) in names and child != name:
                    parents[child].add(name)
                waiting.append((requirement, links[name]))


def applying(needs: Iterable[Requirement], extra: str, markers: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield the requirements whose markers hold with an extra; with "" those that hold without any."""
    for need in needs:
        if need.marker is None or need.marker.evaluate({**markers, "extra": extra}):
            yield need


def parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    """Yield the requirements that can be read."""
    for text in texts:
        if requirement := requirements.parsed(text):  # else it is old metadata; the package is there all the same
            yield requirement
