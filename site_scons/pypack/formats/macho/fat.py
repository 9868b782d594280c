"""Universal files: several programs behind a table of their places."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pypack.errors import ArchiveError, StepError
from pypack.formats.macho import constants as c
from pypack.formats.macho import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pypack.formats.macho.read import Slice

ALIGN = 14
"""Each program begins at a multiple of two to this power: a page of arm64, as lipo does."""
_LIMIT = 0xFFFF_FFFF
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Part:
    """A program to write: its processor (``place``), its size in bytes, its content in pieces."""

    place: Slice
    size: int
    pieces: Iterable[bytes]


def slices(path: Path) -> list[tuple[str, int, int]]:
    """Return processor, offset and size of each program in a file; one for a thin file."""
    with path.open("rb") as stream:
        try:
            return [(program.arch, program.offset, program.size) for program in read.slices(stream)]
        except ArchiveError as error:
            raise read.named(str(path), error) from error


def join(paths: Sequence[Path], out: Path) -> None:
    """Write one universal file of several thin programs, each unchanged, ordered by processor.

    A file that is not thin, a processor that is there twice, and more than 4 GiB are refused.
    """
    parts = sorted((_part(path) for path in paths), key=lambda part: (part.place.cpu, part.place.subtype))
    kinds = [(part.place.cpu, part.place.subtype) for part in parts]
    if len(set(kinds)) != len(kinds) or not kinds:
        raise ArchiveError(
            f"{', '.join(path.name for path in paths)} cannot be joined: each must be for another processor",
            hint="join one program for x86_64 and one for arm64",
        )
    with out.open("wb") as stream:
        write(stream, parts)


def write(out: IO[bytes], parts: Sequence[Part]) -> None:
    """Write table and programs to ``out``, in the order given."""
    rows, at = [], 8 + 20 * len(parts)
    for part in parts:
        power = part.place.align
        at = -(-at >> power << power)
        rows.append((part.place.cpu, part.place.subtype, at, part.size, power))
        at += part.size
    if at > _LIMIT:
        raise StepError(
            f"the universal program would have {at:,} bytes; the format ends at 4 GiB",
            hint="ship one program for each processor, or use mode onedir",
            docs="docs/macos.md",
        )
    out.write(struct.pack(">II", c.FAT_MAGIC, len(parts)))
    out.write(b"".join(struct.pack(">5I", *row) for row in rows))
    for part, row in zip(parts, rows, strict=True):
        out.write(b"\0" * (row[2] - out.tell()))
        written = sum(out.write(piece) for piece in part.pieces)
        if written != part.size:
            raise ArchiveError(f"a program for {part.place.arch} changed while it was read")


def _part(path: Path) -> Part:
    programs = read.read_file(path)
    program = programs[0][0]
    if len(programs) != 1 or program.offset:
        raise ArchiveError(f"{path} is a universal file itself", hint="join thin programs")
    thin = read.Slice(cpu=program.cpu, subtype=program.subtype, offset=0, size=program.size, align=ALIGN)
    return Part(place=thin, size=program.size, pieces=_content(path))


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece
