"""Read a lock (PEP 751) and choose the wheels of a target from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pypack import fetch
from pypack.errors import FetchError, InputError, StepError
from pypack.packages import tags
from pypack.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def check_offline(wheels: Iterable[Wheel]) -> None:
    """Name all wheels at once that are not in the download cache."""
    missing = [wheel.pin.file for wheel in wheels if fetch.cached(wheel.pin) is None and "://" in wheel.pin.urls[0]]
    if missing:
        told = "".join(f"\n  {file}" for file in missing)
        raise FetchError(f"the build is offline, and these wheels are not in the download cache:{told}",
                         do="build once without --offline", see=_READ)  # fmt: skip


def choose_wheels(
    lock: Mapping[str, Any], target: Target, minor: str, *, static: bool, base: Path | None = None
) -> list[Wheel]:
    """Return the best wheel of each package in the lock; name every package that has none, with what exists.

    Plain paths in the lock count from ``base``.
    """
    accepted = tags.supported(target, minor, pure=static)
    chosen, faults = [], []
    for package in lock.get("packages", []):
        offers = {_file_name(row): row for row in _wheel_rows(package)}
        name = tags.best(offers, accepted)
        if name is None:
            faults.append(_refusal(package, list(offers), static=static))
        else:
            chosen.append(_wheel(package, name, offers[name], base or Path.cwd()))
    if faults:
        raise _no_wheel(faults, target, static=static)
    return chosen


def needs_native(lock: Mapping[str, Any], target: Target, minor: str) -> bool:
    """Say whether a package of the lock comes as native code only, so that a static Python cannot load it."""
    accepted = tags.supported(target, minor, pure=True)
    offers = ([_file_name(row) for row in _wheel_rows(package)] for package in lock.get("packages", []))
    return any(names and tags.best(names, accepted) is None for names in offers)


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
    if "archive" in package and _file_name(package["archive"]).endswith(".whl"):
        rows.append(package["archive"])
    return rows


def _file_name(row: Mapping[str, Any]) -> str:
    if row.get("name"):
        return str(row["name"])
    place = str(row.get("url") or row.get("path") or "")
    return unquote(urlsplit(place).path if "://" in place else place).replace("\\", "/").rsplit("/", 1)[-1]


def _refusal(package: Mapping[str, Any], names: list[str], *, static: bool) -> str:
    label = f"{package.get('name', '?')} {package.get('version', '')}".strip()
    if not names:
        return f"{label}: there is no wheel of it"
    return (
        f"{label}: {'native wheels only' if static else 'wheels exist for'} ({', '.join(tags.platform_words(names))})"
    )


def _wheel(package: Mapping[str, Any], name: str, row: Mapping[str, Any], base: Path) -> Wheel:
    pin = Pin(
        file=name,
        urls=(str(row.get("url") or base / row["path"]),),
        sha256=str(row.get("hashes", {}).get("sha256", "")),
        size=int(row.get("size", 0)),
        version=str(package.get("version", "")),
    )
    if not pin.sha256:
        raise StepError(f"the lock has no sha256 for {name}", do="make the lock again with hashes", see=_READ)
    return Wheel(distribution=str(package["name"]), version=pin.version, pin=pin)
