"""Read Mach-O files for the checker.

This module shares nothing with ``read``, which serves what writes: it is written from Apple's header
``<mach-o/loader.h>`` alone, so that a mistake of the one is not repeated by the other.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 20
_CPUS = {0x01000007: ("x86_64", 0x1000), 0x0100000C: ("aarch64", 0x4000)}
_PLATFORMS = {1: "macos", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst"}
# linkedit_data_command: what each covers
_BLOBS = {
    0x1D: "signature", 0x1E: "split info", 0x26: "function starts", 0x29: "data in code", 0x2B: "signing requirements",
    0x2E: "linker hints", 0x80000033: "exports", 0x80000034: "fixups", 0x36: "atoms",
}  # fmt: skip
_DYNAMIC = (
    ("contents", 8, 1), ("modules", 56, 1), ("references", 4, 1), ("indirect symbols", 4, 4),
    ("external relocations", 8, 8), ("local relocations", 8, 8),
)  # fmt: skip


class DamagedError(Exception):
    """A part is so wrong that nothing behind it can be looked at."""


@dataclass(kw_only=True)
class Program:
    """One slice, as its load commands describe it."""

    arch: str
    page: int
    kind: int
    segments: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[tuple[str, int, int, int]] = field(default_factory=list)  # name, offset, size, alignment
    signatures: list[tuple[int, int]] = field(default_factory=list)
    identified: bool = False
    platform: str = ""
    minimum: str = ""


class Part:
    """The bytes of one slice."""

    def __init__(self, stream: IO[bytes], start: int, size: int, cpu: int = 0) -> None:
        self._stream, self._start, self.size, self.cpu = stream, start, size, cpu

    @property
    def arch(self) -> str:
        """The processor that the file's table says, by the name that targets use."""
        return _CPUS.get(self.cpu, (f"{self.cpu:#x}", 0))[0]

    def take(self, at: int, size: int) -> bytes:
        """Return exactly these bytes."""
        if at < 0 or at + size > self.size:
            raise DamagedError("it is cut short")
        self._stream.seek(self._start + at)
        data = self._stream.read(size)
        if len(data) != size:
            raise DamagedError("it is cut short")
        return data

    def pieces(self, at: int, end: int, step: int) -> Iterator[bytes]:
        """Yield the bytes from ``at`` to ``end``, ``step`` at a time."""
        while at < end:
            yield self.take(at, min(step, end - at))
            at += step


def parts(stream: IO[bytes]) -> list[Part]:
    """Return the slices of an open file: one for a thin one."""
    size = stream.seek(0, io.SEEK_END)
    file = Part(stream, 0, size)
    magic, count = struct.unpack(">II", file.take(0, 8))
    if magic not in {0xCAFEBABE, 0xCAFEBABF}:
        (cpu,) = struct.unpack("<I", file.take(4, 4))
        return [Part(stream, 0, size, cpu)]
    layout = ">IIQQII" if magic == 0xCAFEBABF else ">IIIII"
    if not 0 < count < 20:
        raise DamagedError(f"its table says {count} architectures")
    length = struct.calcsize(layout)
    rows = [struct.unpack(layout, file.take(8 + length * row, length)) for row in range(count)]
    last = 8 + length * count
    for cpu, _, offset, slice_size, align, *_ in sorted(rows, key=lambda row: row[2]):
        if offset < last or offset + slice_size > size or align > 30 or offset % (1 << align):
            raise DamagedError(f"the table of architectures does not fit the file ({cpu:#x})")
        if offset - last >= 1 << align or any(any(piece) for piece in file.pieces(last, offset, _CHUNK)):
            raise DamagedError("something stands between its architectures")
        last = offset + slice_size
    if last != size:
        raise DamagedError("something stands behind its last architecture")
    return [Part(stream, row[2], row[3], row[0]) for row in rows]


def read_program(part: Part) -> Program:
    """Read the load commands of a slice."""
    magic, cpu, _, kind, count, length, _, _ = struct.unpack("<8I", part.take(0, 32))
    if magic != 0xFEEDFACF or cpu not in _CPUS or cpu != part.cpu:
        raise DamagedError("it is no Mach-O for x86_64 or arm64")
    arch, page = _CPUS[cpu]
    program = Program(arch=arch, page=page, kind=kind)
    commands, at = part.take(32, length), 0
    for _ in range(count):
        if at + 8 > length:
            raise DamagedError("its load commands are cut short")
        number, size = struct.unpack_from("<II", commands, at)
        if size < 8 or at + size > length:
            raise DamagedError("its load commands do not follow each other")
        try:
            _note(program, number, commands[at : at + size])
        except struct.error as error:
            raise DamagedError(f"load command {number:#x} is too short") from error
        at += size
    if at != length:
        raise DamagedError("its load commands do not fill their place")
    return program


def _note(program: Program, number: int, data: bytes) -> None:
    """Take down what one load command says."""
    if number == 0x19:
        program.segments.append(_segment(data))
    elif number == 0x2:
        symbols, count, strings, size = struct.unpack_from("<4I", data, 8)
        program.pieces += [("symbols", symbols, 16 * count, 8), ("strings", strings, size, 1)]
    elif number == 0xB:
        toc = struct.unpack_from("<12I", data, 32)
        for row, (name, width, align) in enumerate(_DYNAMIC):
            program.pieces.append((name, toc[2 * row], toc[2 * row + 1] * width, align))
    elif number in {0x22, 0x80000022}:
        info = struct.unpack_from("<10I", data, 8)
        for row, name in enumerate(("rebases", "binds", "weak binds", "lazy binds", "exports")):
            program.pieces.append((name, info[2 * row], info[2 * row + 1], 8))
    elif number in _BLOBS:
        offset, size = struct.unpack_from("<II", data, 8)
        program.pieces.append((_BLOBS[number], offset, size, 16 if number == 0x1D else 8))
        if number == 0x1D:
            program.signatures.append((offset, size))
    elif number == 0x1B:
        program.identified = any(struct.unpack_from("<16s", data, 8)[0])
    elif number in {0x24, 0x32}:
        platform, version = (
            (1, *struct.unpack_from("<I", data, 8)) if number == 0x24 else struct.unpack_from("<II", data, 8)
        )
        program.platform = _PLATFORMS.get(platform, f"platform {platform}")
        program.minimum = f"{version >> 16}.{version >> 8 & 0xFF}"


def _segment(data: bytes) -> dict[str, Any]:
    keys = ("name", "address", "memory", "offset", "size", "most", "protection", "sections")
    segment = dict(zip(keys, struct.unpack_from("<16sQQQQIII", data, 8), strict=True))
    segment["name"] = segment["name"].rstrip(b"\0").decode("ascii", "backslashreplace")
    if len(data) != 72 + 80 * segment["sections"]:
        raise DamagedError(f"segment {segment['name']} does not hold its sections")
    sections = (struct.unpack_from("<16s16sQQIIIII", data, 72 + 80 * section) for section in range(segment["sections"]))
    segment["sections"] = [
        {
            "name": section[0].rstrip(b"\0"),
            "address": section[2],
            "size": section[3],
            "offset": section[4],
            "type": section[8] & 0xFF,
        }
        for section in sections
    ]
    return segment
