"""What a build says while it runs. The base class prints SCons' kind of log; the command has one for people."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pypack.steps.step import Step


class Transferred(Protocol):
    """Called with the bytes that have arrived and the bytes in all (0 where that is not known)."""

    def __call__(self, done: int, total: int) -> None:
        """Show how far a download is."""


class Display:
    """Shows one build. Its methods are called by several threads.

    This one prints a line for each step that runs. Products from a cache are counted, and printed with ``verbose``.
    """

    def __init__(self, say: Callable[[str], None] = print, *, verbose: bool = False) -> None:
        self.say, self.verbose, self.cached_count = say, verbose, 0

    def remember(self, file: Path, project: str) -> None:
        """Keep in ``file`` which notes about ``project`` have been shown; here they are always shown."""

    def plan(self, steps: Sequence[Step]) -> None:
        """Take note of the steps that will run or be copied from the step cache."""

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Show that a lock is about to be made, or was in the step cache."""
        if cached:
            self.take_from_cache(lock)
        else:
            self.say(f"{'resolve':<10} {os.path.relpath(lock)}")

    def start(self, step: Step, path: str | Path) -> None:
        """Show that ``step`` is about to make ``path``."""
        self.say(f"{step.action:<10} {path}")

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Show that the product is there."""

    def take_from_cache(self, path: str | Path) -> None:
        """Show that a product was copied from the step cache."""
        self.cached_count += 1
        if self.verbose:
            self.say(f"Retrieved `{os.path.relpath(path)}' from cache")

    def result(self, name: str, target: str, details: Sequence[str]) -> None:
        """Show what a finished bundle is."""
        text = "\n  ".join([f"{name} for {target}: {details[0]}", *details[1:]])
        self.say(f"  {text}")

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

    def beat(self, text: str) -> None:
        """Show that long work goes on."""
        self.say(text)

    def end(self, code: int = 0) -> None:
        """Show what is left to say when the build has ended, with exit code ``code``."""
        if not code and self.cached_count and not self.verbose:
            self.say(f"  from the cache: {self.cached_count}")


def megabytes(count: int) -> str:
    """Return a number of bytes for people: ``12.3 MB``, ``45 kB``."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{(count + 999) // 1000} kB"
