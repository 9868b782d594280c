"""The commands of packages for the launch block; the launcher puts them beside the interpreter."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from pypack.formats import entry_points
from pypack.formats.image import list_image, read_image

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.formats.image import Member

_NAME = re.compile(r"\w[\w.+-]*")
_APP, _DEPS = 3, 2
"""The numbers of the layers in the launch block."""


class Commands:
    """Collects the commands of one image: entry points of its distributions, and files of wheels in ``bin/``.

    ``layer`` is the number of the layer that the image becomes.
    """

    def __init__(self, layer: int = _DEPS) -> None:
        self._layer = layer
        self._objects: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def read_member(self, member: Member, stream: IO[bytes] | None) -> None:
        """Read one member of the image; ``stream`` is left at its beginning."""
        if stream is None:
            return
        if member.path.endswith(".dist-info/entry_points.txt"):
            self._objects.update(_entry_points(stream.read().decode("utf-8", "replace")))
        elif member.path.startswith("bin/"):
            self._files[member.path.removeprefix("bin/")] = _kind(member, stream.read(256))
        stream.seek(0)

    def pairs(self) -> list[list[str]]:
        """Return the pairs for the launch block.

        ``script`` is what Python runs (``NAME=MODULE:FUNCTION``, or ``LAYER:PATH``), ``command`` a program.
        """
        pairs = [["script", f"{name}={self._objects[name]}"] for name in sorted(self._objects)]
        for path, kind in sorted(self._files.items()):
            if kind and path not in self._objects and _NAME.fullmatch(path):
                pairs.append([kind, f"{self._layer}:bin/{path}"])
        return pairs


def of_app(image: Path) -> list[list[str]]:
    """Return the pairs for the commands of the program's own distribution."""
    commands = Commands(_APP)
    if any(_brings_commands(member.path) for member in list_image(image)):
        for member, stream in read_image(image):
            if _brings_commands(member.path):
                commands.read_member(member, stream)
    return commands.pairs()


def _brings_commands(path: str) -> bool:
    return path.startswith("bin/") or path.endswith(".dist-info/entry_points.txt")


def _entry_points(text: str) -> dict[str, str]:
    """Return ``{name: "module:function"}`` without extras; values that are no entry points are left out."""
    points = [row for kind in entry_points.KINDS for row in entry_points.read(text, kind).items()]
    commands = {name: entry_points.reference(value) for name, value in points if _NAME.fullmatch(name)}
    return {name: command for name, command in commands.items() if command}


def _kind(member: Member, head: bytes) -> str:
    """Return ``script`` for a file with ``#!python``, ``command`` for another executable file, else ``""``."""
    if head.startswith(b"#!python"):
        return "script"
    return "command" if member.executable else ""
