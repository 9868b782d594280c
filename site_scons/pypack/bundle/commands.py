"""The commands that packages bring, as the launch block names them: what the launcher makes to stand beside Python."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

from pypack.images.image import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.images.image import Member

_SECTIONS = ("console_scripts", "gui_scripts")
_OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAME = re.compile(r"\w[\w.+-]*")


def found(image: Path) -> list[list[str]]:
    """Return the pairs for the launch block: entry points of the distributions, and what wheels bring in ``bin/``.

    ``script`` is what Python runs (``NAME=MODULE:FUNCTION``, or ``2:PATH`` in the deps layer), ``command`` a program.
    """
    objects: dict[str, str] = {}
    files: dict[str, str] = {}
    for member, stream in read_image(image):
        if stream is None:
            continue
        if member.path.endswith(".dist-info/entry_points.txt"):
            objects.update(_entry_points(stream.read().decode("utf-8", "replace")))
        elif member.path.startswith("bin/"):
            files[member.path.removeprefix("bin/")] = _kind(member, stream.read(256))
    pairs = [["script", f"{name}={objects[name]}"] for name in sorted(objects)]
    for path, kind in sorted(files.items()):
        if kind and path not in objects and _NAME.fullmatch(path):
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
