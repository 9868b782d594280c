"""``pypack build --json``: one JSON object a line, for tools. docs/build-output.md describes the events."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.steps.display import Display

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pypack.base.notes import Note
    from pypack.steps.display import Transferred
    from pypack.steps.step import Step


class EventStream(Display):
    """Prints each event of a build as a line of JSON; paths are absolute.

    ``aside``: to standard error, because standard output is for what the command is about.
    """

    def __init__(self, *, aside: bool = False) -> None:
        super().__init__(lambda text: self._print("note", text=text.strip()))
        self._out = sys.stderr if aside else sys.stdout
        self._guard = threading.Lock()
        self._stopped = False

    def _write_note(self, note: Note) -> None:
        self._print("note", id=note.identifier, level=note.level, text=str(note))

    def _print(self, event: str, **values: object) -> None:
        line = json.dumps({"event": event, **values}, ensure_ascii=False)
        with self._guard:
            if self._stopped:
                return
            self._out.write(f"{line}\n")
            self._out.flush()

    def plan(self, steps: Sequence[Step]) -> None:
        """Print how many steps there are to run."""
        self._print("plan", steps=len(steps))

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Print that a lock is about to be made, or was in the step cache."""
        self._print("resolve", lock=_absolute(lock), cached=cached)

    def start(self, step: Step, path: str | Path, why: str = "") -> None:
        """Print that a step begins."""
        self._print("start", action=step.action, path=_absolute(path), why=why)

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Print that a step has ended, and what the bundle is that it wrote."""
        self._print("finish", action=step.action, path=_absolute(path), cached=cached)
        super().finish(step, path, cached=cached)

    def _wrote(self, path: str | Path, result: tuple[str, Sequence[str]] | None) -> None:
        name, _, target = result[0].partition(" for ") if result else ("", "", "")
        more = {"name": name, "target": target, "details": list(result[1])} if result else {}
        self._print("result", path=_absolute(path), size=Path(path).stat().st_size, **more)

    def take_from_cache(self, path: str | Path) -> None:
        """Print that a product was copied from the step cache."""
        self._print("cache", path=_absolute(path))

    def up_to_date(self, path: str | Path) -> None:
        """Print that a result is as the last build left it."""
        self._print("up-to-date", path=_absolute(path))

    @contextmanager
    def transfer(self, name: str, origin: str) -> Iterator[Transferred]:
        """Print where a download begins and ends; sizes are in bytes."""
        received = [0]

        def report(done: int, total: int) -> None:
            if not received[0]:
                self._print("fetch", file=name, origin=origin, size=total)
            received[0] = max(done, 1)

        yield report
        self._print("fetched", file=name, size=received[0])

    def error(self, text: str) -> None:
        """Print what ended the build."""
        self._print("error", text=text.removeprefix("pypack: "))

    def interrupt(self, text: str) -> None:
        """Print that somebody ended the build, and the last event."""
        self.error(text)
        self.end(130)
        self._stopped = True

    def end(self, code: int = 0) -> None:
        """Print the last event."""
        for notes in self._filters.values():
            notes.save()
        self._print("end", code=code, seconds=round(time.monotonic() - self._began, 3))


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())
