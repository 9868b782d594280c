"""Rows with bars and spinners at the bottom of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from pypack.cli import terminal
from pypack.steps.display import megabytes

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_BAR = 24  # columns
_REFRESHES = 6  # each second; more would be seen in the time of a build
_NARROW = 60  # columns of a terminal that has no space for bars
_LABEL = 50  # characters


class Live:
    """Rows that move; rich is imported when there is something to show."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def _start(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            console = Console(file=self._stream)
            bar = [] if console.width < _NARROW else [BarColumn(bar_width=_BAR)]
            spinner = SpinnerColumn("dots" if terminal.is_utf(self._stream) else "line")
            label = TextColumn("{task.description}", markup=False)
            amount = TextColumn("{task.fields[amount]}", markup=False)
            self._progress = Progress(
                spinner, label, *bar, amount, console=console, transient=True, redirect_stdout=False,
                redirect_stderr=False, refresh_per_second=_REFRESHES,
            )  # fmt: skip
            self._progress.start()
        return self._progress

    def show(self, key: str, label: str, *, done: int, total: int, as_bytes: bool = False) -> None:
        """Show a row, or change it; ``total`` 0: not known."""
        progress = self._start()
        amount = f"{done}/{total}" if total else ""
        if as_bytes:
            amount = f"{megabytes(done)} of {megabytes(total)}" if total else megabytes(done)
        values: dict[str, Any] = {
            "description": label[: min(_LABEL, max(10, progress.console.width - len(amount) - 4))],
            "completed": done,
            "total": total or None,
            "amount": amount,
        }
        if key in self._tasks:
            progress.update(self._tasks[key], **values)
        else:
            description = values.pop("description")
            self._tasks[key] = progress.add_task(description, **values)

    def hide(self, key: str) -> None:
        """Remove a row."""
        task = self._tasks.pop(key, None)
        if task is not None and self._progress:
            self._progress.remove_task(task)

    def print(self, text: str) -> None:
        """Print a line above the rows."""
        if self._progress:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def stop(self) -> None:
        """Remove all rows."""
        if self._progress:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()
