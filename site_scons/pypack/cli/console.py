"""What ``pypack build`` shows: one line for each phase of the build, and its progress on a terminal.

This is the only module that writes to the terminal while a build runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pypack.base import records
from pypack.steps.display import Display, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress, TaskID

    from pypack.steps.display import Transferred
    from pypack.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A kind of work as people see it: ``doing`` while it runs, ``past`` when it is over.

    ``units`` are what its steps make, one each, as one and as several; none: their number says nothing.
    ``actions`` are those of its steps.
    """

    past: str
    doing: str
    actions: frozenset[str]
    units: tuple[str, str] | None = None

    def describe(self, count: int) -> str:
        """Return what is done: ``Fetched 3 files``."""
        return f"{self.past} {count} {self.units[count != 1]}" if self.units else self.past


PHASES = (
    Phase(past="Fetched", doing="Fetching", units=("file", "files"), actions=frozenset({"fetch"})),
    Phase(
        past="Built", doing="Building", units=("part from source", "parts from source"),
        actions=frozenset({
            "build", "cpython", "dev", "gather", "headers", "library", "link", "loader", "objects", "patch", "wheel",
        }),
    ),
    Phase(
        past="Prepared runtime and launcher", doing="Preparing",
        actions=frozenset({
            "compiler", "embed", "embed-dev", "embed-unpack", "extract", "facts", "host", "join", "resources",
            "runtime", "stub", "unpack", "version",
        }),
    ),
    Phase(past="Compiled bytecode", doing="Compiling", actions=frozenset({"compile"})),
    Phase(
        past="Packed", doing="Packing", units=("package or layer", "packages and layers"),
        actions=frozenset({"app", "contents", "installed", "layer", "pack"}),
    ),
    Phase(past="Wrote", doing="Writing", actions=frozenset({"bundle", "check", "report"})),
)  # fmt: skip
"""In the order of a build. Every action of a step is in one of them."""


_NOTES = ("  note: ", "  packages are named by ", "  runtime for ", "  the program is ", "  warning: ")
"""How lines begin that are shown once."""


@dataclass
class _Work:
    """The state of one phase."""

    phase: Phase
    left: int = 0
    done: int = 0
    bytes: int = 0
    began: float = 0.0
    running: list[str] = field(default_factory=list)


