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

    from pypack.steps.display import Transferred
    from pypack.steps.step import Step


class EventStream(Display):
    """Prints each event of a build as a line of JSON to standard output; paths are absolute."""

    def __init__(self) -> None:
        super().__init__(lambda text: self._print("note", text=text.strip()))
        self._out = sys.stdout
        self._began = time.monotonic()
        self._guard = threading.Lock()
        self._results: dict[int, dict[str, object]] = {}

    def _print(self, event: str, **values: object) -> None:
        line = json.dumps({"event": event, **values}, ensure_ascii=False)
        with self._guard:
            self._out.write(f"{line}\n")
            self._out.flush()

    def plan(self, steps: Sequence[Step]) -> None:
        """Print how many steps there are to run."""
        self._print("plan", steps=len(steps))

    def resolve(self, lock: Path, *, cached: bool) -> None:
        """Print that a lock is about to be made, or was in the step cache."""
        self._print("resolve", lock=_absolute(lock), cached=cached)

    def start(self, step: Step, path: str | Path) -> None:
        """Print that a step begins."""
        self._print("start", action=step.action, path=_absolute(path))

    def finish(self, step: Step, path: str | Path, *, cached: bool) -> None:
        """Print that a step has ended, and what the bundle is that it wrote."""
        self._print("finish", action=step.action, path=_absolute(path), cached=cached)
        result = self._results.pop(threading.get_ident(), None)
        if result or (cached and step.action == "bundle"):
            self._print("result", path=_absolute(path), size=Path(path).stat().st_size, **(result or {}))

    def take_from_cache(self, path: str | Path) -> None:
        """Print that a product was copied from the step cache."""
        self._print("cache", path=_absolute(path))

    def result(self, name: str, target: str, details: Sequence[str]) -> None:
        """Keep what a bundle is until its path is known."""
        self._results[threading.get_ident()] = {"name": name, "target": target, "details": list(details)}

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

    def end(self, code: int = 0) -> None:
        """Print the last event."""
        self._print("end", code=code, seconds=round(time.monotonic() - self._began, 3))


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())
