"""Read Mach-O headers and load commands, thin and fat. The file is taken for hostile: nothing in it is believed.

Everything is refused by an :class:`ArchiveError` that names the file and what is wrong with it.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats.macho import constants as c

if TYPE_CHECKING:
    from pathlib import Path

_SEGMENT = struct.Struct("<II16sQQQQiiII")
_SECTION = struct.Struct("<16s16sQQIIIIIIII")
_MOST_COMMANDS = 1 << 20  # bytes; the biggest programs of macOS have some ten thousand
_OLD_MAGICS = {
    b"\xce\xfa\xed\xfe": "for 32 bits",
    b"\xfe\xed\xfa\xce": "for 32 bits, with its bytes the other way round",
    b"\xfe\xed\xfa\xcf": "with its bytes the other way round",
}


class UnusableError(ArchiveError):
    """A whole file, but one for processors that are of no use here: 32 bits, or bytes the other way round."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One program of a file: all of a thin one, a part of a fat one. ``align`` is the power of two of its place."""

    cpu: int
    subtype: int
    offset: int
    size: int
    align: int = 14

    @property
    def arch(self) -> str:
        """The processor, by the name that targets use."""
        return c.ARCHITECTURES.get(self.cpu, f"macho-{self.cpu:#x}")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section: its names, its place in memory and in the file (bytes from the start of the slice)."""

    segment: str
    name: str
    address: int
    size: int
    offset: int
    relocations: int
    kind: int


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A segment; ``index`` is the place of its command in the list of all commands."""

    index: int
    name: str
    address: int
    memory: int
    offset: int
    size: int
    protection: int
    sections: tuple[Section, ...]

    @property
    def end(self) -> int:
        """Where it ends in the file."""
        return self.offset + self.size


@dataclass(frozen=True, kw_only=True)
class Command:
    """One load command: its number and all of its bytes, head included."""

    kind: int
    data: bytes

    @property
    def name(self) -> str:
        """Its name for errors."""
        return c.NAMES.get(self.kind, f"{self.kind:#x}")

    def text(self, at: int) -> str:
        """Return the string that the offset at byte ``at`` of the command leads to."""
        start = int.from_bytes(self.data[at : at + 4], "little")
        tail = self.data[start:] if at + 4 <= start < len(self.data) else b""
        if b"\0" not in tail:
            raise ArchiveError(f"a name in its load command {self.name} is cut off")
        return tail[: tail.index(b"\0")].decode("utf-8", "surrogateescape")


@dataclass(frozen=True, kw_only=True)
class MachO:
    """Header and load commands of one slice of ``size`` bytes; offsets count from the start of the slice."""

    cpu: int
    subtype: int
    kind: int
    flags: int
    size: int
    commands: tuple[Command, ...]
    segments: tuple[Segment, ...]

    @property
    def arch(self) -> str:
        """The processor, by the name that targets use."""
        return c.ARCHITECTURES.get(self.cpu, f"macho-{self.cpu:#x}")

    @property
    def commands_size(self) -> int:
        """Bytes of all load commands."""
        return sum(len(command.data) for command in self.commands)

    @property
    def room(self) -> int:
        """Bytes from the start of the slice up to the first section: header and commands must end there."""
        sections = [section for segment in self.segments for section in segment.sections]
        starts = [
            section.offset
            for section in sections
            if section.offset and section.size and section.kind not in c.ZERO_FILL
        ]
        others = [segment.offset for segment in self.segments if segment.offset and segment.size]
        return min(starts + others, default=self.size)

    def find(self, *kinds: int) -> list[Command]:
        """Return the commands of these numbers, in their order."""
        return [command for command in self.commands if command.kind in kinds]

    def segment(self, name: str) -> Segment | None:
        """Return the only segment of that name, or None."""
        segments = [segment for segment in self.segments if segment.name == name]
        return segments[0] if len(segments) == 1 else None


def slices(stream: IO[bytes]) -> list[Slice]:
    """Return the programs of an open file, in the order of its table; one for a thin file."""
    size = stream.seek(0, io.SEEK_END)
    head = _take(stream, 0, 8, "it is cut short")
    if int.from_bytes(head[:4], "big") not in {c.FAT_MAGIC, c.FAT_MAGIC_64}:
        header = _take(stream, 0, 12, "it is cut short")
        _check_magic(header)
        cpu, subtype = struct.unpack_from("<II", header, 4)
        return [Slice(cpu=cpu, subtype=subtype, offset=0, size=size)]
    wide = int.from_bytes(head[:4], "big") == c.FAT_MAGIC_64
    count = int.from_bytes(head[4:], "big")
    row = struct.Struct(">IIQQII" if wide else ">IIIII")
    if not 0 < count <= c.MOST_SLICES:
        raise ArchiveError(f"its table says {count} architectures")
    table = _take(stream, 8, count * row.size, "its table of architectures is cut short")
    programs = [_slice(row.unpack_from(table, at), size) for at in range(0, len(table), row.size)]
    for program, following in zip(
        *(sorted(programs, key=lambda program: program.offset)[start:] for start in (0, 1)), strict=False
    ):
        if program.offset + program.size > following.offset:
            raise ArchiveError("two of its architectures overlap")
    if min(program.offset for program in programs) < 8 + len(table):
        raise ArchiveError("an architecture overlaps the table of them")
    if len({(program.cpu, program.subtype) for program in programs}) != count:
        raise ArchiveError("an architecture is there twice")
    return programs


