"""The runtime of one target: the one that a lock names, else one that is chosen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pypack.base import records
from pypack.base.notes import Note
from pypack.errors import InputError
from pypack.runtimes import choose, locked_runtime
from pypack.runtimes.base import Request

if TYPE_CHECKING:
    from collections.abc import Callable
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
    choice = project.choice
    request = Request(
        target=target, version=project.python, python_range="" if project.python else choice.python_range,
        native=native, prefer_host=choice.prefer_host,
    )  # fmt: skip
    pins = list(project.pins)
    if pin:
        return locked_runtime.runtime(
            request, project.runtime, pin, where=lock, settings=settings, record=record, user_pins=pins,
            base=project.folder,
        )  # fmt: skip

    def choose_for(request: Request, decided_by: str = "") -> Runtime:
        return choose.choose(
            request, project.runtime, settings=settings, record=record, user_pins=pins, base=project.folder,
            decided_by=decided_by,
        )  # fmt: skip

    sources = " and ".join(choice.sources)
    if project.python or not choice.version:
        return choose_for(request, "" if project.python else sources)
    pinned = replace(request, version=choice.version)
    return _choose_or_replace(pinned, request, partial(choose_for, decided_by=sources), choose_for, record, settings)


def _choose_or_replace(
    pinned: Request,
    request: Request,
    choose_pinned: Callable[[Request], Runtime],
    choose_other: Callable[[Request], Runtime],
    record: Path,
    settings: Settings,
) -> Runtime:
    """Return the runtime of the version in ``.python-version``; where it cannot be had, another that fits, and say so.

    That it cannot be had is recorded with the choice, since to ask again takes seconds.
    """
    key = f"{pinned.target.name} without {pinned.version}"
    if key not in records.read(record):
        try:
            return choose_pinned(pinned)
        except InputError as error:
            try:
                choose_other(request)
            except InputError:
                raise error from None
            records.write(record, {**records.read(record), key: "cannot be had"})
    runtime = choose_other(request)
    text = (
        f".python-version asks for Python {pinned.version}, which cannot be had for {pinned.target.name}:"
        f" CPython {runtime.version} is taken (--python {pinned.version} says why, --upgrade asks again)"
    )
    settings.say(Note("python-version", text))
    return runtime
