"""Turn a tar image into a layer: independent zstd frames behind a table of their hashes.

Frames are cut by the content alone, so the fast and the well-packed form of a layer have one identity. Frames are
independent: :mod:`pypack.bundle.joined` makes one layer of the frames of several images.
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

from pypack.bundle import listing
from pypack.bundle.listing import Listing
from pypack.errors import StepError
from pypack.steps import interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pypack.steps.step import Context

_DOCS = "docs/bundle-format.md"

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
_CHUNK = 1 << 20
_CONTINUES_MEMBER = 1
_LONG = (b"L", b"K")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A piece of a tar: ``data`` is at most :data:`LARGEST` bytes."""

    data: bytes
    continues_member: bool


def frames(image: Path, *, end: bool = True, files: Listing | None = None) -> Iterator[Frame]:
    """Cut a tar image into frames.

    A frame is closed before a member's header once it holds :data:`CLOSE_AT` bytes, and wherever it
    would pass :data:`LARGEST`. Long-name entries stay with the member that they belong to. Without ``end`` the zero
    blocks at the image's end are left out, so that something can follow. Each file is put into ``files``; where the
    end is not left out, that list becomes the last member.
    """
    with image.open("rb") as stream:
        yield from cut(stream, image.name, end=end, files=files)


def cut(stream: IO[bytes], name: str, *, end: bool = True, files: Listing | None = None) -> Iterator[Frame]:
    """Cut an open tar, or a piece of one that begins with a member, into frames; see :func:`frames`."""
    cutter = _Cutter()
    for header, size in units(stream):
        if any(header):
            if files is not None:
                files.begin(header)
        elif not end:
            break
        elif files is not None:
            yield from _listing_frames(cutter, files)
            files = None
        yield from cutter.begin(header)
        left = size
        while left:
            piece = stream.read(min(left, _CHUNK, cutter.free()))
            if not piece:
                raise StepError(
                    f"{name} ends inside a member",
                    hint="build again without the cache (scons --cache-disable), and report it",
                    docs=_DOCS,
                )
            left -= len(piece)
            if files is not None:
                files.more(piece)
            yield from cutter.more(piece)
    yield from cutter.end()


def _listing_frames(cutter: _Cutter, files: Listing) -> Iterator[Frame]:
    header, content = files.member()
    yield from cutter.begin(header)
    at = 0
    while at < len(content):
        piece = content[at : at + min(_CHUNK, cutter.free())]
        at += len(piece)
        yield from cutter.more(piece)


