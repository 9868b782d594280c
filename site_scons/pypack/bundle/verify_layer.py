"""Check one layer of a bundle: its frame table, every frame, and the tar that they make up.

With :mod:`pypack.bundle.verify`, written from ``docs/bundle-format.md`` and not from the writer.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pypack.base import hosts
from pypack.bundle.verify_list import FilesCheck
from pypack.formats import tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TIME = 315532800
_AT_ONCE = 4
"""Frames that are unpacked at a time, 8 MiB each."""
_LARGEST_FRAME = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of the layer table, as it stands in the file."""

    kind: str
    offset: int
    size: int
    unpacked: int
    frames: int
    sha256: str


def find_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    """Return what is wrong with a layer; ``stream`` is the bundle, from which its offsets count."""
    try:
        return _frames_faults(stream, layer, _frame_table(stream, layer))
    except ValueError as error:
        return [str(error)]


def _frame_table(stream: IO[bytes], layer: Layer) -> bytes:
    """Return the frame table of a layer; a :class:`ValueError` tells what is wrong with it."""
    head = read_at(stream, layer.offset, 8)
    if layer.size < 8 or number(head, 0, 4) != 0x184D2A50:
        raise ValueError("it does not begin with a frame table")
    if number(head, 4, 4) > layer.size - 8:
        raise ValueError("its frame table is longer than the layer")
    table = read_at(stream, layer.offset + 8, number(head, 4, 4))
    if not table.startswith(b"PYPKLYR\x01"):
        raise ValueError("its frame table is of no known kind")
    return table


def _frames_faults(stream: IO[bytes], layer: Layer, table: bytes) -> list[str]:
    rows = [table[at : at + 44] for at in range(8, len(table) - 43, 44)]
    listed = hashlib.sha256(b"".join(row[4:] for row in rows)).hexdigest()
    if listed != layer.sha256 or len(rows) != layer.frames:
        return ["its frame table does not give its identity"]
    tar = TarCheck()
    position, unpacked = layer.offset + 8 + len(table), 0
    for row, read in _unpacked(stream, layer, rows, position):
        packed, plain = number(row, 0, 4), number(row, 4, 4)
        try:
            data = read()
        except ValueError as error:
            return [f"the frame at {position} {error}"]
        tar.feed(data, continues_member=bool(number(row, 8, 4) & 1))
        position, unpacked = position + packed, unpacked + plain
    if position != layer.offset + layer.size or unpacked != layer.unpacked:
        tar.faults.append("its sizes do not add up")
    return tar.end()


def _unpacked(
    stream: IO[bytes], layer: Layer, rows: Sequence[bytes], position: int
) -> Iterator[tuple[bytes, Callable[[], bytes]]]:
    """Yield each row with a function that returns its frame's content or raises ValueError; threads unpack ahead."""
    workers = min(hosts.cores(), _AT_ONCE)
    waiting: deque[tuple[bytes, Callable[[], bytes]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for row in rows:
            packed = number(row, 0, 4)
            if position + packed > layer.offset + layer.size:
                waiting.append((row, _beyond))
                break
            waiting.append((row, pool.submit(_frame, read_at(stream, position, packed), row).result))
            position += packed
            if len(waiting) > workers:
                yield waiting.popleft()
        yield from waiting


def _beyond() -> bytes:
    raise ValueError("goes beyond the end of the layer")


def _frame(packed: bytes, row: bytes) -> bytes:
    """Unpack a zstd frame; a :class:`ValueError` tells why it cannot be, or that it is another than its row says.

    The library makes room for what a frame claims to hold, whatever the most is that it was told.
    """
    import zstandard

    plain = number(row, 4, 4)
    try:
        if plain > _LARGEST_FRAME:
            raise ValueError(f"it would hold {plain:,} bytes, {_LARGEST_FRAME:,} is the most")
        claimed = zstandard.get_frame_parameters(packed).content_size
        if claimed not in {plain, zstandard.CONTENTSIZE_UNKNOWN}:
            raise ValueError(f"it claims {claimed:,} bytes, the frame table {plain:,}")
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=plain)
    except (ValueError, zstandard.ZstdError) as error:
        raise ValueError(f"cannot be unpacked: {error}") from None
    if len(data) != plain or hashlib.sha256(data).digest() != row[12:]:
        raise ValueError("does not have its hash")
    return data


class TarCheck:
    """Checks the members of a tar, frame by frame."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._left = 0
        self._kinds: dict[bytes, bytes] = {}
        self._files = FilesCheck(b".pypack-files")

    def feed(self, data: bytes, *, continues_member: bool) -> None:
        """Check the next frame; ``continues_member``: its row says that it begins inside of a member."""
        if continues_member != bool(self._left):
            self.faults.append("a frame's flag does not say whether a member carries on")
        at, self._left = min(self._left, len(data)), max(0, self._left - len(data))
        self._files.more(memoryview(data)[:at])
        while at < len(data):
            try:
                member = tar.member(lambda offset, size: data[offset : offset + size], at)
            except ValueError:
                self.faults.append("a member's header cannot be read")
                return
            if member is None:
                return
            self._look(member)
            end = member.content + tar.padded(member.size)
            self._left = max(0, end - len(data))
            at = min(end, len(data))
            if member.kind == tar.FILE:
                self._files.begin(member.name, member.size)
                self._files.more(memoryview(data)[member.content : at])

    def _look(self, member: tar.Member) -> None:
        name = member.name.rstrip(b"/")
        shown = name.decode("utf-8", "replace")
        if name in self._kinds:
            self.faults.append(f"{shown} is there twice")
        if name.startswith(b"/") or b".." in name.split(b"/"):
            self.faults.append(f"{shown} leaves the tree")
        owned = member.user or member.group
        if member.kind not in {tar.FILE, tar.LINK, tar.FOLDER} or member.time != _TIME or owned:
            self.faults.append(f"{shown} is not normalised")
        self._kinds[name] = member.kind

    def end(self) -> list[str]:
        """Return all faults; call it after the last frame, since members are in any order."""
        for name in self._kinds:
            above = name
            while above := above.rpartition(b"/")[0]:
                if self._kinds.get(above, tar.FOLDER) != tar.FOLDER:
                    shown = name.decode("utf-8", "replace")
                    self.faults.append(f"{shown} stands below what is no folder")
        return self.faults + self._files.end()


def read_at(stream: IO[bytes], offset: int, size: int) -> bytes:
    """Return ``size`` bytes, fewer at the end of the file."""
    stream.seek(offset)
    return stream.read(size)


def number(data: bytes, at: int, size: int) -> int:
    """Return an unsigned number of ``size`` bytes, the lowest first."""
    return int.from_bytes(data[at : at + size], "little")
