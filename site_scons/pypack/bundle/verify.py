"""Read a finished bundle and check every byte of it; also used by ``pypack inspect``.

This module shares no code with the writer: it is written from ``docs/bundle-format.md``, so that a mistake of one is
not repeated by the other. The exception is :mod:`pypack.formats.tar`, which reads headers of tars for images too.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from pypack.bundle.extent import Extent, SliceReader, extents
from pypack.bundle.verify_layer import Layer, find_faults, number, read_at
from pypack.bundle.verify_list import FilesCheck
from pypack.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_DOCS = "docs/bundle-format.md"

_MAGIC = b"PYPK\x00\x02\x00\x00"
_ZIP_ERRORS = (
    zipfile.BadZipFile, OSError, EOFError, ValueError, LookupError, RuntimeError, OverflowError, MemoryError,
    zlib.error, struct.error,
)  # fmt: skip
_LARGEST_MANIFEST = 64 << 20
_KINDS = {1: "runtime", 2: "deps", 3: "app"}
_LINK = 0o12
"""The kind of a symbolic link, in the uppermost four bits of a mode."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The trailer and manifest of a bundle. Offsets count from ``start``, which is 0 but for Mach-Os.

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

    Raises :class:`InputError` for a damaged bundle, and for a file that is none.
    """
    if path.is_dir() or not path.exists():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'not there'}", hint="name a bundle", docs=_DOCS)
    try:
        with path.open("rb") as stream:
            return [_read(path, stream, extent) for extent in _extents(path, stream)]
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", hint="name a bundle", docs=_DOCS
        ) from error


def _extents(path: Path, stream: IO[bytes]) -> list[Extent]:
    try:
        return extents(stream)
    except InputError as error:
        raise InputError(
            f"{path} is not a bundle of pypack, or damaged: {error.what}",
            hint="name what pypack build has written, or build it again",
            docs=_DOCS,
        ) from None


def _read(path: Path, stream: IO[bytes], extent: Extent) -> Bundle:
    part = _part(stream, extent)
    size = extent.end - extent.start
    tail = read_at(part, max(0, size - 32), min(32, size))
    if tail[:8] != _MAGIC or size < 96:
        raise InputError(
            f"{path} is not a bundle of pypack, or was cut short", hint="build or copy it again", docs=_DOCS
        )
    foot = read_at(part, size - 96, 96)
    length = number(foot, 32, 4)
    trailer = read_at(part, size - length, length) if 96 <= length <= min(size, 0xFFFF) else b""
    if hashlib.sha256(trailer[:-96] + trailer[-64:]).digest() != foot[:32]:
        raise InputError(f"the trailer of {path} is damaged", hint="build or copy it again", docs=_DOCS)
    block = trailer[number(foot, 36, 4) :][: number(foot, 40, 4)]
    table = trailer[number(foot, 44, 4) :][: number(foot, 48, 4) * 72]
    launch: dict[str, list[str]] = {}
    for pair in _text(block, f"the launch block of {path}").split("\0")[:-1]:
        key, _, value = pair.partition("=")
        launch.setdefault(key, []).append(value)
    return Bundle(
        path=path,
        container=extent.container,
        arch=extent.arch,
        signed=extent.signed,
        start=extent.start,
        size=number(foot, 56, 8),
        id=foot[:16].hex(),
        first_line=_text(trailer.split(b"\n", 1)[0], f"the first line of {path}").rstrip(),
        launch=launch,
        layers=tuple(_layer(table[at : at + 72]) for at in range(0, len(table), 72)),
        app_offset=number(foot, 88, 8),
        manifest=_manifest(part),
    )


def _text(data: bytes, label: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{label} is no text in UTF-8: {error}", hint="build or copy it again", docs=_DOCS) from None


def faults(path: Path, *, sound: set[str] | None = None) -> list[str]:
    """Check every byte of a bundle and return its faults, one clause each; an empty list means that it is sound.

    ``sound`` holds marks (hashes over the bytes and the table row) of layers that were checked before: these are hashed
    and not unpacked again. The marks of sound layers are added to it.
    """
    try:
        bundles = read_all(path)
    except InputError as error:
        return [error.what]
    messages: list[str] = []
    with path.open("rb") as stream:
        for bundle, extent in zip(bundles, extents(stream), strict=True):
            bundle_faults = _bundle_faults(bundle, _part(stream, extent), extent, sound)
            messages += [f"{bundle.arch}: {fault}" for fault in bundle_faults] if len(bundles) > 1 else bundle_faults
    if bundles[0].container == "macho":
        from pypack.formats.macho import check

        messages += check.faults(path)
    return messages


def _bundle_faults(bundle: Bundle, part: IO[bytes], extent: Extent, sound: set[str] | None) -> list[str]:
    size = extent.end - extent.start
    messages = [] if bundle.size == size else [f"its trailer says {bundle.size} bytes, there are {size}"]
    for layer in bundle.layers:
        if layer.offset + layer.size > size:
            layer_faults = ["it goes beyond the end of the bundle"]
        elif layer.kind == "app":
            layer_faults = _app_faults(part, layer)
        elif sound is None:
            layer_faults = find_faults(part, layer)
        else:
            mark = _mark(part, layer)
            layer_faults = [] if mark in sound else find_faults(part, layer)
            sound.update([] if layer_faults else [mark])
        messages += [f"{layer.kind} layer: {fault}" for fault in layer_faults]
    return messages + _zip_faults(part)


def _part(stream: IO[bytes], extent: Extent) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(SliceReader(stream, extent.start, extent.end)))


def _app_faults(stream: IO[bytes], layer: Layer) -> list[str]:
    is_intact = _digest(stream, layer) == layer.sha256 and layer.size == layer.unpacked
    return [] if is_intact else ["it does not have its hash"]


def _mark(stream: IO[bytes], layer: Layer) -> str:
    values = [_digest(stream, layer), layer.sha256, layer.size, layer.unpacked, layer.frames]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


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
            squeezed = [info.filename for info in packed.infolist() if info.compress_type]
            messages = [] if squeezed else _entries_faults(packed)  # unpacking fails in ways of each method's own
            names = set(packed.namelist())
            boot = "boot/encodings.py" if "boot/encodings.py" in names else "boot/encodings.pyc"
            missing = {"__main__.py", boot, "launch", "pypack.json"} - names
    except _ZIP_ERRORS as error:
        return [f"it is not a zip: {error}"]
    messages += [f"zip entry {name} is missing" for name in sorted(missing)]
    return messages + [f"zip entry {name} is not stored" for name in squeezed]


def _entries_faults(packed: zipfile.ZipFile) -> list[str]:
    check = FilesCheck(b"files")
    for info in packed.infolist():
        plain = not info.is_dir() and info.external_attr >> 28 != _LINK
        if plain:
            check.begin(info.filename.encode(), info.file_size)
        try:
            with packed.open(info) as stream:
                while piece := stream.read(1 << 20):
                    check.more(piece)
        except zipfile.BadZipFile:
            return [f"zip entry {info.filename} is damaged"]
    return [f"app layer: {fault}" for fault in check.end()]


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
        kind=_KINDS.get(number(row, 0, 4), "unknown"),
        offset=number(row, 8, 8),
        size=number(row, 16, 8),
        unpacked=number(row, 24, 8),
        frames=number(row, 32, 4),
        sha256=row[40:72].hex(),
    )
