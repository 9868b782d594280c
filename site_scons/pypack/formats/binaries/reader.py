"""Look at one file or stream: which container it is, then what that container says."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.formats.binaries.model import Binary, Container

_MACHO_THIN = {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce"}
_MACHO_FAT = {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}
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
        from pypack.formats.binaries import elf

        return elf.read(stream)
    if kind == "pe":
        from pypack.formats.binaries import pe

        return pe.read(stream)
    if kind == "macho":
        from pypack.formats.binaries import macho

        return macho.read(stream)
    return None


def read_file(path: Path) -> Binary | None:
    """Read a file of the disk, as :func:`read`."""
    with path.open("rb") as stream:
        return read(stream)
