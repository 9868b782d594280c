"""Read a lock (PEP 751) and choose the wheels of a target from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.deps import tags
from pypack.deps.build import source
from pypack.errors import InputError, StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.base.targets import Target
    from pypack.deps.build.source import Source
    from pypack.download.pins import Pin
    from pypack.download.web import Login

_READ = "docs/dependencies.md"
_PACKAGE = "[[packages]]\n"
STAMP = "# made from: "
"""Start of the first line of a lock below .pypack/, before the hash of its inputs."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel that a lock names, chosen for a target."""

    distribution: str
    version: str
    pin: Pin


def read(path: Path) -> dict[str, Any]:
    """Return a lock as a table, refusing a version that is not known."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a lock: {error}", hint="make it again", docs=_READ) from error
    if str(table.get("lock-version", "")).split(".")[0] != "1":
        raise InputError(
            f"{path} has lock-version {table.get('lock-version')!r}; only 1.x is known",
            hint="make the lock with a tool that writes 1.0, or update pypack",
            docs=_READ,
        )
    return table


def check_form(table: Mapping[str, Any], path: Path) -> None:
    """Refuse a lock of others that is not as the specification (PEP 751) wants it, naming what is wrong."""
    from packaging.pylock import Pylock, PylockValidationError

    try:
        Pylock.from_dict(table)
    except PylockValidationError as error:
        raise InputError(f"{path} is not a lock: {error}", hint="make it again", docs=_READ) from error


def without_folder(text: str, folder: Path | None, base: Path) -> str:
    """Return a lock's text without the packages that come from ``folder`` itself, as ``-e .`` does.

    Paths in the lock count from ``base``. None leaves it unchanged.
    """
    packages = tomllib.loads(text).get("packages", []) if folder else []
    head, *blocks = text.split(_PACKAGE)
    if folder is None or len(blocks) != len(packages):
        return text
    kept = [
        block
        for block, row in zip(blocks, packages, strict=True)
        if "directory" not in row or (base / str(row["directory"].get("path", ""))).resolve() != folder.resolve()
    ]
    return _PACKAGE.join([head, *kept])


def is_current(path: Path, stamp: str) -> bool:
    """Say whether a lock is there and was made from ``stamp``."""
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline().rstrip("\n") == f"{STAMP}{stamp}"
    except (OSError, UnicodeDecodeError):
        return False


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
    """Return the best wheel of each package in the lock, and the sources to build where no wheel fits.

    Plain paths in the lock are relative to ``base``, ``memory`` is as for :func:`pypack.deps.build.source.of_package`;
    without ``build`` there must be wheels; the files are fetched with ``login``. Raises :class:`StepError` that names
    every package with neither, and the wheels that exist.
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
        candidate = source.of_package(package, base, memory)
        if build and candidate and not (static and candidate.native):
            sources.append(replace(candidate, pin=replace(candidate.pin, login=login)) if candidate.pin else candidate)
        else:
            faults.append(_describe_missing_wheel(package, target, static=static, source=bool(candidate), build=build))
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
        names = _wheel_names(package)
        if tags.best(names, accepted) is not None:
            continue
        candidate = source.of_package(package, base or Path.cwd(), memory)
        if names or (candidate and candidate.native):
            return True
    return False


def unavailable_packages(lock: Mapping[str, Any], target: Target, minor: str) -> list[Mapping[str, Any]]:
    """Return the packages of a lock that have neither a wheel for a target, pure or native, nor a source."""
    accepted = tags.supported(target, minor, pure=False)
    return [
        package
        for package in lock.get("packages", [])
        if tags.best(_wheel_names(package), accepted) is None and not source.is_in(package)
    ]


def unsupported_reason(package: Mapping[str, Any], target: Target) -> str:
    """Return a clause that says that no wheel of a package fits a target, and which wheels exist."""
    return _describe_missing_wheel(package, target, static=False)


def _wheel_names(package: Mapping[str, Any]) -> list[str]:
    """Return the file names of a package's wheels."""
    return [source.file_name(row) for row in _wheel_rows(package)]


def _no_wheel(faults: list[str], target: Target, *, static: bool) -> StepError:
    details = "\n".join(f"  {fault}" for fault in faults)
    if not static:
        return StepError(
            f"no wheel fits {target.name}:\n{details}", hint="ask for another version or target", docs=_READ
        )
    gnu = target.name.replace("-musl-", "-gnu-")
    return StepError(
        f"the static Python of {target.name} loads no native code, and these packages have no pure wheel:\n{details}",
        hint=f"build for {gnu}, or do without them",
        docs=_READ,
    )


def _wheel_rows(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    wheels = list(package.get("wheels", []))
    if "archive" in package and source.file_name(package["archive"]).endswith(".whl"):
        wheels.append(package["archive"])
    return wheels


def _describe_missing_wheel(
    package: Mapping[str, Any], target: Target, *, static: bool, source: bool = False, build: bool = True
) -> str:
    names = _wheel_names(package)
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