class Console(Display):
    """Shows a build in about ten lines, and its progress on a terminal.

    ``quiet``: errors only. ``aside``: the build is not what was asked for: lines go to standard error, and there are
    none where nothing is done.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, aside: bool = False) -> None:
        super().__init__(self._say, verbose=verbose)
        self._quiet, self._aside = quiet, aside
        self._out, self._error = sys.stderr if aside else sys.stdout, sys.stderr
        self._began = time.monotonic()
        self._guard = threading.RLock()
        self._work = {phase.past: _Work(phase=phase) for phase in PHASES}
        self._phase_of = {action: phase.past for phase in PHASES for action in phase.actions}
        self._results: dict[int, tuple[str, Sequence[str]]] = {}  # by thread: the step that wrote it will say where
        self._locks: Counter[bool] = Counter()
        self._notes: Path | None = None
        self._project = ""
        self._known, self._shown = set[str](), set[str]()
        self._live = None if quiet or verbose or not _is_terminal(self._error) else _Live(self._error)

    def _say(self, text: str) -> None:
        if not self._quiet and not self._is_known(text):
            self._print(text)

    def remember(self, file: Path, project: str) -> None:
        """Show notes and warnings that ``file`` has for ``project`` no more, until they change; ``-v`` shows all."""
        self._notes, self._project = file, project
        self._known = set(records.read(file).get("shown", ()))

    def _is_known(self, text: str) -> bool:
        """Say whether ``text`` is a note that an earlier build has shown. From now on it is one."""
        if self.verbose or self._notes is None or not text.startswith(_NOTES):
            return False
        mark = hashlib.sha256(f"{self._project}\n{text}".encode()).hexdigest()[:16]
        with self._guard:
            self._shown.add(mark)
            return mark in self._known

    def _print(self, text: str, *, error: bool = False) -> None:
        with self._guard:
            stream = self._error if error else self._out
            if self._live and stream.isatty():
                self._live.print(text)
            else:
                stream.write(f"{text}\n")
                stream.flush()

    def error(self, text: str) -> None:
        """Show what ended the build."""
        red = self._error.isatty() and not os.environ.get("NO_COLOR")
        self._print(f"\x1b[31m{text}\x1b[0m" if red and not self._live else text, error=True)

    def plan(self, steps: Sequence[Step]) -> None:
        """Take note of what will be made; what was resolved for it is known by now."""
        if self._locks[False]:
            self._say(f"Resolved packages in {self._seconds(self._began)}")
        for step in steps:
            self._work[self._phase_of[step.action]].left += 1

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Count the locks, and show that one is being made."""
        with self._guard:
            self._locks[cached] += 1
        if not cached and self._live:
            self._live.show("resolve", f"Resolving {lock.stem}", done=0, total=0)

    def start(self, step: Step, path: str | Path) -> None:
        """Show what is being made."""
        if self.verbose:
            super().start(step, path)
        with self._guard:
            work = self._work[self._phase_of[step.action]]
            work.began = work.began or time.monotonic()
            work.running.append(_label(step))
            self._show(work)

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Show the phase's line when its last step is done."""
        with self._guard:
            work = self._work[self._phase_of[step.action]]
            result = self._results.pop(threading.get_ident(), None)
            if not cached:
                work.running.remove(_label(step))
                work.done += 1
                work.left -= 1
            if result or (cached and step.action == "bundle"):
                self._wrote(path, result)
            elif not cached and work.left == 0 and work.phase.past != "Wrote":
                size = f", {megabytes(work.bytes)}," if work.bytes else ""
                seconds = self._seconds(work.began)
                self._say(f"{work.phase.describe(work.done)}{size} in {seconds}")
            self._show(work)

    def _wrote(self, path: str | Path, result: tuple[str, Sequence[str]] | None) -> None:
        details = list(result[1]) if result else [megabytes(Path(path).stat().st_size)]
        self._say("\n  ".join([f"Wrote {os.path.relpath(path)}: {details[0]}", *details[1:]]))

    def _show(self, work: _Work) -> None:
        if not self._live:
            return
        if work.running:
            label = f"{work.phase.doing} {work.running[-1]}"
            self._live.show(work.phase.past, label, done=work.done, total=work.done + max(work.left, 1))
        else:
            self._live.hide(work.phase.past)

    def result(self, name: str, target: str, details: Sequence[str]) -> None:
        """Keep what a bundle is until the step is finished, and its path known."""
        self._results[threading.get_ident()] = (f"{name} for {target}", details)

    @contextmanager
    def transfer(self, name: str, origin: str) -> Iterator[Transferred]:
        """Show a bar on a terminal, and count the bytes."""
        del origin
        key, had = f"transfer {name}", [0]

        def report(done: int, total: int) -> None:
            with self._guard:
                self._work["Fetched"].bytes += max(0, done - had[0])
                had[0] = done
                if self._live:
                    self._live.show(key, name, done=done, total=total, as_bytes=True)

        try:
            yield report
        finally:
            if self._live:
                self._live.hide(key)

    def beat(self, text: str) -> None:
        """Show that long work goes on, where nothing moves on a screen."""
        if not self._live:
            self._say(text)

    def up_to_date(self, path: str | Path) -> None:
        """Show that a result is as the last build left it."""
        if not self._aside:
            self._say(f"{os.path.relpath(path)} is up to date")

    def end(self, code: int = 0) -> None:
        """Stop the progress and show the last line."""
        if self._live:
            self._live.stop()
        if self._notes and self._shown - self._known:
            with contextlib.suppress(OSError):  # then they are shown again
                records.write(self._notes, {"shown": sorted(self._known | self._shown)})
        if not code and not self._aside:
            self._say(f"Done in {self._seconds(self._began)}")

    @staticmethod
    def _seconds(began: float) -> str:
        seconds = time.monotonic() - began
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


class _Live:
    """Bars and spinners at the bottom of a terminal; rich is imported when there is something to show."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def _start(self) -> Progress:
        if self._progress is None:
            from rich.console import Console as RichConsole
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            columns = (
                SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24),
                TextColumn("{task.fields[amount]}", markup=False),
            )  # fmt: skip
            console = RichConsole(file=self._stream)
            self._progress = Progress(*columns, console=console, transient=True, redirect_stdout=False)
            self._progress.start()
        return self._progress

    def show(self, key: str, label: str, *, done: int, total: int, as_bytes: bool = False) -> None:
        """Show a row, or change it; ``total`` 0: not known."""
        progress = self._start()
        amount = f"{done}/{total}" if total else ""
        if as_bytes:
            amount = f"{megabytes(done)} of {megabytes(total)}" if total else megabytes(done)
        values: dict[str, Any] = {
            "description": label[:50],
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


def _is_terminal(stream: TextIO) -> bool:
    """Say whether bars can move there. In CI they would be a line each."""
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _label(step: Step) -> str:
    """Return a short name for what a step makes: the wheel, the source, the layer."""
    return Path(step.product).name
