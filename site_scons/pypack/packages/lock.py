"""Read a lock (PEP 751) and choose the wheels of a target from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack import fetch
from pypack.errors import FetchError, InputError, StepError
from pypack.packages import tags
from pypack.packages.building import source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pypack.fetching.web import Login
    from pypack.packages.building.source import Source
    from pypack.pins import Pin
    from pypack.targets import Target

_READ = "docs/dependencies.md"
STAMP = "# made from: "
"""Begins the line in which a lock below build/ says what it was made from."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel that a lock names, chosen for a target."""

    distribution: str
    version: str
    pin: Pin


def read(path: Path, *, stamp: str = "") -> dict[str, Any]:
    """Return a lock as a table, refusing a version that is not known, and one that was not made from ``stamp``."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a lock: {error}", do="make it again", see=_READ) from error
    if str(table.get("lock-version", "")).split(".")[0] != "1":
        raise InputError(f"{path} has lock-version {table.get('lock-version')!r}; only 1.x is known", see=_READ)
    if stamp and not text.startswith(f"{STAMP}{stamp}\n"):
        raise InputError(f"{path} is outdated", do="build again", see=_READ)
    return table


def is_current(path: Path, stamp: str) -> bool:
    """Say whether a lock is there and was made from ``stamp``."""
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline().rstrip("\n") == f"{STAMP}{stamp}"
    except (OSError, UnicodeDecodeError):
        return False


def check_offline(files: Iterable[Wheel | Source]) -> None:
    """Name all files of packages at once that are not in the download cache."""
    pins = [each.pin for each in files if each.pin]
    missing = [pin.file for pin in pins if fetch.cached(pin) is None and "://" in pin.urls[0]]
    if missing:
        told = "".join(f"\n  {file}" for file in missing)
        raise FetchError(f"the build is offline, and these packages are not in the download cache:{told}",
                         do="build once without --offline", see=_READ)  # fmt: skip


def choose(
    lock: Mapping[str, Any],
    target: Target,
    minor: str,
    *,
    static: bool,
    base: Path | None = None,
    memory: Path | None = None,
    build: bool = True,
    login: Login | None = None,
) -> tuple[list[Wheel], list[Source]]:
    """Return the best wheel of each package in the lock, and what has to be built for want of one.

    Every package that has neither is named, with what exists. Plain paths in the lock count from ``base``, ``memory``
    is as for :func:`pypack.packages.building.source.of_package`; without ``build`` there must be wheels.
    ``login`` is what the files are fetched with.
    """
    accepted = tags.supported(target, minor, pure=static)
    base = base or Path.cwd()
    chosen: list[Wheel] = []
    sources: list[Source] = []
    faults = []
    for package in lock.get("packages", []):
        offers = {source.file_name(row): row for row in _wheel_rows(package)}
        name = tags.best(offers, accepted)
        if name is not None:
            pin = replace(source.pin_of(package, offers[name], base), login=login)
            chosen.append(Wheel(distribution=str(package["name"]), version=pin.version, pin=pin))
            continue
        found = source.of_package(package, base, memory)
        if build and found and not (static and found.native):
            sources.append(replace(found, pin=replace(found.pin, login=login)) if found.pin else found)
        else:
            faults.append(_refusal(package, target, static=static, source=bool(found), build=build))
    if faults:
        raise _no_wheel(faults, target, static=static)
    return chosen, sources


def choose_wheels(
    lock: Mapping[str, Any], target: Target, minor: str, *, static: bool, base: Path | None = None
) -> list[Wheel]:
    """Return the best wheel of each package in the lock, where nothing may be built."""
    return choose(lock, target, minor, static=static, base=base, build=False)[0]


def needs_native(
    lock: Mapping[str, Any], target: Target, minor: str, *, base: Path | None = None, memory: Path | None = None
) -> bool:
    """Say whether a package of the lock is native code only, so that a static Python cannot load it.

    ``base`` and ``memory`` are as for :func:`choose`.
    """
    accepted = tags.supported(target, minor, pure=True)
    for package in lock.get("packages", []):
        names = _names(package)
        if tags.best(names, accepted) is not None:
            continue
        found = source.of_package(package, base or Path.cwd(), memory)
        if names or (found and found.native):
            return True
    return False


def lacking(lock: Mapping[str, Any], target: Target, minor: str) -> list[Mapping[str, Any]]:
    """Return the packages of a lock that have neither a wheel for a target, be it pure or native, nor a source."""
    accepted = tags.supported(target, minor, pure=False)
    return [
        package
        for package in lock.get("packages", [])
        if tags.best(_names(package), accepted) is None and not source.is_in(package)
    ]


def refusal(package: Mapping[str, Any], target: Target) -> str:
    """Say of a package in a lock that no wheel of it fits a target, and which there are."""
    return _refusal(package, target, static=False)


def _names(package: Mapping[str, Any]) -> list[str]:
    """Return the file names of a package's wheels."""
    return [source.file_name(row) for row in _wheel_rows(package)]


def _no_wheel(faults: list[str], target: Target, *, static: bool) -> StepError:
    told = "\n".join(f"  {fault}" for fault in faults)
    if not static:
        return StepError(f"no wheel fits {target.name}:\n{told}", do="ask for another version or target", see=_READ)
    gnu = target.name.replace("-musl-", "-gnu-")
    return StepError(
        f"the static Python of {target.name} loads no native code, and these packages have no pure wheel:\n{told}",
        do=f"build for {gnu}, or do without them",
        see=_READ,
    )


def _wheel_rows(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = list(package.get("wheels", []))
    if "archive" in package and source.file_name(package["archive"]).endswith(".whl"):
        rows.append(package["archive"])
    return rows


def _refusal(
    package: Mapping[str, Any], target: Target, *, static: bool, source: bool = False, build: bool = True
) -> str:
    names = _names(package)
    label = f"{package.get('name', '?')} {package.get('version', '')}".strip()
    if source and not build:
        return f"{label}: there is no wheel of it, and nothing may be built here"
    if not names:
        return f"{label}: there is {'native source only' if source else 'no wheel of it'}"
    fitting = [name for name in names if tags.platform_fits(name, target)]
    if fitting and not static:
        versions = ", ".join(tags.python_words(fitting))
        return f"{label}: wheels for {target.name} exist for another Python only ({versions})"
    return (
        f"{label}: {'native wheels only' if static else 'wheels exist for'} ({', '.join(tags.platform_words(names))})"
    )
