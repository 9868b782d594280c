"""Show the progress of a download: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from pypack.steps.step import Settings


class Report(Protocol):
    """Called with the bytes that are here and the bytes in all (0 where that is not known)."""

    def __call__(self, done: int, total: int) -> None:
        """Show the progress."""


@contextmanager
def meter(name: str, origin: str, *, settings: Settings, folder: Path) -> Iterator[Report]:
    """Give the function that a download of ``name`` from ``origin`` reports to.

    Only one bar can stand on a terminal: a lock in ``folder`` says whose turn it is, the others print their line.
    """
    from filelock import FileLock, Timeout
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Line(name, origin, settings)
        return
    turn = FileLock(folder / "progress.lock")
    try:
        turn.acquire(timeout=0)
    except Timeout:
        yield _Line(name, origin, settings)
        return
    try:
        with _bar(console, name) as report:
            yield report
    finally:
        turn.release()


class _Line:
    """Prints one line with the name of the download when its first bytes arrive."""

    def __init__(self, name: str, origin: str, settings: Settings) -> None:
        self._name, self._origin, self._settings, self._said = name, origin, settings, False

    def __call__(self, done: int, total: int) -> None:
        if self._said:
            return
        self._said = True
        size = f" ({megabytes(total)})" if total else ""
        resumed = f", {megabytes(done)} of it is here" if done else ""
        self._settings.say(f"  fetching {self._name}{size} from {self._origin}{resumed}")


@contextmanager
def _bar(console: Console, name: str) -> Iterator[Report]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(name, total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total or None)

        yield report


def megabytes(count: int) -> str:
    """Return a number of bytes for people: ``12.3 MB``, ``45 kB``."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{(count + 999) // 1000} kB"
