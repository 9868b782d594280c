"""The list of a layer's files, with which a failing program finds out which of its files are damaged.

A line for each file: its size in bytes, the first 16 hex digits of its sha256, its path; sorted by path. The last line
is the number of those before it. Links and folders are not listed. It is stored in the layer, so that files
can be checked without starting anything and without the bundle.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import IO, TYPE_CHECKING, NamedTuple

from pypack.errors import StepError
from pypack.formats import headers, tar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_DOCS = "docs/bundle-format.md"

NAME = ".pypack-files"
"""The member of a runtime layer, and of that of packages, that is the list."""
APP_NAME = "files"
"""The entry of app.zip that is the list; the program's own files are below ``app/`` there."""

DIGITS = 16
"""How much of a sha256 stands in a list."""
_SKIPPABLE = struct.Struct("<II")
_MAGIC = 0x184D2A51


class Row(NamedTuple):
    """A file: ``size`` in bytes, the first digits of its ``sha256``."""

    path: bytes
    size: int
    sha256: str


class Listing:
    """Collects the files of a layer while the headers and contents of its tar pass by."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._path, self._size, self._left = b"", 0, 0
        self._digest = hashlib.sha256()

    def begin(self, header: bytes) -> None:
        """Begin with a member, whose ``header`` has long names in front of it."""
        member = tar.member(lambda offset, size: header[offset : offset + size], 0)
        assert member is not None  # the zero blocks at the end are no member
        if member.name.rstrip(b"/") == NAME.encode():
            raise StepError(
                f"a runtime or package brings {NAME}, which is pypack's own name for its list of files",
                hint="take it out of the runtime or package",
                docs=_DOCS,
            )
        if member.kind == tar.FILE:
            self._path, self._size, self._left = member.name, member.size, member.size
            self._digest = hashlib.sha256()
            self._take(b"")

    def more(self, piece: bytes) -> None:
        """Hash a piece of the member's content, which is padded to whole blocks."""
        if self._left:
            self._take(piece[: self._left])

    def _take(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._left -= len(piece)
        if not self._left:
            self.rows.append(Row(self._path, self._size, self._digest.hexdigest()[:DIGITS]))

    def member(self) -> tuple[bytes, bytes]:
        """Return the list as a member of a tar: its header, its content filled up to whole blocks."""
        data = text(self.rows)
        header = headers.of(NAME.encode(), headers.FILE, size=len(data))
        return header, data + bytes(headers.padded(len(data)) - len(data))


class Hashed:
    """An open file that is read once, from its beginning, and hashed on the way."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        piece = self._stream.read(size)
        self._digest.update(piece)
        return piece

    def row(self, path: str, size: int) -> Row:
        """Return the row of what was read."""
        return Row(path.encode("utf-8", "surrogateescape"), size, self._digest.hexdigest()[:DIGITS])


def text(rows: Iterable[Row]) -> bytes:
    r"""Return the list of some files. A line break in a path is written ``\n``: no path of a layer has a backslash."""
    lines = [b"%d %s %s\n" % (row.size, row.sha256.encode(), row.path.replace(b"\n", b"\\n")) for row in sorted(rows)]
    return b"".join([*lines, b"%d\n" % len(lines)])


def without(rows: Iterable[Row], paths: Collection[str]) -> list[Row]:
    """Return the rows of all files but those of ``paths``."""
    dropped = {path.encode("utf-8", "surrogateescape") for path in paths}
    return [row for row in rows if row.path not in dropped]


def append(part: Path, rows: Iterable[Row]) -> None:
    """Append the rows of a part of a layer to its frames, in a skippable frame of zstd."""
    entries = [[path.decode("utf-8", "surrogateescape"), size, digest] for path, size, digest in rows]
    data = json.dumps(entries, separators=(",", ":")).encode()
    with part.open("ab") as out:
        out.write(_SKIPPABLE.pack(_MAGIC, len(data)) + data)


def read(stream: IO[bytes], part: Path) -> list[Row]:
    """Read what :func:`append` wrote; ``stream`` stands behind the last frame of ``part``."""
    head = stream.read(_SKIPPABLE.size)
    magic, length = _SKIPPABLE.unpack(head) if len(head) == _SKIPPABLE.size else (0, 0)
    data = stream.read(length)
    if magic != _MAGIC or len(data) != length:
        raise StepError(f"{part} has no list of its files", hint="remove it and build again", docs=_DOCS)
    return [Row(path.encode("utf-8", "surrogateescape"), size, digest) for path, size, digest in json.loads(data)]
