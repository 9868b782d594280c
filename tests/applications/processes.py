"""Commands under limits: time, and the number of processes; a server is ended with everything that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PROCESSES = 3000
"""How many processes and threads of this user there may be: a program that starts itself again and again ends there."""
_GRACE = 10.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: exit code (None: its time was over), what it printed, and after how many seconds."""

    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


def run(words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], limit: float) -> Ended:
    """Run a command for at most ``limit`` seconds."""
    begin = time.monotonic()
    with _started(words, cwd, env, subprocess.PIPE, subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=limit)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            _end(process)
            out, err = process.communicate()
            code = None
        except BaseException:  # Ctrl-C does not reach it: it has a session of its own
            _end(process)
            raise
    return Ended(code=code, out=_text(out), err=_text(err), seconds=time.monotonic() - begin)


@contextmanager
def serving(words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """Run a server, whose output goes to ``log``, for the time of a ``with`` block."""
    with log.open("wb") as out, _started(words, cwd, env, out, subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            _end(process)


def _started(words, cwd, env, out, err) -> subprocess.Popen:
    limits = ["prlimit", f"--nproc={PROCESSES}", "--"] if shutil.which("prlimit") else []
    return subprocess.Popen(
        [*limits, *map(os.fspath, words)], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        start_new_session=True,
    )  # fmt: skip


def _end(process: subprocess.Popen) -> None:
    """End the process group: politely, and after a while by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
