"""Evaluate environment markers (PEP 508) for a target, and select the packages of a lock by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.base.version import minor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pypack.base.targets import Target


def environment(target: Target, python: str) -> dict[str, str]:
    """Return the environment of CPython ``python`` (``3.13.5``) on ``target``; what no build can know is empty."""
    return {
        **target.markers,
        "platform_machine": target.machine,
        "platform_release": "",
        "platform_version": "",
        "python_version": minor_of(python),
        "python_full_version": python,
        "implementation_name": "cpython",
        "implementation_version": python,
        "platform_python_implementation": "CPython",
    }


def applies(
    marker: str, target: Target, python: str, *, extras: Iterable[str] = (), groups: Iterable[str] = ()
) -> bool:
    """Say whether a marker of a lock (PEP 751) holds on a target, with these extras and groups chosen."""
    from packaging.markers import Marker

    chosen: dict[str, Any] = {"extras": frozenset(extras), "dependency_groups": frozenset(groups)}
    return Marker(marker).evaluate({**environment(target, python), **chosen}, context="lock_file")


def narrowed(
    table: Mapping[str, Any], target: Target, python: str, *, extras: Iterable[str] = (), groups: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a lock with only those of its packages whose markers hold on the target."""
    chosen, groups = tuple(extras), (*groups, *table.get("default-groups", []))
    packages = [
        package
        for package in table.get("packages", [])
        if not package.get("marker") or applies(package["marker"], target, python, extras=chosen, groups=groups)
    ]
    return {**table, "packages": packages}
