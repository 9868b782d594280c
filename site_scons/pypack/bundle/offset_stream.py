"""A file over the bytes of another open file from an offset on."""

from __future__ import annotations

import io
from typing import IO


class OffsetStream(io.RawIOBase):
    """The bytes of ``stream`` from ``start`` on; positions count from there. Closing it leaves the stream open."""

    def __init__(self, stream: IO[bytes], start: int) -> None:
        self._stream, self._start = stream, start

    def seekable(self) -> bool:
        """Say that positions can be chosen."""
        return True

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def tell(self) -> int:
        """Return the position, counted from ``start``."""
        return self._stream.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset``, counted from ``start``, the position or the end of the file."""
        return self._stream.seek(offset + self._start if whence == io.SEEK_SET else offset, whence) - self._start

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` from the position on and return how many bytes there were."""
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write all of ``data``."""
        return self._stream.write(data)

    def flush(self) -> None:
        """Hand over to the system what was written; a stream that was closed first has done so."""
        if not self._stream.closed:
            self._stream.flush()
