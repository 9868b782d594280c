"""Look at one file or stream: which container it is, then what that container says."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

from pypack.binaries.model import Binary, Container

if TYPE_CHECKING:
    from pathlib import Path

_PE_MACHINES = {0x014C: "x86", 0x8664: "x86_64", 0xAA64: "aarch64", 0x01C4: "armv7"}
_MACHO_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64", 7: "x86"}
_MACHO_THIN = {b"\xcf\xfa\xed\xfe": "<", b"\xce\xfa\xed\xfe": "<", b"\xfe\xed\xfa\xcf": ">", b"\xfe\xed\xfa\xce": ">"}
_MACHO_FAT = {b"\xca\xfe\xba\xbe": 20, b"\xca\xfe\xba\xbf": 32}  # bytes for each entry of the table
_MOST_FAT = 16  # a Java class has the same magic, and a version of 45 or more where the count stands


def container(head: bytes) -> Container | None:
    """Say what a file is by its first 64 bytes (fewer if it is shorter), or None if it is no native code."""
    magic = head[:4]
    if magic == b"\x7fELF":
        return "elf"
    if head[:2] == b"MZ" and len(head) >= 64:
        return "pe"
    if magic in _MACHO_THIN:
        return "macho"
    if magic in _MACHO_FAT and len(head) >= 8 and 0 < int.from_bytes(head[4:8], "big") <= _MOST_FAT:
        return "macho"
    return None


def read(stream: IO[bytes]) -> Binary | None:
    """Read an open, seekable file from its beginning; None if it is no native code or too damaged to tell."""
    head = stream.read(64)
    kind = container(head)
    if kind == "elf":
        from pypack.binaries import elf

        return elf.read(stream)
    try:
        if kind == "pe":
            return _read_pe(stream, head)
        if kind == "macho":
            return _read_macho(stream, head)
    except struct.error:  # shorter than its own header says
        return None
    return None


def read_file(path: Path) -> Binary | None:
    """Read a file of the disk, as :func:`read`."""
    with path.open("rb") as stream:
        return read(stream)


def _read_pe(stream: IO[bytes], head: bytes) -> Binary | None:
    (offset,) = struct.unpack_from("<I", head, 60)
    stream.seek(offset)
    signature, machine = struct.unpack("<4sH", stream.read(6))
    if signature != b"PE\0\0":
        return None  # a program for DOS
    name = _PE_MACHINES.get(machine, f"pe-{machine:#06x}")
    return Binary(container="pe", machines=(name,), bits=64 if name in {"x86_64", "aarch64"} else 32)


def _read_macho(stream: IO[bytes], head: bytes) -> Binary:
    magic = head[:4]
    if magic in _MACHO_THIN:
        kinds = list(struct.unpack_from(f"{_MACHO_THIN[magic]}I", head, 4))
    else:
        count, size = int.from_bytes(head[4:8], "big"), _MACHO_FAT[magic]
        stream.seek(8)
        table = stream.read(count * size)
        kinds = [struct.unpack_from(">I", table, entry * size)[0] for entry in range(count)]
    machines = tuple(_MACHO_MACHINES.get(kind, f"macho-{kind:#x}") for kind in kinds)
    return Binary(container="macho", machines=machines, bits=64 if kinds[0] & 0x01000000 else 32)
