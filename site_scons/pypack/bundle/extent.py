"""Find the payload in an executable that may be a bundle: from the description of the format, not from the writer."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO

from pypack.errors import InputError

_DOCS = "docs/bundle-format.md"

_PE_CERTIFICATES = 4  # index of the data directory
_MACHO = {0x0100_0007: "x86_64", 0x0100_000C: "aarch64"}
_SEGMENT_64 = 0x19
_MOST_COMMANDS = 1 << 16
_MAGIC = b"PYPK\x00\x02\x00\x00"


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The range of a payload in a file: offsets ``start`` to ``end``.

    ``arch`` is known of Mach-Os only, which can hold several payloads. ``signed``: a certificate table follows in a PE.
    """

    container: str
    start: int
    end: int
    arch: str = ""
    signed: bool = False


def extents(stream: IO[bytes]) -> list[Extent]:
    """Return the payloads of an open file: one, or one for each processor of a universal Mach-O.

    A file that is no executable is one payload. Raises :class:`InputError` for a header that contradicts itself.
    """
    size = stream.seek(0, io.SEEK_END)
    head = _at(stream, 0, 64)
    try:
        if head[:4] == b"\x7fELF":
            return [Extent(container="elf", start=0, end=size)]
        if head[:2] == b"MZ":
            return [_pe(stream, head, size)]
        if head[:4] == b"\xcf\xfa\xed\xfe":
            return [_macho(stream, 0, size)]
        if head[:4] == b"\xca\xfe\xba\xbe":
            return _fat(stream, head, size)
    except struct.error:
        raise InputError("its header is cut short", hint="build or copy it again", docs=_DOCS) from None
    return [Extent(container="unknown", start=0, end=size)]


class SliceReader(io.RawIOBase):
    """A read-only file over the bytes of ``stream`` from ``start`` to ``end``."""

    def __init__(self, stream: IO[bytes], start: int, end: int) -> None:
        self._stream, self._start, self._size, self._position = stream, start, max(0, end - start), 0

    def seekable(self) -> bool:
        """Say that positions can be chosen."""
        return True

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def tell(self) -> int:
        """Return the position, counted from the start of the slice."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; positions count from the start of the slice."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` and return how many bytes there were."""
        self._stream.seek(self._start + self._position)
        piece = self._stream.read(max(0, min(len(buffer), self._size - self._position)))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _pe(stream: IO[bytes], head: bytes, size: int) -> Extent:
    (at,) = struct.unpack_from("<I", head, 60)
    fixed = _at(stream, at, 26)
    signature, optional, magic = fixed[:4], *struct.unpack_from("<H", fixed, 20), *struct.unpack_from("<H", fixed, 24)
    if signature != b"PE\0\0" or magic not in {0x10B, 0x20B}:
        raise InputError("it is no executable for Windows", hint="name a bundle", docs=_DOCS)
    before = 96 if magic == 0x10B else 112  # bytes of the optional header before the directories
    header = _at(stream, at + 24, optional)
    (count,) = struct.unpack_from("<I", header, before - 4)
    if count <= _PE_CERTIFICATES:
        return Extent(container="pe", start=0, end=size)
    offset, length = struct.unpack_from("<II", header, before + 8 * _PE_CERTIFICATES)
    if not offset or not length:
        return Extent(container="pe", start=0, end=size)
    if offset % 8 or offset + length > size:
        raise InputError("its certificate table is cut short", hint="copy it again, or sign it again", docs=_DOCS)
    return Extent(container="pe", start=0, end=_trailer_end(stream, offset), signed=True)


def _trailer_end(stream: IO[bytes], table: int) -> int:
    """Return where a trailer ends before a certificate table: signing tools put up to 7 zero bytes between."""
    ends = (end for end in range(table, max(table - 8, 32), -1) if _at(stream, end - 32, 8) == _MAGIC)
    return next(ends, table)


def _fat(stream: IO[bytes], head: bytes, file_size: int) -> list[Extent]:
    (count,) = struct.unpack_from(">I", head, 4)
    if not 0 < count <= 16:
        raise InputError("it is no executable", hint="name a bundle", docs=_DOCS)
    table = _at(stream, 8, count * 20)
    slices = [struct.unpack_from(">IIIII", table, 20 * number) for number in range(count)]
    if any(offset + size > file_size for _, _, offset, size, _ in slices):
        raise InputError("one of its programs is cut short", hint="build or copy it again", docs=_DOCS)
    return [_macho(stream, offset, offset + size) for _, _, offset, size, _ in slices]


def _macho(stream: IO[bytes], start: int, end: int) -> Extent:
    magic, cpu, _, _, count, size = struct.unpack("<IIIIII", _at(stream, start, 24))
    if magic != 0xFEED_FACF or count > _MOST_COMMANDS or start + 32 + size > end:
        raise InputError("its Mach-O header is damaged", hint="build or copy it again", docs=_DOCS)
    commands = _at(stream, start + 32, size)
    at = 0
    for _ in range(count):
        kind, length = struct.unpack_from("<II", commands, at)
        if length < 8 or at + length > size:
            raise InputError("its load commands are damaged", hint="build or copy it again", docs=_DOCS)
        if kind == _SEGMENT_64 and commands[at + 8 : at + 24].rstrip(b"\0") == b"__PYPACK":
            payload, offset = struct.unpack_from("<QI", commands, at + 72 + 40)
            if start + offset + payload > end:
                raise InputError("its payload is cut short", hint="build or copy it again", docs=_DOCS)
            first = start + offset
            return Extent(container="macho", start=first, end=first + payload, arch=_MACHO.get(cpu, hex(cpu)))
        at += length
    raise InputError("it is no bundle of pypack", hint="name a bundle", docs=_DOCS)


def _at(stream: IO[bytes], offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)
