"""Open a bundle again and check all of it.

This module shares nothing with the writer on purpose: it is written from ``docs/bundle-format.md``, so that
a mistake of the one is not repeated by the other. It also serves ``pypack inspect``.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from pypack.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"PYPK\x00\x02\x00\x00"
_ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, ValueError, LookupError, RuntimeError, zlib.error, struct.error)
_KINDS = {1: "runtime", 2: "deps", 3: "app"}
_CONTAINERS = ((b"\x7fELF", "elf"), (b"MZ", "pe"), (b"\xcf\xfa\xed\xfe", "macho"), (b"\xca\xfe\xba\xbe", "macho"))


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
    """What a bundle says about itself."""

    path: Path
    container: str
    size: int
    id: str
    first_line: str
    launch: dict[str, list[str]]
    layers: tuple[Layer, ...]
    app_offset: int
    manifest: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Bundle:
    """Read a bundle's trailer and manifest. What is not a bundle, or a damaged one, is an :class:`InputError`."""
    if path.is_dir() or not path.exists():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'not there'}", do="name a bundle")
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        tail = _at(stream, max(0, size - 32), min(32, size))
        if tail[:8] != _MAGIC:
            raise InputError(f"{path} is not a bundle of pypack, or was cut short", do="build or copy it again")
        foot = _at(stream, size - 96, 96)
        length = _number(foot, 32, 4)
        whole = _at(stream, size - length, length) if 96 <= length <= min(size, 0xFFFF) else b""
        if hashlib.sha256(whole[:-96] + whole[-64:]).digest() != foot[:32]:
            raise InputError(f"the trailer of {path} is damaged", do="build or copy it again")
        head = _at(stream, 0, 4)
    block = whole[_number(foot, 36, 4) :][: _number(foot, 40, 4)]
    table = whole[_number(foot, 44, 4) :][: _number(foot, 48, 4) * 72]
    launch: dict[str, list[str]] = {}
    for pair in block.decode().split("\0")[:-1]:
        key, _, value = pair.partition("=")
        launch.setdefault(key, []).append(value)
    return Bundle(
        path=path,
        container=next((name for magic, name in _CONTAINERS if head.startswith(magic)), "unknown"),
        size=_number(foot, 56, 8),
        id=foot[:16].hex(),
        first_line=whole.split(b"\n", 1)[0].decode(),
        launch=launch,
        layers=tuple(_layer(table[at : at + 72]) for at in range(0, len(table), 72)),
        app_offset=_number(foot, 88, 8),
        manifest=_manifest(path),
    )


def faults(path: Path) -> list[str]:
    """Check every byte of a bundle and return what is wrong with it, in words; an empty list is the best answer."""
    try:
        bundle = read(path)
    except InputError as error:
        return [str(error)]
    found = [] if bundle.size == path.stat().st_size else [f"its trailer says {bundle.size} bytes"]
    with path.open("rb") as stream:
        for layer in bundle.layers:
            check = _app_faults if layer.kind == "app" else _layer_faults
            found += [f"{layer.kind} layer: {fault}" for fault in check(stream, layer)]
    return found + _zip_faults(path)


def _layer_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    import zstandard

    table = _at(stream, layer.offset, 8)
    if _number(table, 0, 4) != 0x184D2A50:
        return ["it does not begin with a frame table"]
    table = _at(stream, layer.offset + 8, _number(table, 4, 4))
    if not table.startswith(b"PYPKLYR\x01"):
        return ["its frame table is of no known kind"]
    rows = [table[at : at + 44] for at in range(8, len(table) - 43, 44)]
    listed = hashlib.sha256(b"".join(row[4:] for row in rows)).hexdigest()
    if listed != layer.sha256 or len(rows) != layer.frames:
        return ["its frame table does not give its identity"]
    tar = _TarCheck()
    position, unpacked = layer.offset + 8 + len(table), 0
    for row in rows:
        packed, plain = _number(row, 0, 4), _number(row, 4, 4)
        try:
            data = zstandard.ZstdDecompressor().decompress(_at(stream, position, packed), max_output_size=plain)
        except zstandard.ZstdError as error:
            return [f"the frame at {position} cannot be unpacked: {error}"]
        if len(data) != plain or hashlib.sha256(data).digest() != row[12:]:
            return [f"the frame at {position} does not have its hash"]
        tar.feed(data, carries_on=bool(_number(row, 8, 4) & 1))
        position, unpacked = position + packed, unpacked + plain
    if position != layer.offset + layer.size or unpacked != layer.unpacked:
        tar.found.append("its sizes do not add up")
    return tar.found


class _TarCheck:
    """Looks at the members of a tar, frame by frame, with Python's own reader."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._left = 0
        self._last = b""

    def feed(self, data: bytes, *, carries_on: bool) -> None:
        if carries_on != bool(self._left):
            self.found.append("a frame's flag does not say whether a member carries on")
        skip, self._left = min(self._left, len(data)), max(0, self._left - len(data))
        stream = io.BytesIO(data)
        stream.seek(skip)
        while stream.tell() < len(data) and any(data[stream.tell() : stream.tell() + 512]):
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                info = tar.next()
            if info is None:
                self.found.append("a member's header cannot be read")
                return
            self._look(info)
            end = info.offset_data + (-(-info.size // 512) * 512 if info.isfile() else 0)
            self._left = max(0, end - len(data))
            stream.seek(min(end, len(data)))

    def _look(self, info: tarfile.TarInfo) -> None:
        name = info.name.encode("utf-8", "surrogateescape")
        if name <= self._last:
            self.found.append(f"{info.name} is out of order or there twice")
        if info.name.startswith("/") or ".." in info.name.split("/"):
            self.found.append(f"{info.name} leaves the tree")
        if not (info.isfile() or info.issym() or info.isdir()) or info.mtime != 315532800 or info.uid or info.gid:
            self.found.append(f"{info.name} is not normalised")
        self._last = name


def _app_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    stream.seek(layer.offset)
    digest, left = hashlib.sha256(), layer.size
    while left and (piece := stream.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    return [] if digest.hexdigest() == layer.sha256 and layer.size == layer.unpacked else ["it does not have its hash"]


def _zip_faults(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as packed:
            bad = packed.testzip()
            missing = {"__main__.py", "boot.pyc", "launch", "pypack.json"} - set(packed.namelist())
            squeezed = [each.filename for each in packed.infolist() if each.compress_type]
    except _ZIP_ERRORS as error:
        return [f"it is not a zip: {error}"]
    found = [f"zip entry {bad} is damaged"] if bad else []
    found += [f"zip entry {name} is missing" for name in sorted(missing)]
    return found + [f"zip entry {name} is not stored" for name in squeezed]


def _manifest(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as packed:
            content: dict[str, Any] = json.loads(packed.read("pypack.json"))
            return content
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
