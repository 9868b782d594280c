"""Read Mach-O: which processors, what each program names, which macOS it needs."""

from __future__ import annotations

import io
import struct
from typing import IO, TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats.binaries.model import Binary
from pypack.formats.macho import constants as c

if TYPE_CHECKING:
    from pypack.formats.macho.read import MachO

_THIN = {b"\xcf\xfa\xed\xfe": "<", b"\xce\xfa\xed\xfe": "<", b"\xfe\xed\xfa\xcf": ">", b"\xfe\xed\xfa\xce": ">"}
_FAT = {b"\xca\xfe\xba\xbe": 20, b"\xca\xfe\xba\xbf": 32}  # bytes for each entry of the table
_LOADED = {c.MH_EXECUTE, c.MH_DYLIB, c.MH_BUNDLE}


def read(stream: IO[bytes]) -> Binary | None:
    """Return what a Mach-O file says about itself.

    Of what is made for 32 bits the processors alone are told. None where it is too damaged to be loaded by anything.
    """
    from pypack.formats.macho.read import UnusableError, read_all

    try:
        return _binary([program for _, program in read_all(stream)])
    except UnusableError:
        pass
    except ArchiveError:
        return None
    try:
        return _by_head(stream)
    except struct.error:  # shorter than its own header says
        return None


def _binary(programs: list[MachO]) -> Binary:
    install_names = [command.text(8) for program in programs for command in program.find(c.LC_ID_DYLIB)]
    return Binary(
        container="macho",
        machines=tuple(program.arch for program in programs),
        loadable=any(program.kind in _LOADED for program in programs),
        soname=install_names[0] if install_names else "",
        needed=_texts(programs, *c.LOADS),
        rpath=_texts(programs, c.LC_RPATH),
        signed=all(program.find(c.LC_CODE_SIGNATURE) for program in programs),
        macos={program.arch: version for program in programs if (version := _macos(program))},
    )


def _texts(programs: list[MachO], *kinds: int) -> tuple[str, ...]:
    """Return the strings of commands of some kinds, each once, in the order in which they stand."""
    return tuple(dict.fromkeys(command.text(8) for program in programs for command in program.find(*kinds)))


def _macos(program: MachO) -> tuple[int, int] | None:
    """Return the oldest macOS that a program is made for (``LC_BUILD_VERSION``, before 10.14 another command)."""
    for command in program.find(c.LC_BUILD_VERSION, c.LC_VERSION_MIN_MACOSX):
        at = 8 if command.kind == c.LC_VERSION_MIN_MACOSX else 12
        platform = 1 if at == 8 else int.from_bytes(command.data[8:12], "little")
        version = int.from_bytes(command.data[at : at + 4], "little")
        if len(command.data) >= at + 4 and c.PLATFORMS.get(platform) == "macos":
            return version >> 16, version >> 8 & 0xFF
    return None


def _by_head(stream: IO[bytes]) -> Binary:
    stream.seek(0, io.SEEK_SET)
    head = stream.read(64)
    magic = head[:4]
    if magic in _THIN:
        kinds = list(struct.unpack_from(f"{_THIN[magic]}I", head, 4))
    else:
        count, size = int.from_bytes(head[4:8], "big"), _FAT[magic]
        stream.seek(8)
        table = stream.read(count * size)
        kinds = [struct.unpack_from(">I", table, entry * size)[0] for entry in range(count)]
    machines = tuple(c.ARCHITECTURES.get(kind, f"macho-{kind:#x}") for kind in kinds)
    return Binary(container="macho", machines=machines, bits=64 if kinds[0] & 0x01000000 else 32)
