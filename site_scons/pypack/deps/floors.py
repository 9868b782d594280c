"""Find the lowest floor (oldest system that a bundle runs on) for which there are wheels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pypack.base import targets
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypack.base.targets import Target

_HIGHER = {"manylinux": ("2.28", "2.34", "2.39"), "macosx": ("12.0", "13.0", "14.0", "15.0")}
"""By family of wheels, the floors that are tried: those that wheels are commonly built for."""
_NO_WHEEL = ("no usable wheels", "no wheels with a matching platform")
"""Phrases of uv's for packages without a wheel for the platform."""


def lowest_working_floor(explanation: str, target: Target, resolve: Callable[[Target], object]) -> str:
    """Return the lowest floor with which the resolution succeeds, e.g. ``glibc = "2.28"``, or ``""`` where none does.

    ``explanation`` is uv's of the failure for ``target``; ``resolve`` tries again for the same target with
    another floor, and raises :class:`StepError` where that fails too. Each try asks the index again.
    """
    if not any(phrase in explanation for phrase in _NO_WHEEL):
        return ""
    return lowest_floor(target, resolve)


def lowest_floor(target: Target, resolve: Callable[[Target], object]) -> str:
    """Return the lowest floor above the target's with which ``resolve`` succeeds (``glibc = "2.28"``), or ``""``."""
    name = targets.floor_name(target)
    higher = [replace(target, floor=version) for version in _HIGHER.get(target.wheels, ())]
    for candidate in higher:
        if candidate.floor_version > target.floor_version and _succeeds(resolve, candidate):
            return f'{name} = "{candidate.floor}"'
    return ""


def option(floor: str) -> str:
    """Return a floor (``glibc = "2.28"``) as an option of the command line."""
    return f"--floor {floor.replace(' ', '').replace(chr(34), '')}"


def resolve_or_name_floor(target: Target, resolve: Callable[[Target], str], *, offline: bool, prefix: str = "") -> str:
    """Return what ``resolve`` returns for a target; where no wheel fits the floor, the error names one that has wheels.

    ``prefix`` begins the error.
    """
    try:
        return resolve(target)
    except StepError as error:
        floor = "" if offline else lowest_working_floor(error.what, target, resolve)
        hint = error.hint
        if floor:
            hint = (
                f"ask for a newer system, for which there are wheels: {option(floor)}, or [tool.pypack] floors ="
                f" {{ {floor} }}; or for another version, or target"
            )
        raise StepError(f"{prefix}{error.what}", hint=hint, docs=error.docs) from None


def _succeeds(resolve: Callable[[Target], object], target: Target) -> bool:
    try:
        resolve(target)
    except StepError:
        return False
    return True
