"""The runtime of one target: the one that a lock names, else one that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.runtimes import choose, locked_runtime
from pypack.runtimes.base import Request

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.deps.lock_metadata import LockedRuntime
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime
    from pypack.steps.step import Settings


def find_runtime(
    project: Project,
    target: Target,
    pin: LockedRuntime | None,
    *,
    lock: str,
    record: Path,
    settings: Settings,
    native: bool = False,
) -> Runtime:
    """Return the runtime that ``pin`` names, else choose one.

    ``lock`` is how errors call the lock that ``pin`` stands in; the JSON file ``record`` keeps a choice. ``native``:
    the runtime must load native extension modules. Raises :class:`pypack.errors.InputError` where the pinned runtime
    is not available, or no provider has one.
    """
    request = Request(target=target, version=project.python, native=native)
    pins = list(project.pins)
    if pin:
        return locked_runtime.runtime(
            request, project.runtime, pin, where=lock, settings=settings, record=record, user_pins=pins,
            base=project.folder,
        )  # fmt: skip
    return choose.choose(
        request, project.runtime, settings=settings, record=record, user_pins=pins, base=project.folder
    )
