"""Ends a build early: programs that steps have started are ended, and steps that work by themselves ask."""

from __future__ import annotations

import contextlib
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

_stopped = threading.Event()
_guard = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_folders: set[Path] = set()


class InterruptedBuildError(StepError):
    """Somebody has stopped the build."""

    def __init__(self) -> None:
        super().__init__(
            "the build was stopped", hint="build again: what is finished is kept", docs="docs/build-output.md"
        )


def check() -> None:
    """Raise :class:`InterruptedBuildError` if the build was stopped; long work calls this from time to time."""
    if _stopped.is_set():
        raise InterruptedBuildError


def stop() -> None:
    """End all programs that steps have started, and let :func:`check` raise from now on."""
    with _guard:
        _stopped.set()
        for process in _running:
            with contextlib.suppress(OSError):
                process.terminate()


@contextmanager
def removed_with_the_build(folder: Path) -> Iterator[None]:
    """Have :func:`remove_leftovers` remove ``folder`` while the block runs."""
    with _guard:
        _folders.add(folder)
    try:
        yield
    finally:
        with _guard:
            _folders.discard(folder)


def remove_leftovers() -> None:
    """Remove what steps that still run have half-made: this process ends without waiting for them."""
    with _guard:
        for folder in _folders:
            shutil.rmtree(folder, ignore_errors=True)


def reset() -> None:
    """Begin a new build."""
    _stopped.clear()


@contextmanager
def ended_with_the_build(process: subprocess.Popen[str]) -> Iterator[None]:
    """Have :func:`stop` end ``process``."""
    with _guard:
        _running.add(process)
        if _stopped.is_set():
            process.terminate()
    try:
        yield
    finally:
        with _guard:
            _running.discard(process)
    check()
