"""Which wheels a target can load, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging import tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pypack.base.targets import Target

_UV_GLIBC = (17, 28, *range(31, 41))
"""Which glibc 2.x uv has a platform of (values of its ``--python-platform``)."""
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


def platforms(target: Target) -> list[str]:
    """Return the platform tags of a target, newest first, nothing above its floor."""
    arch, floor = target.wheel_arch, target.floor_version
    match target.wheels:
        case "manylinux":
            return _manylinux(arch, floor[1])
        case "musllinux":
            return [f"musllinux_1_{minor}_{arch}" for minor in range(floor[1], -1, -1)]
        case "macosx":
            return list(tags.mac_platforms((floor[0], floor[1]), arch))
        case _:
            return [f"{target.wheels}_{arch}"]


def _manylinux(arch: str, newest: int) -> list[str]:
    names = []
    for minor in range(newest, 4, -1):
        names.append(f"manylinux_2_{minor}_{arch}")
        if (2, minor) in _LEGACY_MANYLINUX:
            names.append(f"{_LEGACY_MANYLINUX[2, minor]}_{arch}")
    return [*names, f"linux_{arch}"]


def uv_platform(target: Target) -> str:
    """Return what uv calls the target with its floor (``--python-platform``), or the next lower floor that uv knows."""
    if target.wheels == "manylinux":
        minor = max(candidate for candidate in _UV_GLIBC if (2, candidate) <= target.floor_version)
        return f"{target.wheel_arch}-manylinux_2_{minor}"
    return target.uv


def uv_environment(target: Target) -> dict[str, str]:
    """Return the variables that tell uv the floor where its platform's name does not (uv's "Environment variables")."""
    return {"MACOSX_DEPLOYMENT_TARGET": target.floor} if target.wheels == "macosx" else {}


def supported(target: Target, minor: str, *, pure: bool) -> dict[tags.Tag, int]:
    """Return every tag that a Python ``minor`` on ``target`` accepts, with its rank (0 is best).

    ``pure``: the runtime loads no native code, so only wheels for any platform will do.
    """
    version = tuple(int(part) for part in minor.split("."))
    interpreter = f"cp{minor.replace('.', '')}"
    accepted: list[tags.Tag] = []
    if not pure:
        accepted += tags.cpython_tags(version, [interpreter], platforms(target))
    accepted += tags.compatible_tags(version, interpreter, [] if pure else platforms(target))
    return {tag: rank for rank, tag in reversed(list(enumerate(accepted)))}


def best(names: Iterable[str], accepted: Mapping[tags.Tag, int]) -> str | None:
    """Return the wheel file name that fits best, or None where none fits."""
    ranked = [(rank, name) for name in names if (rank := _rank(name, accepted)) is not None]
    return min(ranked)[1] if ranked else None


def platform_words(names: Sequence[str]) -> list[str]:
    """Return the platform parts of wheel file names, for messages about the wheels that exist."""
    return sorted({name.removesuffix(".whl").rsplit("-", 1)[-1] for name in names})


def python_words(names: Sequence[str]) -> list[str]:
    """Return the Python and ABI parts of wheel file names, for messages about the wheels that exist."""
    return sorted({"-".join(name.removesuffix(".whl").rsplit("-", 3)[-3:-1]) for name in names})


def platform_fits(name: str, target: Target) -> bool:
    """Say whether a wheel is for the target's platform (or any), whatever Python it is for."""
    return bool({"any", *platforms(target)} & set(name.removesuffix(".whl").rsplit("-", 1)[-1].split(".")))


def _rank(name: str, accepted: Mapping[tags.Tag, int]) -> tuple[int, int] | None:
    try:
        _, _, build, offered = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    ranks = [accepted[tag] for tag in offered if tag in accepted]
    return (min(ranks), -(build[0] if build else 0)) if ranks else None
