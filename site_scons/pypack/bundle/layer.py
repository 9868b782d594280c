"""Turn a tar image into a layer: independent zstd frames behind a table of their hashes.

Frames are cut by the content alone, so the fast and the well-packed form of a layer have one identity. Frames do not
know of each other: :mod:`pypack.bundle.joined` makes one layer of those of several images.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pypack.pipeline import Context

CLOSE_AT = 4 << 20
"""A frame that holds this many bytes is closed before the next member."""
LARGEST = 8 << 20
"""No frame is larger than this, unpacked."""
LEVELS = {"dev": 3, "release": 19}
"""zstd's level by profile."""
AT_ONCE = {"dev": 64, "release": 2}
"""Frames that one process packs at a time, by profile: zstd takes 90 MB for each at level 19, a few at level 3."""

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


def frames(image: Path, *, end: bool = True) -> Iterator[Frame]:
    """Cut a tar image into frames.

    A frame is closed before a member's header once it holds :data:`CLOSE_AT` bytes, and wherever it
    would pass :data:`LARGEST`. Long-name entries stay with the member that they belong to. Without ``end`` the zero
    blocks at the image's end are left out, so that something can follow.
    """
    with image.open("rb") as stream:
        yield from cut(stream, image.name, end=end)


def cut(stream: IO[bytes], name: str, *, end: bool = True) -> Iterator[Frame]:
    """Cut an open tar, or a piece of one that begins with a member, into frames; see :func:`frames`."""
    cutter = _Cutter()
    for header, size in units(stream):
        if not end and not any(header):
            break
        yield from cutter.begin(header)
        left = size
        while left:
            piece = stream.read(min(left, 1 << 20, cutter.room()))
            if not piece:
                raise StepError(f"{name} ends inside a member")
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


def units(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
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


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A frame as it stands in a layer. ``unpacked`` in bytes, ``sha256`` of what is unpacked."""

    data: bytes
    unpacked: int
    flags: int
    sha256: bytes


def run_layer(context: Context) -> None:
    """Step: image -> layer. Params: ``profile``; ``part``: it is to be joined with others, so its end is left out."""
    profile, jobs = context.params["profile"], context.settings.jobs
    source = frames(context.inputs[0], end=not context.params.get("part", False))
    write(packed_frames(source, profile=profile, jobs=jobs), context.product)


def write_layer(image: Path, target: Path, *, level: int, jobs: int = 1) -> LayerFacts:
    """Write the layer of ``image``; frames are packed on ``jobs`` threads, a few at a time."""
    return write(_packed_frames(frames(image), level, jobs), target)


def write(source: Iterable[Packed], target: Path) -> LayerFacts:
    """Write a layer of some frames, in their order."""
    spool = target.with_name(f"{target.name}.frames")
    entries: list[tuple[int, int, int, bytes]] = []
    try:
        with spool.open("wb") as out:
            for frame in source:
                out.write(frame.data)
                entries.append((len(frame.data), frame.unpacked, frame.flags, frame.sha256))
        table = _HEAD + b"".join(_ENTRY.pack(*entry) for entry in entries)
        with target.open("wb") as out, spool.open("rb") as ready:
            out.write(struct.pack("<II", _SKIPPABLE, len(table)) + table)
            while piece := ready.read(1 << 20):
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
        entries = _table(stream, layer)
        size = stream.seek(0, 2)
    return LayerFacts(
        sha256=identity([entry[1:] for entry in entries]),
        size=size,
        unpacked=sum(entry[1] for entry in entries),
        frames=len(entries),
    )


def read(layer: Path) -> Iterator[Packed]:
    """Yield the frames of a layer."""
    with layer.open("rb") as stream:
        for size, unpacked, flags, digest in _table(stream, layer):
            yield Packed(data=stream.read(size), unpacked=unpacked, flags=flags, sha256=digest)


def _table(stream: IO[bytes], layer: Path) -> list[tuple[int, int, int, bytes]]:
    """Read the frame table, and leave ``stream`` where the frames begin."""
    magic, length = struct.unpack("<II", stream.read(8))
    table = stream.read(length)
    if magic != _SKIPPABLE or not table.startswith(_HEAD) or (len(table) - len(_HEAD)) % _ENTRY.size:
        raise StepError(f"{layer} is not a layer", do="remove it and build again")
    return list(_ENTRY.iter_unpack(table[len(_HEAD) :]))


def packed_frames(source: Iterable[Frame], *, profile: str, jobs: int) -> Iterator[Packed]:
    """Pack frames as a profile does, on up to ``jobs`` threads, in order.

    SCons runs several steps at once in one process; all of them together hold and pack :data:`AT_ONCE` frames.
    """
    return _packed_frames(source, LEVELS[profile], min(jobs, AT_ONCE[profile]), _room(profile))


@functools.cache
def _room(profile: str) -> threading.Semaphore:
    return threading.Semaphore(AT_ONCE[profile])


def _packed_frames(
    source: Iterable[Frame], level: int, jobs: int, room: threading.Semaphore | None = None
) -> Iterator[Packed]:
    """Yield the packed frames in order. A frame is read when there is room to pack it."""
    room = room or threading.Semaphore(jobs)
    waiting: deque[Future[Packed]] = deque()
    frames = iter(source)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        while task := _next_task(frames, level, room):
            waiting.append(pool.submit(task))
            while waiting and (waiting[0].done() or len(waiting) > jobs):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _next_task(frames: Iterator[Frame], level: int, room: threading.Semaphore) -> Callable[[], Packed] | None:
    """Read a frame into the room that there is, and return what packs it and gives the room back."""
    room.acquire()
    try:
        frame = next(frames, None)
    except BaseException:
        room.release()
        raise
    if frame is None:
        room.release()
        return None

    def task() -> Packed:
        try:
            return _pack(frame, level)
        finally:
            room.release()

    return task


def _pack(frame: Frame, level: int) -> Packed:
    import zstandard

    # threads=0 would give other bytes than any other number. zstd's own checksum is left out: the table has a
    # better one.
    packed = zstandard.ZstdCompressor(level=level, threads=1, write_content_size=True).compress(frame.data)
    flags = _CARRIES_ON if frame.carries_on else 0
    digest = hashlib.sha256(frame.data).digest()
    return Packed(data=packed, unpacked=len(frame.data), flags=flags, sha256=digest)


def unpack(frame: Packed) -> bytes:
    """Return the piece of a tar that a frame holds."""
    import zstandard

    return zstandard.ZstdDecompressor().decompress(frame.data, max_output_size=frame.unpacked)
