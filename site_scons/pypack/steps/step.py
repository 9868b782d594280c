"""Steps: what the build does, described without SCons.

A :class:`Step` is a node of the graph: a function that reads files and writes one file. Its cache key is known before
anything runs. :mod:`pypack.steps.producer` runs steps; :mod:`pypack.scons.tool` makes SCons nodes of them.
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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError, StepError
from pypack.steps import interrupt
from pypack.steps.display import Display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_DOCS = "docs/build-output.md"

_TAIL_LINES = 25
_HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that affect how a build runs, never its products (so they are in no cache key)."""

    offline: bool = False
    upgrade: bool = False
    verbose: int = 0
    jobs: int = 1
    say: Callable[[str], None] = print
    """Shows a line; a :class:`pypack.base.notes.Note` only where the project wants it."""
    shown_by: Display | None = None

    @cached_property
    def display(self) -> Display:
        """What shows the build; without ``shown_by`` each event is a line for ``say``."""
        return self.shown_by or Display(self.say, verbose=self.verbose)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The argument of a step's function.

    ``product`` is the file to write; the caller moves it to its final path only when the function has returned.
    ``inputs`` are the files of the step's inputs, in their order. ``params`` and ``unhashed`` are the step's.
    ``memory`` is a folder for what a step wants to know the next time it runs, and can do without; None where nothing
    is remembered.
    """

    product: Path
    inputs: tuple[Path, ...]
    params: Mapping[str, Any]
    settings: Settings
    unhashed: Mapping[str, Any] = field(default_factory=dict)
    memory: Path | None = None

    def say(self, text: str) -> None:
        """Print one line, unless the build is quiet."""
        self.settings.say(text)

    def note(self, text: str) -> None:
        """Print one line of detail, shown only with ``-vv`` (``verbose=2``): a command, what a program printed."""
        if self.settings.verbose > 1:
            self.settings.say(text)

    def run(
        self, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a program and return its output; the error of a failed one has the end of the output."""
        arguments = [os.fspath(argument) for argument in command]
        self.note(" ".join(arguments))
        process = subprocess.Popen(
            arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        with process, interrupt.ended_with_the_build(process):
            output, _ = process.communicate()
        if process.returncode:
            tail = "\n".join(f"    {line}" for line in output.splitlines()[-_TAIL_LINES:])
            raise StepError(
                f"{arguments[0]} ended with code {process.returncode}:\n{tail}",
                hint="run again with -vv (scons: verbose=2) to see every command",
                docs=_DOCS,
            )
        return output

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Print progress of long work every 15 s, and how long it took."""
        began, done = time.monotonic(), threading.Event()

        def beat() -> None:
            while not done.wait(_HEARTBEAT_SECONDS):
                self.settings.display.beat(f"  … {what}: {time.monotonic() - began:.0f} s so far")

        thread = threading.Thread(target=beat, daemon=True)
        if not sys.is_finalizing():
            thread.start()
        try:
            yield
        finally:
            done.set()
        self.say(f"  {what}: {time.monotonic() - began:.1f} s")


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One node of the build.

    ``product`` is a path below ``.pypack/`` with ``/``. ``action`` and ``version`` name the function in the cache key:
    raise ``version`` when ``run`` makes other bytes from the same input. ``inputs`` are other steps, and files of this
    machine. ``params`` holds all that changes the result, as JSON values; ``unhashed`` what the function needs
    besides, and no key sees: paths of this machine, objects that ``params`` describe already. ``cached`` is False for
    what another cache keeps (downloads) and for what is quicker made than kept. ``reproducible`` is False if the key
    does not determine the product (signatures): neither that nor what is made from it is ever cached. ``slow``:
    minutes of work, which builds that share a cache do once: the others wait.
    """

    product: str
    action: str
    version: int
    run: Callable[[Context], None]
    inputs: tuple[Step | Path, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    unhashed: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = True
    reproducible: bool = True
    slow: bool = False

    @cached_property
    def follows_from_key(self) -> bool:
        """Whether the key determines the product, because it and everything that it is made from is reproducible."""
        steps = (step for step in self.inputs if isinstance(step, Step))
        return self.reproducible and all(step.follows_from_key for step in steps)

    @property
    def is_cacheable(self) -> bool:
        """Whether the product may be stored in the step cache, and taken from it."""
        return self.cached and self.follows_from_key

    @cached_property
    def key(self) -> str:
        """The cache key: a SHA-256 over everything that determines the product, in hex.

        It covers action, version, product, params, the keys of inputs that are steps, and the contents of those that
        are files. SCons' signature and the name in the step cache are this key.
        """
        inputs = [
            file_digest(step_input) if isinstance(step_input, Path) else step_input.key for step_input in self.inputs
        ]
        parts = [self.product, self.action, self.version, self.params, inputs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of an input file, in hex. Raises :class:`InputError` if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="check the path", docs=_DOCS) from error


def lazy_import(reference: str) -> Callable[[Context], None]:
    """Return a step's function that imports ``reference`` (``module:name``) when it runs: most steps never do."""
    module, _, name = reference.partition(":")

    def run(context: Context) -> None:
        getattr(importlib.import_module(module), name)(context)

    return run
