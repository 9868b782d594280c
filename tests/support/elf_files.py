"""ELF files made by hand."""

from __future__ import annotations

import struct

EM_X86_64, EM_AARCH64 = 62, 183
ET_REL, ET_DYN = 1, 3


class Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def __call__(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def elf(
    *,
    machine: int = EM_X86_64,
    kind: int = ET_DYN,
    soname: str = "",
    needed: tuple[str, ...] = (),
    rpath: str = "",
    runpath: str = "",
    interpreter: str = "",
    versions: dict[str, tuple[str, ...]] | None = None,
    weak: tuple[str, ...] = (),
    exports: tuple[str, ...] = (),
) -> bytes:
    """Make a 64-bit little-endian ELF file that has program headers and no section headers.

    Of what it ``exports`` only the names are there, in the string table.
    """
    strings, tags = Strings(), []
    for name in exports:
        strings(name)
    tags += [(1, strings(name)) for name in needed]
    tags += [(tag, strings(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text]
    verneed = _verneed(versions or {}, weak, strings)
    program = interpreter.encode() + b"\0" if interpreter else b""
    count = 2 + bool(program)
    at_program = 64 + 56 * count
    at_strings = at_program + len(program)
    at_verneed = at_strings + len(strings.data)
    at_dynamic = at_verneed + len(verneed)
    tags += [(5, at_strings), (10, len(strings.data))]
    if verneed:
        tags += [(0x6FFFFFFE, at_verneed), (0x6FFFFFFF, len(versions or {}))]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    size = at_dynamic + len(dynamic)
    heads = [_phdr(1, 0, size), _phdr(2, at_dynamic, len(dynamic))]
    if program:
        heads.insert(0, _phdr(3, at_program, len(program)))
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    ehdr = ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return ehdr + b"".join(heads) + program + bytes(strings.data) + verneed + dynamic


def _phdr(kind: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)


def _verneed(versions: dict[str, tuple[str, ...]], weak: tuple[str, ...], strings: Strings) -> bytes:
    out = b""
    for number, (file, names) in enumerate(versions.items(), start=1):
        size = 16 + 16 * len(names)
        following = size if number < len(versions) else 0
        out += struct.pack("<HHIII", 1, len(names), strings(file), 16, following)
        for place, name in enumerate(names, start=1):
            flags = 2 if name in weak else 0
            out += struct.pack("<IHHII", 0, flags, place, strings(name), 16 if place < len(names) else 0)
    return out
