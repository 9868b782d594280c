"""Open a bundle again and check all of it.

This module shares nothing with what writes on purpose: it is written from ``docs/bundle-format.md``, so that
a mistake of the one is not repeated by the other. (Headers of tars are read by :mod:`pypack.images.tars`, which reads
images, too.) It also serves ``pypack inspect``.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from pypack import hosts
from pypack.bundle.extent import Extent, Part, extents
from pypack.errors import InputError
from pypack.images import tars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_MAGIC = b"PYPK\x00\x02\x00\x00"
_ZIP_ERRORS = (
    zipfile.BadZipFile, OSError, EOFError, ValueError, LookupError, RuntimeError, OverflowError, MemoryError,
    zlib.error, struct.error,
)  # fmt: skip
_TIME = 315532800
_AT_ONCE = 4
"""Frames that are unpacked at a time, 8 MiB each."""
_LARGEST_FRAME = 8 << 20
_LARGEST_MANIFEST = 64 << 20
_KINDS = {1: "runtime", 2: "deps", 3: "app"}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of the layer table, as it stands in the file."""

    kind: str
    offset: int
    size: int
    unpacked: int
    frames: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a bundle says about itself. Offsets count from ``start``, which is 0 but for Mach-Os.

    ``arch`` is the processor of a Mach-O; one file may hold several bundles. ``signed``: a PE's certificate follows.
    """

    path: Path
    container: str
    arch: str
    signed: bool
    start: int
    size: int
    id: str
    first_line: str
    launch: dict[str, list[str]]
    layers: tuple[Layer, ...]
    app_offset: int
    manifest: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Bundle:
    """Read a bundle's trailer and manifest; of a universal one the first. See :func:`read_all`."""
    return read_all(path)[0]


def read_all(path: Path) -> list[Bundle]:
    """Read the trailer and manifest of each bundle in a file: a universal Mach-O has one for each processor.

    What is not a bundle, or a damaged one, is an :class:`InputError`.
    """
    if path.is_dir() or not path.exists():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'not there'}", do="name a bundle")
    try:
        with path.open("rb") as stream:
            return [_read(path, stream, each) for each in _places(path, stream)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", do="name a bundle") from error


def _places(path: Path, stream: IO[bytes]) -> list[Extent]:
    try:
        return extents(stream)
    except InputError as error:
        raise InputError(f"{path} is not a bundle of pypack, or damaged: {error}") from None


def _read(path: Path, stream: IO[bytes], place: Extent) -> Bundle:
    part = _part(stream, place)
    size = place.end - place.start
    tail = _at(part, max(0, size - 32), min(32, size))
    if tail[:8] != _MAGIC or size < 96:
        raise InputError(f"{path} is not a bundle of pypack, or was cut short", do="build or copy it again")
    foot = _at(part, size - 96, 96)
    length = _number(foot, 32, 4)
    whole = _at(part, size - length, length) if 96 <= length <= min(size, 0xFFFF) else b""
    if hashlib.sha256(whole[:-96] + whole[-64:]).digest() != foot[:32]:
        raise InputError(f"the trailer of {path} is damaged", do="build or copy it again")
    block = whole[_number(foot, 36, 4) :][: _number(foot, 40, 4)]
    table = whole[_number(foot, 44, 4) :][: _number(foot, 48, 4) * 72]
    launch: dict[str, list[str]] = {}
    for pair in _text(block, f"the launch block of {path}").split("\0")[:-1]:
        key, _, value = pair.partition("=")
        launch.setdefault(key, []).append(value)
    return Bundle(
        path=path,
        container=place.container,
        arch=place.arch,
        signed=place.signed,
        start=place.start,
        size=_number(foot, 56, 8),
        id=foot[:16].hex(),
        first_line=_text(whole.split(b"\n", 1)[0], f"the first line of {path}").rstrip(),
        launch=launch,
        layers=tuple(_layer(table[at : at + 72]) for at in range(0, len(table), 72)),
        app_offset=_number(foot, 88, 8),
        manifest=_manifest(part),
    )


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is no text in UTF-8: {error}", do="build or copy it again") from None


def faults(path: Path, *, sound: set[str] | None = None) -> list[str]:
    """Check every byte of a bundle and return what is wrong with it, in words; an empty list is the best answer.

    ``sound`` holds marks of layers (their bytes and their row of the table) that were checked before: they are hashed,
    and not unpacked again. What is found sound is added.
    """
    try:
        bundles = read_all(path)
    except InputError as error:
        return [str(error)]
    found: list[str] = []
    with path.open("rb") as stream:
        for bundle, place in zip(bundles, extents(stream), strict=True):
            told = _bundle_faults(bundle, _part(stream, place), place, sound)
            found += [f"{bundle.arch}: {fault}" for fault in told] if len(bundles) > 1 else told
    if bundles[0].container == "macho":
        from pypack.macho import check

        found += check.faults(path)
    return found


def _bundle_faults(bundle: Bundle, part: IO[bytes], place: Extent, sound: set[str] | None) -> list[str]:
    size = place.end - place.start
    found = [] if bundle.size == size else [f"its trailer says {bundle.size} bytes, there are {size}"]
    for layer in bundle.layers:
        if layer.offset + layer.size > size:
            told = ["it goes beyond the end of the bundle"]
        elif layer.kind == "app":
            told = _app_faults(part, layer)
        elif sound is None:
            told = _layer_faults(part, layer)
        else:
            mark = _mark(part, layer)
            told = [] if mark in sound else _layer_faults(part, layer)
            sound.update([] if told else [mark])
        found += [f"{layer.kind} layer: {fault}" for fault in told]
    return found + _zip_faults(part)


def _part(stream: IO[bytes], place: Extent) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(Part(stream, place.start, place.end)))


