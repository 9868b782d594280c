"""Ctrl-C in a build: one line at once, then the end, whatever SCons waits for."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.steps import interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypack.steps.display import Display

TEXT = "pypack: stopped; what is finished is kept, and nothing half-made is left"
_PATIENCE = 3.0  # seconds for running steps to end by themselves
_ENDS = {signal.SIGINT, signal.SIGTERM}
_HANDLED = {signal.default_int_handler, signal.SIG_DFL}
"""What a process starts with; a signal that the caller ignores stays ignored."""


@dataclass
class Watch:
    """``code`` is the exit code of a build that was stopped, 0 if it was not."""

    code: int = 0


@contextmanager
def watched(display: Display) -> Iterator[Watch]:
    """Stop the build in the ``with`` block when somebody sends SIGINT or SIGTERM.

    While steps run, SCons has handlers of its own, which wait for them. Python writes the number of each signal to the
    wakeup descriptor besides, whoever handles it.
    """
    watch = Watch()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    interrupt.reset()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    thread = threading.Thread(target=_wait, args=(reader, display, watch), daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, _end) for number in _ENDS if signal.getsignal(number) in _HANDLED}
    try:
        yield watch
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        writer.close()  # ends the thread when it has read all signals
        thread.join()
        reader.close()


def _end(number: int, frame: object) -> None:
    """End what is planned. SCons would print a line of its own for a KeyboardInterrupt."""
    del frame
    raise SystemExit(128 + number)


def _wait(reader: socket.socket, display: Display, watch: Watch) -> None:
    while number := reader.recv(1):
        if number[0] in _ENDS and not watch.code:
            watch.code = 128 + number[0]
            display.interrupt(TEXT)
            interrupt.stop()
            timer = threading.Timer(_PATIENCE, _leave, (watch.code,))
            timer.daemon = True
            timer.start()
        elif number[0] in _ENDS:  # asked for twice
            _leave(watch.code)


def _leave(code: int) -> None:
    interrupt.remove_leftovers()
    os._exit(code)
