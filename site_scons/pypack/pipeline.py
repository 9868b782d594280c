"""Steps: what the build does, described without SCons.

A :class:`Step` is a node of the graph: a function that reads files and writes one file. The modules bridge and actions
turn steps into SCons nodes; nothing else needs to know SCons.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pypack.errors import StepError
from pypack.images.headers import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_TAIL_LINES = 25
_HEARTBEAT_SECONDS = 15.0
_TWENTY_YEARS = 631_152_000  # seconds


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What changes how a build is done, never what it makes (so it is in no signature)."""

    offline: bool = False
    upgrade: bool = False
    verbose: bool = False
    jobs: int = 1
    say: Callable[[str], None] = print


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a step's function is given.

    ``product`` is the file to write; the caller puts it in place only when the function has returned.
    ``inputs`` are the files of the step's inputs, in their order; ``extra`` those that ``expand`` found.
    """

    product: Path
    inputs: tuple[Path, ...]
    extra: tuple[Path, ...]
    params: Mapping[str, Any]
    settings: Settings

    def say(self, text: str) -> None:
        """Print one line, unless the build is quiet."""
        self.settings.say(text)

    def note(self, text: str) -> None:
        """Print one line of detail, shown only with ``verbose=1``."""
        if self.settings.verbose:
            self.settings.say(text)

    def run(
        self, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a program and return what it printed; on failure the end of that is in the error."""
        words = [os.fspath(word) for word in command]
        self.note(" ".join(words))
        done = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        if done.returncode:
            tail = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-_TAIL_LINES:])
            raise StepError(
                f"{words[0]} ended with code {done.returncode}:\n{tail}",
                do="run again with verbose=1 to see every command",
            )
        return done.stdout

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Say that long work began, that it still goes on (every 15 s), and how long it took."""
        began, done = time.monotonic(), threading.Event()

        def beat() -> None:
            while not done.wait(_HEARTBEAT_SECONDS):
                self.say(f"  … {what}: {time.monotonic() - began:.0f} s so far")

        thread = threading.Thread(target=beat, daemon=True)
        if not sys.is_finalizing():
            thread.start()
        try:
            yield
        finally:
            done.set()
        self.say(f"  {what}: {time.monotonic() - began:.1f} s")


@dataclass(frozen=True, eq=False)
class Hidden:
    """A value among a step's params that its function needs and that no signature may see."""

    value: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One node of the build.

    ``product`` is a path below ``build/`` with ``/``. ``action`` and ``version`` name the function in
    signatures: raise ``version`` when ``run`` makes other bytes from the same input. ``params`` holds all that
    changes the result, as JSON values. ``expand`` reads the first input, once it has been built, and returns
    further steps whose products are needed (the wheels of a lock). ``cached`` is False for what
    another cache keeps already (downloads). ``kept``: see :mod:`pypack.keeping`. ``slow``: minutes of work, which
    builds that share a cache do once: the others wait.
    """

    product: str
    action: str
    version: int
    run: Callable[[Context], None]
    inputs: tuple[Step | Path, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    expand: Callable[[Path], tuple[Step, ...]] | None = None
    cached: bool = True
    kept: bool = False
    slow: bool = False


def signature(step: Step) -> str:
    """Return what of a step decides about its product besides its inputs, as text."""
    visible = {key: value for key, value in step.params.items() if not isinstance(value, Hidden)}
    return json.dumps([step.action, step.version, visible], sort_keys=True)


def later(place: str) -> Callable[[Context], None]:
    """Return a step's function, ``module:name``, that is imported when it runs: most steps of a graph never do."""
    module, _, name = place.partition(":")

    def run(context: Context) -> None:
        getattr(importlib.import_module(module), name)(context)

    return run


def stamp_time(product: Path) -> None:
    """Give a product a time that stands for its content.

    SCons compares times in whole seconds before it compares contents, and keeps them in its cache: two products that
    were made, or fetched from the cache, with one time in one place would be taken for the same.
    """
    seconds = content_time(product)
    os.utime(product, (seconds, seconds))


def content_time(product: Path) -> int:
    """Return the time that stands for the content of a file, between 1980 and 2000."""
    with product.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    return EPOCH + int.from_bytes(digest[:8], "big") % _TWENTY_YEARS