def _layer_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    try:
        return _frames_faults(stream, layer, _frame_table(stream, layer))
    except ValueError as error:
        return [str(error)]


def _frame_table(stream: IO[bytes], layer: Layer) -> bytes:
    """Return the frame table of a layer; a :class:`ValueError` tells what is wrong with it."""
    head = _at(stream, layer.offset, 8)
    if layer.size < 8 or _number(head, 0, 4) != 0x184D2A50:
        raise ValueError("it does not begin with a frame table")
    if _number(head, 4, 4) > layer.size - 8:
        raise ValueError("its frame table is longer than the layer")
    table = _at(stream, layer.offset + 8, _number(head, 4, 4))
    if not table.startswith(b"PYPKLYR\x01"):
        raise ValueError("its frame table is of no known kind")
    return table


def _frames_faults(stream: IO[bytes], layer: Layer, table: bytes) -> list[str]:
    rows = [table[at : at + 44] for at in range(8, len(table) - 43, 44)]
    listed = hashlib.sha256(b"".join(row[4:] for row in rows)).hexdigest()
    if listed != layer.sha256 or len(rows) != layer.frames:
        return ["its frame table does not give its identity"]
    tar = _TarCheck()
    position, unpacked = layer.offset + 8 + len(table), 0
    for row, read in _unpacked(stream, layer, rows, position):
        packed, plain = _number(row, 0, 4), _number(row, 4, 4)
        try:
            data = read()
        except ValueError as error:
            return [f"the frame at {position} {error}"]
        tar.feed(data, carries_on=bool(_number(row, 8, 4) & 1))
        position, unpacked = position + packed, unpacked + plain
    if position != layer.offset + layer.size or unpacked != layer.unpacked:
        tar.found.append("its sizes do not add up")
    return tar.end()


