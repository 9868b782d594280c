"""The commands that packages bring, as the launch block names them: what the launcher makes to stand beside Python."""

from __future__ import annotations

import configparser
import re
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pypack.images.image import Member

_SECTIONS = ("console_scripts", "gui_scripts")
_OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAME = re.compile(r"\w[\w.+-]*")


class Commands:
    """The commands of one image: entry points of its distributions, and what wheels bring in ``bin/``."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def see(self, member: Member, stream: IO[bytes] | None) -> None:
        """Take in one member; ``stream`` is left at its beginning."""
        if stream is None:
            return
        if member.path.endswith(".dist-info/entry_points.txt"):
            self._objects.update(_entry_points(stream.read().decode("utf-8", "replace")))
        elif member.path.startswith("bin/"):
            self._files[member.path.removeprefix("bin/")] = _kind(member, stream.read(256))
        stream.seek(0)

    def pairs(self) -> list[list[str]]:
        """Return the pairs for the launch block.

        ``script`` is what Python runs (``NAME=MODULE:FUNCTION``, or ``2:PATH`` in the deps layer), ``command`` a
        program.
        """
        pairs = [["script", f"{name}={self._objects[name]}"] for name in sorted(self._objects)]
        for path, kind in sorted(self._files.items()):
            if kind and path not in self._objects and _NAME.fullmatch(path):
                pairs.append([kind, f"2:bin/{path}"])
        return pairs


def _entry_points(text: str) -> dict[str, str]:
    """Return ``{name: "module:function"}``; extras in brackets do not matter, what is no entry point is passed over."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    rows = [row for section in _SECTIONS if parser.has_section(section) for row in parser.items(section)]
    pairs = {name.strip(): value.partition("[")[0].replace(" ", "") for name, value in rows}
    return {name: value for name, value in pairs.items() if _NAME.fullmatch(name) and _OBJECT.fullmatch(value)}


def _kind(member: Member, head: bytes) -> str:
    """Return ``script`` for what installers would give an interpreter, ``command`` for other programs, else ``""``."""
    if head.startswith(b"#!python"):
        return "script"
    return "command" if member.executable else ""
