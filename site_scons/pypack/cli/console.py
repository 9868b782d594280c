"""What ``pypack build`` shows: one line for each phase of the build, and its progress on a terminal.

This is the only module that writes to the terminal while a build runs.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.cli import terminal
from pypack.cli.live import Live
from pypack.cli.phases import PHASES, Phase
from pypack.steps.display import Display, megabytes, seconds_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pypack.steps.display import Transferred
    from pypack.steps.step import Step


_HEARTBEAT_SECONDS = 15.0


@dataclass
class _Work:
    """The state of one phase; ``bytes`` have been fetched in it, and ``running`` are the names of its products."""

    phase: Phase
    left: int = 0
    done: int = 0
    bytes: int = 0
    began: float = 0.0
    running: list[str] = field(default_factory=list)


@dataclass
class _Row:
    """The state of one target in a build of several."""

    done: int = 0
    total: int = 0
    running: list[str] = field(default_factory=list)


class Console(Display):
    """Shows a build in about ten lines, and its progress on a terminal.

    ``quiet``: errors only. ``aside``: the build is not what was asked for: lines go to standard error, and there are
    none where nothing is done.
    """

    def __init__(self, *, quiet: bool = False, verbose: int = 0, aside: bool = False) -> None:
        super().__init__(self._show_line, verbose=verbose)
        self._quiet, self._aside = quiet, aside
        self._out, self._error = sys.stderr if aside else sys.stdout, sys.stderr
        self._guard = threading.RLock()
        self._work = {phase.past: _Work(phase=phase) for phase in PHASES}
        self._phase_of = {action: phase.past for phase in PHASES for action in phase.actions}
        self._locks: Counter[bool] = Counter()
        self._rows: dict[str, _Row] = {}
        self._live = None if quiet or verbose or not terminal.moves(self._error) else Live(self._error)
        self._stopped = False
        self._heartbeat = _Heartbeat(self)

    # --- lines ---

    def _show_line(self, text: str) -> None:
        if not self._quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        with self._guard:
            if self._stopped:
                return
            self._heartbeat.postpone()
            if self._live and self._out.isatty():
                self._live.print(text)
            else:
                self._out.write(f"{text}\n")
                self._out.flush()

    def error(self, text: str) -> None:
        """Show what ended the build."""
        with self._guard:
            if not self._stopped:
                self._stop_live()
                terminal.print_error(text, self._error)

    def interrupt(self, text: str) -> None:
        """Show that somebody ended the build; it is the last line."""
        with self._guard:
            if not self._stopped:
                self._stop_live()
                self._error.write(f"{text}\n")
                self._error.flush()
            self._stopped, self._live = True, None

    def beat(self, text: str) -> None:
        """Show that long work goes on, where nothing moves on a screen."""
        if not self._live:
            self.say(text)

    # --- phases ---

    def targets(self, names: Sequence[str]) -> None:
        """Show a row for each target, where there are several."""
        self._rows = {name: _Row() for name in names} if len(names) > 1 else {}

    def plan(self, steps: Sequence[Step]) -> None:
        """Take note of what will be made; what was resolved for it is known by now."""
        self.resolved()
        for step in steps:
            self._work[self._phase_of[step.action]].left += 1
            if row := self._row_of(step):
                row.total += 1

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Count the locks, and show that one is being made."""
        with self._guard:
            self._locks[cached] += 1
            if not cached:
                self._heartbeat.start()
                if self._live:
                    self._live.show("resolve", f"Resolving {lock.stem}", done=0, total=0)

    def resolved(self) -> None:
        """Show that packages were resolved, if that took place."""
        with self._guard:
            if self._live:
                self._live.hide("resolve")
        if self._locks[False]:
            self.say(f"Resolved packages in {seconds_since(self._began)}")

    def start(self, step: Step, path: str | Path, why: str = "") -> None:
        """Show what is being made."""
        if self.verbose:
            super().start(step, path, why)
        with self._guard:
            self._heartbeat.start()
            work, label = self._work[self._phase_of[step.action]], _label(step)
            work.began = work.began or time.monotonic()
            work.running.append(label)
            if row := self._row_of(step):
                row.running.append(f"{work.phase.doing} {label}")
            self._show(work, step)

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Show the phase's line when its last step is done, and what a bundle is."""
        with self._guard:
            work = self._work[self._phase_of[step.action]]
            if not cached:
                work.running.remove(_label(step))
                work.done += 1
                work.left -= 1
                if row := self._row_of(step):
                    row.running.remove(f"{work.phase.doing} {_label(step)}")
                    row.done += 1
            super().finish(step, path, cached=cached)
            if not cached and work.left == 0 and work.phase.past != "Wrote":
                size = f", {megabytes(work.bytes)}," if work.bytes else ""
                self.say(f"{work.phase.describe(work.done)}{size} in {seconds_since(work.began)}")
            self._show(work, step)

    def running(self) -> str:
        """Return what is being done, in one clause; "" where nothing is."""
        with self._guard:
            works = [work for work in self._work.values() if work.running]
            size = self._work["Fetched"].bytes
            return "; ".join(
                f"{work.phase.doing} {', '.join(work.running)}"
                + (f" ({megabytes(size)})" if size and work.phase.past == "Fetched" else "")
                for work in works
            )

    def up_to_date(self, path: str | Path) -> None:
        """Show that a result is as the last build left it."""
        self._worked = True
        if not self._aside:
            self.say(f"{os.path.relpath(path)} is up to date")

    def end(self, code: int = 0) -> None:
        """Stop the progress and show the last line."""
        self._heartbeat.stop()
        with self._guard:
            self._stop_live()
        self._worked = self._worked and not self._aside
        super().end(code)

    # --- rows ---

    def _row_of(self, step: Step) -> _Row | None:
        """Return the row of the target that a step is for; steps for several have none."""
        parts = step.product.split("/")
        return next((row for name, row in self._rows.items() if name in parts or name in parts[-1]), None)

    def _show(self, work: _Work, step: Step) -> None:
        if not self._live:
            return
        if self._rows and (row := self._row_of(step)):
            name = next(name for name, candidate in self._rows.items() if candidate is row)
            label = f"{name}  {row.running[-1] if row.running else ''}".rstrip()
            if row.done < row.total:
                self._live.show(name, label, done=row.done, total=row.total)
            else:
                self._live.hide(name)
        elif work.running and not self._rows:
            label = f"{work.phase.doing} {work.running[-1]}"
            self._live.show(work.phase.past, label, done=work.done, total=work.done + max(work.left, 1))
        else:
            self._live.hide(work.phase.past)

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
            with self._guard:
                if self._live:
                    self._live.hide(key)

    def _stop_live(self) -> None:
        if self._live:
            self._live.stop()


class _Heartbeat:
    """Prints a line about long work every 15 s in which nothing else was printed, where no rows move."""

    def __init__(self, console: Console) -> None:
        self._console, self._ended = console, threading.Event()
        self._last, self._thread = time.monotonic(), None

    _thread: threading.Thread | None

    def start(self) -> None:
        """Begin, if that is not done."""
        if self._thread is None and not sys.is_finalizing():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def postpone(self) -> None:
        """Wait another 15 s: a line was printed."""
        self._last = time.monotonic()

    def stop(self) -> None:
        """End."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(min(1.0, _HEARTBEAT_SECONDS / 3)):
            silent = time.monotonic() - self._last
            if silent >= _HEARTBEAT_SECONDS and (text := self._console.running() or "Resolving packages"):
                self._console.beat(f"  … {text}")
                self.postpone()


def _label(step: Step) -> str:
    """Return a short name for what a step makes: the wheel, the source, the layer."""
    return Path(step.product).name
