"""Let uv resolve so that wheels are preferred: source is taken only of what has no wheel, or where a user says so."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack import fetch
from pypack.errors import StepError
from pypack.packages.building import native, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pypack.fetching.web import Login
    from pypack.pipeline import Settings

_PACKAGE = "[[packages]]\n"


def prefer_wheels(compiled: Callable[[list[str]], str], *, forced: Iterable[str] = (), build: bool = True) -> str:
    """Return the lock that takes as few packages from source as can be.

    ``compiled`` runs uv with further words and returns the lock, or raises :class:`StepError`. ``forced`` are names
    that are taken from source whatever there is; without ``build`` nothing else is. An older version with a wheel
    wins over a newer one without: source is allowed only for the packages without which nothing can be resolved.
    """
    forced = list(forced)
    try:
        return compiled(_words(forced))
    except StepError:
        if not build:
            raise
    loose = compiled(_words(forced, wheels=False))
    allowed = [name for name in _without_wheel(loose) if name not in forced]
    try:
        found = compiled(_words([*forced, *allowed]))
    except StepError:
        return loose
    for name in allowed if len(allowed) > 1 else ():
        fewer = [each for each in allowed if each != name]
        try:
            found = compiled(_words([*forced, *fewer]))
        except StepError:
            continue
        allowed = fewer
    return found


def describe(lock: str, base: Path, settings: Settings, login: Login | None = None) -> str:
    """Return a lock that says of each sdist in it whether it looks native (``[packages.tool.pypack]``, PEP 751).

    The sdists are fetched for that: which Python a musl target takes depends on it, before anything is built. Plain
    paths count from ``base``; ``login`` is what they are fetched with.
    """
    head, *blocks = lock.split(_PACKAGE)
    told, packages = [head], tomllib.loads(lock).get("packages", [])
    if len(blocks) != len(packages):  # one that others wrote, in another way: what is not known counts as native
        return lock
    for block, package in zip(blocks, packages, strict=True):
        told.append(block)
        row = package.get("sdist") or package.get("archive")
        if package.get("wheels") or row is None or source.file_name(row).endswith(".whl"):
            continue
        file = fetch.fetch(replace(source.pin_of(package, row, base), login=login), settings=settings)
        looks = native.of_archive(file, str(row.get("subdirectory", "")))
        told[-1] = f"{block.rstrip()}\n[packages.tool.pypack]\nnative = {str(looks).lower()}\n\n"
    return _PACKAGE.join(told).rstrip() + "\n"


def _words(names: Iterable[str], *, wheels: bool = True) -> list[str]:
    chosen = [word for name in names for word in ("--no-binary", name)]
    return [*(("--only-binary", ":all:") if wheels else ()), *chosen]


def _without_wheel(lock: str) -> list[str]:
    packages: list[Mapping[str, Any]] = tomllib.loads(lock).get("packages", [])
    return [canonicalize_name(each["name"]) for each in packages if not each.get("wheels")]
