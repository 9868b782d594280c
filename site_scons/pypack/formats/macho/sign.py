"""Ad-hoc signatures, as ``codesign --sign -`` makes them: hashes of all pages, no identity behind them.

Facts from Apple's open sources: ``bsd/sys/codesign.h`` of xnu (``CS_CodeDirectory``, ``CS_SuperBlob``, numbers of
slots) and ``codedirectory.h`` of Security. Numbers in a signature are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from pypack.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PAGE_BITS = 12
"""Pages of 4096 bytes, on both processors: what Apple's linker and codesign use."""
PAGE = 1 << PAGE_BITS
ALIGN = 16
"""A signature begins at a multiple of this."""

_SUPER_BLOB, _DIRECTORY, _REQUIREMENTS, _CMS = 0xFADE0CC0, 0xFADE0C02, 0xFADE0C01, 0xFADE0B01
_SLOT_DIRECTORY, _SLOT_INFO, _SLOT_REQUIREMENTS, _SLOT_CMS = 0, 1, 2, 0x10000
_SLOTS_ENTITLEMENTS = (5, 7)  # as a property list, as DER
_VERSION = 0x20400  # the first with the place of the executable segment
_AD_HOC = 0x2
_SHA256, _HASH = 2, 32
_MAIN_BINARY = 0x1
_HEAD = struct.Struct(">9I4B4I4Q")
_PIECE = 256 * PAGE

NO_REQUIREMENTS = struct.pack(">III", _REQUIREMENTS, 12, 0)
"""An empty set of requirements, as codesign gives to what has no identity."""
_NO_CMS = struct.pack(">II", _CMS, 8)


@dataclass(frozen=True, kw_only=True)
class Signing:
    """The contents of a signature.

    ``code_limit`` bytes of the slice are covered; ``text`` is the file offset and size of ``__TEXT``; ``main`` whether
    it is a program; ``info`` the content of the section ``__TEXT,__info_plist``; ``entitlements`` whole blobs by their
    slot; ``exec_flags`` what the entitlements mean for the executable segment.
    """

    identifier: str
    code_limit: int
    text: tuple[int, int]
    main: bool
    info: bytes = b""
    entitlements: Mapping[int, bytes] = field(default_factory=dict)
    exec_flags: int = 0

    @property
    def pages(self) -> int:
        """How many pages are covered; the last may be short."""
        return -(-self.code_limit // PAGE)

    @property
    def size(self) -> int:
        """Bytes that the signature takes, padded to a multiple of 16."""
        parts = self._parts.values()
        length = 12 + 8 * (len(parts) + 1) + sum(map(len, parts)) + self._directory_size
        return -(-length // ALIGN) * ALIGN

    @property
    def _specials(self) -> int:
        return max([_SLOT_REQUIREMENTS, *self.entitlements])

    @property
    def _directory_size(self) -> int:
        name = len(self.identifier.encode("utf-8", "surrogateescape")) + 1
        return _HEAD.size + name + (self._specials + self.pages) * _HASH

    def blob(self, hashes: bytes) -> bytes:
        """Return the signature around the pages' ``hashes`` (32 bytes each), ``size`` bytes long."""
        if len(hashes) != self.pages * _HASH:
            raise ValueError(f"{len(hashes)} bytes of hashes for {self.pages} pages")
        return b"".join(self.around([hashes]))

    def around(self, hashes: Iterable[bytes | bytearray]) -> Iterator[bytes | bytearray]:
        """Yield the signature in pieces, the pages' ``hashes`` among them as they are given, ``size`` bytes in all."""
        sizes = {_SLOT_DIRECTORY: self._directory_size} | {slot: len(part) for slot, part in self._parts.items()}
        at, index = 12 + 8 * len(sizes), b""
        for slot, size in sizes.items():
            index += struct.pack(">II", slot, at)
            at += size
        yield struct.pack(">III", _SUPER_BLOB, at, len(sizes)) + index + self._directory()
        yield from hashes
        yield b"".join(self._parts.values()) + b"\0" * (self.size - at)

    @property
    def _parts(self) -> dict[int, bytes]:
        """The blobs after the code directory."""
        return {_SLOT_REQUIREMENTS: NO_REQUIREMENTS, **self.entitlements, _SLOT_CMS: _NO_CMS}

    def _directory(self) -> bytes:
        """Return the code directory up to the hash of page 0."""
        name = self.identifier.encode("utf-8", "surrogateescape") + b"\0"
        special = {_SLOT_REQUIREMENTS: NO_REQUIREMENTS, **self.entitlements}
        if self.info:
            special[_SLOT_INFO] = self.info
        rows = [special.get(slot) for slot in range(self._specials, 0, -1)]
        table = b"".join(hashlib.sha256(row).digest() if row else bytes(_HASH) for row in rows)
        head = _HEAD.pack(
            _DIRECTORY, self._directory_size, _VERSION, _AD_HOC,
            _HEAD.size + len(name) + len(table),  # where the hash of page 0 is; special slots stand before it
            _HEAD.size, self._specials, self.pages, self.code_limit,
            _HASH, _SHA256, 0, PAGE_BITS, 0, 0, 0, 0, 0,
            *self.text, self.exec_flags | (_MAIN_BINARY if self.main else 0),
        )  # fmt: skip
        return head + name + table


def page_hashes(stream: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield the sha256 of each page from ``start`` to ``end`` of the file, reading one megabyte at a time."""
    stream.seek(start)
    left = end - start
    while left:
        piece = memoryview(stream.read(min(left, _PIECE)))
        if not piece:
            raise ArchiveError("the program ends before its pages do")
        left -= len(piece)
        for at in range(0, len(piece), PAGE):
            yield hashlib.sha256(piece[at : at + PAGE]).digest()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The parts of an old signature that the new one keeps."""

    entitlements: Mapping[int, bytes] = field(default_factory=dict)
    exec_flags: int = 0


def kept(signature: bytes) -> Kept:
    """Return the entitlements of a signature; a damaged one is an :class:`ArchiveError`."""
    blobs = _blobs(signature)
    directory = blobs.get(_SLOT_DIRECTORY, b"")
    if len(directory) < 44 or directory[:4] != _DIRECTORY.to_bytes(4, "big"):
        raise ArchiveError("its signature is damaged")
    version = int.from_bytes(directory[8:12], "big")
    flags = int.from_bytes(directory[80:88], "big") if version >= _VERSION and len(directory) >= 88 else 0
    entitlements = {slot: blobs[slot] for slot in _SLOTS_ENTITLEMENTS if slot in blobs}
    return Kept(entitlements=entitlements, exec_flags=flags & ~_MAIN_BINARY if entitlements else 0)


def _blobs(signature: bytes) -> dict[int, bytes]:
    if len(signature) < 12:
        raise ArchiveError("its signature is cut short")
    magic, length, count = struct.unpack_from(">III", signature)
    if magic != _SUPER_BLOB or not 12 + 8 * count <= length <= len(signature):
        raise ArchiveError("its signature is damaged")
    blobs = {}
    for row in range(count):
        slot, at = struct.unpack_from(">II", signature, 12 + 8 * row)
        size = int.from_bytes(signature[at + 4 : at + 8], "big")
        if at + 8 > length or size < 8 or at + size > length:
            raise ArchiveError("its signature is damaged")
        blobs[slot] = signature[at : at + size]
    return blobs
