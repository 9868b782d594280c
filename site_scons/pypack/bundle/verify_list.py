"""Check the list of a layer's files, as ``docs/bundle-format.md`` describes it, without code of the writer."""

from __future__ import annotations

import hashlib

_LARGEST_LIST = 64 << 20
"""Bytes; a list of half a million files is shorter."""


class FilesCheck:
    """Compares the list of files in a layer, which is the file ``list_name``, with all other files."""

    def __init__(self, list_name: bytes) -> None:
        self._list_name = list_name
        self._rows: dict[bytes, tuple[int, str]] = {}
        self._list: bytes | None = None
        self._name, self._size, self._left = b"", 0, 0
        self._digest, self._kept = hashlib.sha256(), bytearray()

    def begin(self, name: bytes, size: int) -> None:
        """Begin with a file, whose content is to come."""
        self._name, self._size, self._left = name, size, size
        self._digest = hashlib.sha256()
        self.more(b"")

    def more(self, piece: bytes | memoryview) -> None:
        """Take some of a file's content, and whatever stands behind it."""
        if not self._name:
            return
        piece = piece[: self._left]
        self._left -= len(piece)
        if self._name != self._list_name:
            self._digest.update(piece)
        elif self._size <= _LARGEST_LIST:
            self._kept += piece
        if self._left:
            return
        if self._name == self._list_name:
            self._list = bytes(self._kept)
        else:
            self._rows[self._name] = (self._size, self._digest.hexdigest()[:16])
        self._name = b""

    def end(self) -> list[str]:
        """Return what is wrong with the list; nothing where there is none, as in older bundles."""
        if self._list is None:
            return []
        expected = b"".join(
            b"%d %s %s\n" % (size, digest.encode(), name.replace(b"\n", b"\\n"))
            for name, (size, digest) in sorted(self._rows.items())
        )
        expected += b"%d\n" % len(self._rows)
        return [] if expected == self._list else ["its list of files is not that of its files"]