def _unpacked(
    stream: IO[bytes], layer: Layer, rows: Sequence[bytes], position: int
) -> Iterator[tuple[bytes, Callable[[], bytes]]]:
    """Yield each row with what returns its frame's content, or raises a ValueError; some frames ahead, on threads."""
    workers = min(hosts.cores(), _AT_ONCE)
    waiting: deque[tuple[bytes, Callable[[], bytes]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for row in rows:
            packed = _number(row, 0, 4)
            if position + packed > layer.offset + layer.size:
                waiting.append((row, _beyond))
                break
            waiting.append((row, pool.submit(_frame, _at(stream, position, packed), row).result))
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

    plain = _number(row, 4, 4)
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


class _TarCheck:
    """Looks at the members of a tar, frame by frame."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._left = 0
        self._kinds: dict[bytes, bytes] = {}

    def feed(self, data: bytes, *, carries_on: bool) -> None:
        if carries_on != bool(self._left):
            self.found.append("a frame's flag does not say whether a member carries on")
        at, self._left = min(self._left, len(data)), max(0, self._left - len(data))
        while at < len(data):
            try:
                member = tars.member(lambda offset, size: data[offset : offset + size], at)
            except ValueError:
                self.found.append("a member's header cannot be read")
                return
            if member is None:
                return
            self._look(member)
            end = member.content + tars.padded(member.size)
            self._left = max(0, end - len(data))
            at = min(end, len(data))

    def _look(self, member: tars.Member) -> None:
        name = member.name.rstrip(b"/")
        told = name.decode("utf-8", "replace")
        if name in self._kinds:
            self.found.append(f"{told} is there twice")
        if name.startswith(b"/") or b".." in name.split(b"/"):
            self.found.append(f"{told} leaves the tree")
        owned = member.user or member.group
        if member.kind not in {tars.FILE, tars.LINK, tars.FOLDER} or member.time != _TIME or owned:
            self.found.append(f"{told} is not normalised")
        self._kinds[name] = member.kind

    def end(self) -> list[str]:
        """Return all that was found, now that every member was seen: they stand in any order."""
        for name in self._kinds:
            above = name
            while above := above.rpartition(b"/")[0]:
                if self._kinds.get(above, tars.FOLDER) != tars.FOLDER:
                    told = name.decode("utf-8", "replace")
                    self.found.append(f"{told} stands below what is no folder")
        return self.found


def _app_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    whole = _digest(stream, layer) == layer.sha256 and layer.size == layer.unpacked
    return [] if whole else ["it does not have its hash"]


def _mark(stream: IO[bytes], layer: Layer) -> str:
    told = [_digest(stream, layer), layer.sha256, layer.size, layer.unpacked, layer.frames]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _digest(stream: IO[bytes], layer: Layer) -> str:
    stream.seek(layer.offset)
    digest, left = hashlib.sha256(), layer.size
    while left and (piece := stream.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def _zip_faults(part: IO[bytes]) -> list[str]:
    try:
        with zipfile.ZipFile(part) as packed:
            squeezed = [each.filename for each in packed.infolist() if each.compress_type]
            bad = None if squeezed else packed.testzip()  # unpacking fails in ways of each method's own
            names = set(packed.namelist())
            missing = {"__main__.py", "boot.py" if "boot.py" in names else "boot.pyc", "launch", "pypack.json"} - names
    except _ZIP_ERRORS as error:
        return [f"it is not a zip: {error}"]
    found = [f"zip entry {bad} is damaged"] if bad else []
    found += [f"zip entry {name} is missing" for name in sorted(missing)]
    return found + [f"zip entry {name} is not stored" for name in squeezed]


def _manifest(part: IO[bytes]) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(part) as packed:
            info = packed.getinfo("pypack.json")
            if info.compress_type or max(info.compress_size, info.file_size) > _LARGEST_MANIFEST:
                return {}
            content = json.loads(packed.read(info))
            return content if isinstance(content, dict) else {}
    except _ZIP_ERRORS:
        return {}


def _layer(row: bytes) -> Layer:
    return Layer(
        kind=_KINDS.get(_number(row, 0, 4), "unknown"),
        offset=_number(row, 8, 8),
        size=_number(row, 16, 8),
        unpacked=_number(row, 24, 8),
        frames=_number(row, 32, 4),
        sha256=row[40:72].hex(),
    )


def _at(stream: IO[bytes], offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