class _Cutter:
    """Gathers bytes into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._continues_member = False

    def free(self) -> int:
        return LARGEST - len(self._data) or LARGEST

    def begin(self, header: bytes) -> Iterator[Frame]:
        if len(self._data) >= CLOSE_AT or len(self._data) + len(header) > LARGEST:
            yield self._close(continues_member=False)
        self._data += header

    def more(self, piece: bytes) -> Iterator[Frame]:
        if len(self._data) == LARGEST:
            yield self._close(continues_member=True)
        self._data += piece

    def end(self) -> Iterator[Frame]:
        if self._data:
            yield self._close(continues_member=False)

    def _close(self, *, continues_member: bool) -> Frame:
        frame = Frame(data=bytes(self._data), continues_member=self._continues_member)
        self._data.clear()
        self._continues_member = continues_member
        return frame


def units(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the headers of each member (long names included), and the size of its padded content in bytes."""
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
    """A layer as the trailer describes it. ``size`` and ``unpacked`` in bytes."""

    sha256: bytes
    size: int
    unpacked: int
    frames: int


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A packed frame of a layer. ``unpacked`` is the size of its content in bytes, ``sha256`` the hash of that."""

    data: bytes
    unpacked: int
    flags: int
    sha256: bytes


def run_layer(context: Context) -> None:
    """Step: image -> layer, whose last member is the list of its files (:mod:`pypack.bundle.listing`).

    Params: ``profile``; ``part``: the layer is to be joined with others: its end is left out, and its list is appended.
    """
    profile, jobs, part = context.params["profile"], context.settings.jobs, context.params.get("part", False)
    files = Listing()
    source = frames(context.inputs[0], end=not part, files=files)
    write(packed_frames(source, profile=profile, jobs=jobs), context.product)
    if part:
        listing.append(context.product, files.rows)


def write_layer(image: Path, target: Path, *, level: int, jobs: int = 1) -> LayerFacts:
    """Write the layer of ``image``; frames are packed on ``jobs`` threads, a few at a time."""
    return write(_packed_frames(frames(image, files=Listing()), level, jobs), target)


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


def read_rows(part: Path) -> list[listing.Row]:
    """Return the files of a part of a layer, as :func:`run_layer` found them."""
    with part.open("rb") as stream:
        behind = sum(size for size, *_ in _table(stream, part))
        stream.seek(behind, 1)
        return listing.read(stream, part)


def _table(stream: IO[bytes], layer: Path) -> list[tuple[int, int, int, bytes]]:
    """Read the frame table, and leave ``stream`` where the frames begin."""
    magic, length = struct.unpack("<II", stream.read(8))
    table = stream.read(length)
    if magic != _SKIPPABLE or not table.startswith(_HEAD) or (len(table) - len(_HEAD)) % _ENTRY.size:
        raise StepError(f"{layer} is not a layer", hint="remove it and build again", docs=_DOCS)
    return list(_ENTRY.iter_unpack(table[len(_HEAD) :]))


def packed_frames(source: Iterable[Frame], *, profile: str, jobs: int) -> Iterator[Packed]:
    """Pack frames as a profile does, on up to ``jobs`` threads, in order.

    SCons runs several steps at once in one process; all of them together have at most :data:`AT_ONCE` frames.
    """
    return _packed_frames(source, LEVELS[profile], min(jobs, AT_ONCE[profile]), _slots(profile))


@functools.cache
def _slots(profile: str) -> threading.Semaphore:
    return threading.Semaphore(AT_ONCE[profile])


def _packed_frames(
    source: Iterable[Frame], level: int, jobs: int, slots: threading.Semaphore | None = None
) -> Iterator[Packed]:
    """Yield the packed frames in order. A frame is read when a slot is free to pack it."""
    slots = slots or threading.Semaphore(jobs)
    waiting: deque[Future[Packed]] = deque()
    frames = iter(source)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        while task := _next_task(frames, level, slots):
            waiting.append(pool.submit(task))
            while waiting and (waiting[0].done() or len(waiting) > jobs):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _next_task(frames: Iterator[Frame], level: int, slots: threading.Semaphore) -> Callable[[], Packed] | None:
    """Wait for a slot, read a frame, and return what packs it and frees the slot; None after the last."""
    interrupt.check()
    slots.acquire()
    try:
        frame = next(frames, None)
    except BaseException:
        slots.release()
        raise
    if frame is None:
        slots.release()
        return None

    def task() -> Packed:
        try:
            return _pack(frame, level)
        finally:
            slots.release()

    return task


def _pack(frame: Frame, level: int) -> Packed:
    import zstandard

    # threads=0 would give other bytes than any other number. zstd's own checksum is left out: the table has a
    # better one.
    packed = zstandard.ZstdCompressor(level=level, threads=1, write_content_size=True).compress(frame.data)
    flags = _CONTINUES_MEMBER if frame.continues_member else 0
    digest = hashlib.sha256(frame.data).digest()
    return Packed(data=packed, unpacked=len(frame.data), flags=flags, sha256=digest)


def unpack(frame: Packed) -> bytes:
    """Return the piece of a tar that a frame holds."""
    import zstandard

    return zstandard.ZstdDecompressor().decompress(frame.data, max_output_size=frame.unpacked)
