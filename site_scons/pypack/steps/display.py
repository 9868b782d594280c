"""What a build says while it runs. The base class prints SCons' kind of log; the command has one for people."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pypack.base.notes import Note
from pypack.steps.note_filter import NoteFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pypack.steps.step import Step


class Transferred(Protocol):
    """Called with the bytes that have arrived and the bytes in all (0 where that is not known)."""

    def __call__(self, done: int, total: int) -> None:
        """Show how far a download is."""


class Display:
    """Shows one build. Its methods are called by several threads.

    This one prints a line for each step that runs. Products from a cache are counted, and with ``verbose`` 1 printed;
    2 shows commands too. ``write`` prints a line.
    """

    def __init__(self, write: Callable[[str], None] = print, *, verbose: int = 0) -> None:
        self._write, self.verbose, self.cached_count = write, verbose, 0
        self._began, self._worked = time.monotonic(), False
        self._filters: dict[str, NoteFilter] = {}
        self._results: dict[int, tuple[str, Sequence[str]]] = {}  # by thread: its path is known when the step ends

    def say(self, text: str) -> None:
        """Show a line; a note of no project in particular once in this build."""
        self.project("")(text)

    def project(self, name: str, file: Path | None = None, quiet: Iterable[str] = ()) -> Callable[[str], None]:
        """Return what shows the lines of a project: see :class:`pypack.steps.note_filter.NoteFilter`."""
        if name not in self._filters:
            always = self.verbose > 0
            self._filters[name] = NoteFilter(file=file, project=name, quiet=quiet, always=always)
        return partial(self._say, self._filters[name])

    def _say(self, notes: NoteFilter, text: str) -> None:
        if not isinstance(text, Note):
            self._write(text)
        elif notes.admits(text):
            self._write_note(text)

    def _write_note(self, note: Note) -> None:
        self._write(note.line)

    def targets(self, names: Sequence[str]) -> None:
        """Take note of the targets that are built for."""

    def plan(self, steps: Sequence[Step]) -> None:
        """Take note of the steps that will run or be copied from the step cache."""

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Show that a lock is about to be made, or was in the step cache."""
        if cached:
            self.take_from_cache(lock)
        else:
            self.say(f"{'resolve':<10} {os.path.relpath(lock)}")

    def resolved(self) -> None:
        """Show that all packages are resolved."""

    def start(self, step: Step, path: str | Path, why: str = "") -> None:
        """Show that ``step`` is about to make ``path``; ``why``, in a clause, is shown with ``verbose``."""
        self.say(f"{step.action:<10} {path}{f'  ({why})' if why and self.verbose else ''}")

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Show what a bundle is when it is there."""
        self._worked = True
        result = self._results.pop(threading.get_ident(), None)
        if result or (cached and step.action == "bundle"):
            self._wrote(path, result)

    def _wrote(self, path: str | Path, result: tuple[str, Sequence[str]] | None) -> None:
        details = list(result[1]) if result else [megabytes(Path(path).stat().st_size)]
        self.say("\n  ".join([f"Wrote {os.path.relpath(path)}: {details[0]}", *details[1:]]))

    def take_from_cache(self, path: str | Path) -> None:
        """Show that a product was copied from the step cache."""
        self.cached_count += 1
        if self.verbose:
            self.say(f"Retrieved `{os.path.relpath(path)}' from cache")

    def result(self, name: str, target: str, details: Sequence[str]) -> None:
        """Keep what a bundle is until the step is finished, and its path known."""
        self._results[threading.get_ident()] = (f"{name} for {target}", details)

    @contextmanager
    def transfer(self, name: str, origin: str) -> Iterator[Transferred]:
        """Give the function that a download of ``name`` from ``origin`` reports to."""
        begun: list[bool] = []

        def report(done: int, total: int) -> None:
            if begun:
                return
            begun.append(True)
            size = f" ({megabytes(total)})" if total else ""
            resumed = f", {megabytes(done)} of it is here" if done else ""
            self.say(f"  fetching {name}{size} from {origin}{resumed}")

        yield report

    def up_to_date(self, path: str | Path) -> None:
        """Show that a result is as the last build left it; SCons says so itself."""

    def error(self, text: str) -> None:
        """Show what ended the build."""
        sys.stderr.write(f"{text}\n")

    def interrupt(self, text: str) -> None:
        """Show that somebody ended the build; nothing is shown afterwards."""
        self.error(text)

    def beat(self, text: str) -> None:
        """Show that long work goes on."""
        self.say(text)

    def end(self, code: int = 0) -> None:
        """Show the last line of a build that ended with exit code ``code``, if there was anything to do."""
        for notes in self._filters.values():
            notes.save()
        if not code and self._worked:
            self.say(self._done())

    def _done(self) -> str:
        cached = f", {self.cached_count} from the cache" if self.cached_count and not self.verbose else ""
        return f"Done in {seconds_since(self._began)}{cached}"


def seconds_since(began: float) -> str:
    """Return the time since ``began`` (of :func:`time.monotonic`) for people: ``0.31 s``, ``12 s``."""
    seconds = time.monotonic() - began
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def megabytes(count: int) -> str:
    """Return a number of bytes for people: ``12.3 MB``, ``45 kB``."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{(count + 999) // 1000} kB"
