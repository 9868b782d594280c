"""Where no wheel fits the oldest system that a bundle is to run on: the next one for which there are wheels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pypack import targets
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypack.targets import Target

_HIGHER = {"manylinux": ("2.28", "2.34", "2.39"), "macosx": ("12.0", "13.0", "14.0", "15.0")}
"""By family of wheels, what is tried: systems that wheels are commonly made for."""
_NO_WHEEL = ("no usable wheels", "no wheels with a matching platform")
"""What uv says of packages without a wheel for the platform."""


def that_helps(told: str, target: Target, resolve: Callable[[Target], object]) -> str:
    """Return the lowest setting that makes a resolution succeed, e.g. ``glibc = "2.28"``, or ``""`` where none does.

    ``told`` is uv's explanation of the failure for ``target``; ``resolve`` tries again for the same target with
    another floor, and raises :class:`StepError` where that fails too. Each try asks the index again.
    """
    if not any(words in told for words in _NO_WHEEL):
        return ""
    name = targets.floor_name(target)
    higher = [replace(target, floor=version) for version in _HIGHER.get(target.wheels, ())]
    for each in higher:
        if each.floor_version > target.floor_version and _succeeds(resolve, each):
            return f'{name} = "{each.floor}"'
    return ""


def _succeeds(resolve: Callable[[Target], object], target: Target) -> bool:
    try:
        resolve(target)
    except StepError:
        return False
    return True
