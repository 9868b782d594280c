"""Turn a tar image into a layer: independent zstd frames behind a table of their hashes.

Frames are cut by the content alone, so the fast and the well-packed form of a layer have one identity.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.pipeline import Context

CLOSE_AT = 4 << 20
"""A frame that holds this many bytes is closed before the next member."""
LARGEST = 8 << 20
"""No frame is larger than this, unpacked."""
LEVELS = {"dev": 3, "release": 19}
"""zstd's level by profile."""

_SKIPPABLE = 0x184D2A50
_HEAD = b"PYPKLYR\x01"
_ENTRY = struct.Struct("<III32s")
_BLOCK = 512
_CARRIES_ON = 1
_LONG = (b"L", b"K")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A piece of a tar: ``data`` is at most :data:`LARGEST` bytes."""

    data: bytes
    carries_on: bool


def frames(image: Path) -> Iterator[Frame]:
    """Cut a tar image into frames.

    A frame is closed before a member's header once it holds :data:`CLOSE_AT` bytes, and wherever it
    would pass :data:`LARGEST`. Long-name entries stay with the member that they belong to.
    """
    with image.open("rb") as stream:
        cutter = _Cutter()
        for header, size in _units(stream):
            yield from cutter.begin(header)
            left = size
            while left:
                piece = stream.read(min(left, 1 << 20, cutter.room()))
                if not piece:
                    raise StepError(f"{image.name} ends inside a member")
                left -= len(piece)
                yield from cutter.more(piece)
        yield from cutter.end()


class _Cutter:
    """Gathers bytes into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._carries_on = False

    def room(self) -> int:
        return LARGEST - len(self._data) or LARGEST

    def begin(self, header: bytes) -> Iterator[Frame]:
        if len(self._data) >= CLOSE_AT or len(self._data) + len(header) > LARGEST:
            yield self._close(carries_on=False)
        self._data += header

    def more(self, piece: bytes) -> Iterator[Frame]:
        if len(self._data) == LARGEST:
            yield self._close(carries_on=True)
        self._data += piece

    def end(self) -> Iterator[Frame]:
        if self._data:
            yield self._close(carries_on=False)

    def _close(self, *, carries_on: bool) -> Frame:
        frame = Frame(data=bytes(self._data), carries_on=self._carries_on)
        self._data.clear()
        self._carries_on = carries_on
        return frame


def _units(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield what must stand together at a member's start, and the size of the padded content behind it."""
    while header := stream.read(_BLOCK):
        while header[-_BLOCK + 156 : -_BLOCK + 157] in _LONG:  # the name comes before the member's own header
            header += stream.read(_padded(_size(header[-_BLOCK:])))
            header += stream.read(_BLOCK)
        yield header, _padded(_size(header[-_BLOCK:]))


def _size(header: bytes) -> int:
    field = header[124:136]
    if field[0] == 0x80:  # base-256, from 8 GiB on
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b"\0 ") or b"0", 8)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def identity(entries: list[tuple[int, int, bytes]]) -> bytes:
    """Return a layer's identity from ``(unpacked size, flags, sha256)`` of each frame."""
    return hashlib.sha256(b"".join(struct.pack("<II32s", *entry) for entry in entries)).digest()


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What the trailer says about a layer. ``size`` and ``unpacked`` in bytes."""

    sha256: bytes
    size: int
    unpacked: int
    frames: int


def run_layer(context: Context) -> None:
    """Step: image -> layer. Params: ``profile``."""
    write_layer(context.inputs[0], context.product, level=LEVELS[context.params["profile"]], jobs=context.settings.jobs)


def write_layer(image: Path, target: Path, *, level: int, jobs: int = 1) -> LayerFacts:
    """Write the layer of ``image``; frames are packed on ``jobs`` threads, a few at a time."""
    spool = target.with_name(f"{target.name}.frames")
    entries: list[tuple[int, int, int, bytes]] = []
    try:
        with spool.open("wb") as out:
            for packed, unpacked, flags, digest in _packed_frames(image, level, jobs):
                out.write(packed)
                entries.append((len(packed), unpacked, flags, digest))
        table = _HEAD + b"".join(_ENTRY.pack(*entry) for entry in entries)
        with target.open("wb") as out, spool.open("rb") as packed_frames:
            out.write(struct.pack("<II", _SKIPPABLE, len(table)) + table)
            while piece := packed_frames.read(1 << 20):
                out.write(piece)
            size = out.tell()
    finally:
        spool.unlink(missing_ok=True)
    return LayerFacts(
        sha256=identity([entry[1:] for entry in entries]),
        size=size,
        unpacked=sum(entry[1] for entry in entries),
        frames=len(entries),
    )


def read_facts(layer: Path) -> LayerFacts:
    """Read a layer's frame table."""
    with layer.open("rb") as stream:
        magic, length = struct.unpack("<II", stream.read(8))
        table = stream.read(length)
        size = stream.seek(0, 2)
    if magic != _SKIPPABLE or not table.startswith(_HEAD) or (len(table) - len(_HEAD)) % _ENTRY.size:
        raise StepError(f"{layer} is not a layer", do="remove it and build again")
    entries = list(_ENTRY.iter_unpack(table[len(_HEAD) :]))
    return LayerFacts(
        sha256=identity([entry[1:] for entry in entries]),
        size=size,
        unpacked=sum(entry[1] for entry in entries),
        frames=len(entries),
    )


def _packed_frames(image: Path, level: int, jobs: int) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Yield ``(packed, unpacked size, flags, sha256)`` in order; at most ``jobs + 2`` frames are in memory."""
    waiting: deque[Future[tuple[bytes, int, int, bytes]]] = deque()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for frame in frames(image):
            waiting.append(pool.submit(_pack, frame, level))
            if len(waiting) > jobs + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _pack(frame: Frame, level: int) -> tuple[bytes, int, int, bytes]:
    import zstandard

    # threads=0 would give other bytes than any other number. zstd's own checksum is left out: the table has a
    # better one.
    packed = zstandard.ZstdCompressor(level=level, threads=1, write_content_size=True).compress(frame.data)
    flags = _CARRIES_ON if frame.carries_on else 0
    return packed, len(frame.data), flags, hashlib.sha256(frame.data).digest()
