"""Runs a command in a pseudo-terminal, as a person does."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a command showed, byte for byte as text, and its exit code (128 + signal)."""

    code: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """The lines that stay on the screen; rows that were removed again are left out."""
        kept: list[str] = []
        for line in re.sub(r"\r+\n", "\n", self.raw).split("\n"):
            last = re.split(r"\x1b\[2K|\r", line)[-1]
            text = _ESCAPE.sub("", last).rstrip()
            for _ in range(line.count("\x1b[1A")):
                if kept:
                    kept.pop()
            kept.append(text)
        return [line for line in kept if line]


def run(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int = 80, interrupt_at: str = "") -> Shown:
    """Run a command; with ``interrupt_at`` Ctrl-C is typed once when this text is on the screen."""
    import fcntl
    import pty
    import struct
    import termios

    child, screen = pty.fork()
    if child == 0:
        os.chdir(cwd)
        os.execvpe(words[0], [*words], {**env, "TERM": "xterm", "COLUMNS": str(columns)})
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    raw, typed, end = b"", False, time.monotonic() + 300
    while time.monotonic() < end:
        if select.select([screen], [], [], 1)[0]:
            try:
                piece = os.read(screen, 1 << 16)
            except OSError:  # Linux: the other side is closed
                break
            if not piece:
                break
            raw += piece
        if interrupt_at and not typed and interrupt_at.encode() in raw:
            os.write(screen, b"\x03")
            typed = True
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(screen)
    return Shown(code=code if code >= 0 else 128 - code, raw=raw.decode(errors="replace"))
