"""Resolve with a preference for wheels: an sdist is taken only without a wheel, or where the user says so."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from pypack.deps.build import commits, native, source
from pypack.download import fetch
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pypack.download.web import Login
    from pypack.steps.step import Settings

_PACKAGE = "[[packages]]\n"


def prefer_wheels(resolve: Callable[[list[str]], str], *, forced: Iterable[str] = (), build: bool = True) -> str:
    """Return the lock that takes as few packages from source as possible.

    ``resolve`` runs uv with further arguments and returns the lock, or raises :class:`StepError`. ``forced`` are names
    that are taken from source whatever there is; without ``build`` nothing else is. An older version with a wheel
    wins over a newer one without: source is allowed only for the packages without which nothing can be resolved.
    """
    forced = list(forced)
    try:
        return resolve(_uv_arguments(forced))
    except StepError:
        if not build:
            raise
    loose = resolve(_uv_arguments(forced, wheels=False))
    allowed = [name for name in without_wheel(loose) if name not in forced]
    try:
        narrowest = resolve(_uv_arguments([*forced, *allowed]))
    except StepError:
        return loose
    for name in allowed if len(allowed) > 1 else ():
        fewer = [candidate for candidate in allowed if candidate != name]
        try:
            narrowest = resolve(_uv_arguments([*forced, *fewer]))
        except StepError:
            continue
        allowed = fewer
    return narrowest


def passed_over(lock: str, resolve: Callable[[list[str]], str], forced: Iterable[str]) -> list[str]:
    """Return a line for each package of which a newer release has no wheel; none where ``resolve`` cannot tell.

    ``resolve`` and ``forced`` are as for :func:`prefer_wheels`, which has made ``lock``.
    """
    try:
        newest = _versions(resolve(_uv_arguments(forced, wheels=False)))
    except StepError:
        return []
    taken = _versions(lock)
    return [
        f"{name} {version} is taken: {newest[name]} has no wheel for this target (--no-binary {name} builds it from"
        " source; a higher --floor may have one)"
        for name, version in taken.items()
        if name in newest and Version(newest[name]) > Version(version)
    ]


def _versions(lock: str) -> dict[str, str]:
    packages: list[Mapping[str, Any]] = tomllib.loads(lock).get("packages", [])
    return {canonicalize_name(row["name"]): str(row["version"]) for row in packages if row.get("version")}


def describe(
    lock: str, base: Path, settings: Settings, login: Login | None = None, addresses: Mapping[str, str] | None = None
) -> str:
    """Return a lock that says of each sdist in it whether it looks native (``[packages.tool.pypack]``, PEP 751).

    The sdists are fetched for that: which Python a musl target takes depends on it, before anything is built. Plain
    paths count from ``base``; ``login`` is what they are fetched with. A commit of a git repository becomes an archive
    with a hash; ``addresses`` leads from the address of such a repository to the one with a login in it.
    """
    head, *blocks = lock.split(_PACKAGE)
    parts, packages = [head], tomllib.loads(lock).get("packages", [])
    if len(blocks) != len(packages):  # one that others wrote, in another way: what is not known counts as native
        return lock
    for block, package in zip(blocks, packages, strict=True):
        parts.append(block)
        if "vcs" in package:
            parts[-1] = f"{block.rstrip()}\n{commits.describe(package, settings, login, addresses)}\n"
            continue
        row = package.get("sdist") or package.get("archive")
        if package.get("wheels") or row is None or source.file_name(row).endswith(".whl"):
            continue
        file = fetch.fetch(replace(source.pin_of(package, row, base), login=login), settings=settings)
        is_native = native.of_archive(file, str(row.get("subdirectory", "")))
        parts[-1] = f"{block.rstrip()}\n[packages.tool.pypack]\nnative = {str(is_native).lower()}\n\n"
    return _PACKAGE.join(parts).rstrip() + "\n"


def _uv_arguments(names: Iterable[str], *, wheels: bool = True) -> list[str]:
    chosen = [argument for name in names for argument in ("--no-binary", name)]
    return [*(("--only-binary", ":all:") if wheels else ()), *chosen]


def from_index(lock: str) -> list[str]:
    """Return the names of those that are built from an sdist; of a folder or a commit no floor has a wheel."""
    packages: list[Mapping[str, Any]] = tomllib.loads(lock).get("packages", [])
    return [canonicalize_name(row["name"]) for row in packages if row.get("sdist") and not row.get("wheels")]


def without_wheel(lock: str) -> list[str]:
    """Return the names of the packages of a lock that are built from source."""
    packages: list[Mapping[str, Any]] = tomllib.loads(lock).get("packages", [])
    return [canonicalize_name(package["name"]) for package in packages if not package.get("wheels")]
