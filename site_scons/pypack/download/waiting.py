"""One process at a time: wait for another build that fetches the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pypack.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.steps.step import Settings

_DOCS = "docs/pins.md"

_LOCK_SECONDS = 3600.0


@contextmanager
def locked(lock: Path, label: str, settings: Settings) -> Iterator[None]:
    """Hold ``lock``; a message says when another build has it. The system frees it when its process ends."""
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        settings.say(f"  waiting for another build that fetches {label}")
        try:
            held.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise FetchError(
                f"another build has been fetching {label} for an hour", hint=f"end it, or remove {lock}", docs=_DOCS
            ) from None
    try:
        yield
    finally:
        held.release()
