"""What environment markers (PEP 508) find on a target, and which packages of a lock they let in there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pypack.targets import Target


def of(target: Target, python: str) -> dict[str, str]:
    """Return the environment of CPython ``python`` (``3.13.5``) on ``target``; what no build can know is empty."""
    return {
        **target.markers,
        "platform_machine": target.machine,
        "platform_release": "",
        "platform_version": "",
        "python_version": ".".join(python.split(".")[:2]),
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
    return Marker(marker).evaluate({**of(target, python), **chosen}, context="lock_file")


def narrowed(
    table: Mapping[str, Any], target: Target, python: str, *, extras: Iterable[str] = (), groups: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a lock with those of its packages alone that the target takes."""
    chosen, groups = tuple(extras), (*groups, *table.get("default-groups", []))
    rows = [
        row
        for row in table.get("packages", [])
        if not row.get("marker") or applies(row["marker"], target, python, extras=chosen, groups=groups)
    ]
    return {**table, "packages": rows}
