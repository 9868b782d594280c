"""What a stream can show: colors, moving rows, characters. The only module that asks."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TextIO

_PLAIN = {"…": "...", "—": "-", "–": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "→": "->", "×": "x", "≤": "<="}
_HANDLER = "pypack.plain"


def prepare(*streams: TextIO) -> None:
    """Let streams write every text: what their encoding lacks (a console's code page) is spelt otherwise."""
    codecs.register_error(_HANDLER, _spell_otherwise)
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _spell_otherwise(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or _escaped(char) for char in text), error.end


def _escaped(char: str) -> str:
    """Return a character as Python's own standard error writes it; a byte of a file's name as ``?``."""
    return "?" if "\ud800" <= char <= "\udfff" else char.encode("ascii", "backslashreplace").decode()


def is_utf(stream: TextIO) -> bool:
    """Say whether a stream takes every character."""
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def moves(stream: TextIO) -> bool:
    """Say whether rows can move there. In CI they would be a line each."""
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}
    return stream.isatty() and not in_ci and os.environ.get("TERM") != "dumb"


def has_colors(stream: TextIO) -> bool:
    """Say whether a stream shows colors: NO_COLOR and FORCE_COLOR count before what it is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def print_error(text: str, stream: TextIO | None = None) -> None:
    """Print what ended a command, in red where there are colors, also on old consoles of Windows."""
    stream = stream or sys.stderr
    if not has_colors(stream):
        stream.write(f"{text}\n")
        stream.flush()
        return
    from rich.console import Console
    from rich.text import Text

    Console(file=stream, highlight=False, force_terminal=True).print(Text(text, style="red"), soft_wrap=True)