def _slice(row: tuple[int, ...], file_size: int) -> Slice:
    cpu, subtype, offset, size, align = row[:5]
    program = Slice(cpu=cpu, subtype=subtype, offset=offset, size=size, align=align)
    if offset + size > file_size or align > 30 or offset % (1 << align):
        raise ArchiveError(f"the place of {program.arch} in its table is wrong, or it is cut short")
    return program


def thin(stream: IO[bytes], program: Slice) -> MachO:
    """Read header and load commands of one slice."""
    header = _take(stream, program.offset, c.HEADER_SIZE, "its header is cut short", limit=program.size)
    _check_magic(header)
    _, cpu, subtype, kind, count, length, flags, _ = struct.unpack("<8I", header)
    if cpu != program.cpu:
        raise ArchiveError(f"its table says {program.arch}, the program itself something else")
    if length > _MOST_COMMANDS or c.HEADER_SIZE + length > program.size:
        raise ArchiveError("its load commands are cut short")
    data = _take(stream, program.offset + c.HEADER_SIZE, length, "its load commands are cut short")
    commands = _commands(data, count)
    segments = tuple(
        _segment(index, command, program.size)
        for index, command in enumerate(commands)
        if command.kind == c.LC_SEGMENT_64
    )
    return MachO(
        cpu=cpu, subtype=subtype, kind=kind, flags=flags, size=program.size, commands=commands, segments=segments
    )


def read_all(stream: IO[bytes]) -> list[tuple[Slice, MachO]]:
    """Read every slice of an open file."""
    return [(program, thin(stream, program)) for program in slices(stream)]


def read_file(path: Path) -> list[tuple[Slice, MachO]]:
    """Read every slice of a file; errors name it."""
    with path.open("rb") as stream:
        try:
            return read_all(stream)
        except ArchiveError as error:
            raise named(str(path), error) from error


def named(name: str, error: ArchiveError) -> ArchiveError:
    """Return the error with the name of the file that it is about."""
    return ArchiveError(f"{name} is no Mach-O file that can be used: {error.what}", hint=error.hint, docs=error.docs)


def _check_magic(header: bytes) -> None:
    if header[:4] in _OLD_MAGICS:
        raise UnusableError(f"it is made {_OLD_MAGICS[header[:4]]}; only 64-bit little-endian programs can be used")
    if int.from_bytes(header[:4], "little") != c.MAGIC_64:
        raise ArchiveError("it does not begin as one")


def _commands(data: bytes, count: int) -> tuple[Command, ...]:
    commands: list[Command] = []
    at = 0
    for _ in range(count):
        kind, size = struct.unpack_from("<II", data, at) if at + 8 <= len(data) else (0, 0)
        if size < 8 or size % 4 or at + size > len(data):
            raise ArchiveError(f"load command {len(commands)} of {count} leaves the others")
        commands.append(Command(kind=kind, data=data[at : at + size]))
        at += size
    if at != len(data):
        raise ArchiveError("its load commands do not fill their place")
    return tuple(commands)


def _segment(index: int, command: Command, file_size: int) -> Segment:
    data = command.data
    if len(data) < _SEGMENT.size:
        raise ArchiveError("a segment's load command is too short")
    _, _, name, address, memory, offset, size, _, protection, count, _ = _SEGMENT.unpack_from(data)
    if len(data) != _SEGMENT.size + count * _SECTION.size:
        raise ArchiveError(f"segment {_text(name)} does not hold the sections that it says")
    if offset + size > file_size or address + memory >= 1 << 64:
        raise ArchiveError(f"segment {_text(name)} ends behind the end of the file: it is cut short")
    sections = (_SECTION.unpack_from(data, at) for at in range(_SEGMENT.size, len(data), _SECTION.size))
    return Segment(
        index=index, name=_text(name), address=address, memory=memory, offset=offset, size=size,
        protection=protection, sections=tuple(_section(row, file_size) for row in sections),
    )  # fmt: skip


def _section(row: tuple[bytes, bytes, int, int, int, int, int, int, int, int, int, int], file_size: int) -> Section:
    name, segment, address, size, offset, _, _, relocations, flags, *_ = row
    kind = flags & 0xFF
    if kind not in c.ZERO_FILL and offset + size > file_size:
        raise ArchiveError(f"section {_text(name)} ends behind the end of the file: it is cut short")
    return Section(
        segment=_text(segment), name=_text(name), address=address, size=size, offset=offset,
        relocations=relocations, kind=kind,
    )  # fmt: skip


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("ascii", "backslashreplace")


def _take(stream: IO[bytes], offset: int, size: int, reason: str, *, limit: int | None = None) -> bytes:
    """Return exactly ``size`` bytes of the file."""
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size or (limit is not None and size > limit):
        raise ArchiveError(reason)
    return data
