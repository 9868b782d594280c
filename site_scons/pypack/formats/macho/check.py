"""Check finished Mach-O files: structure, signature, the hash of every page.

This module and those that it uses share nothing with ``read``, ``sign`` and ``payload`` on purpose: they are written
from Apple's headers and from what dyld and ``codesign --verify --strict`` look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.formats.macho import check_signature
from pypack.formats.macho.check_program import DamagedError, Part, Program, parts, read_program
from pypack.formats.macho.check_signature import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Signature", "faults", "signature"]

_CHUNK = 1 << 20
_WRITE, _EXECUTE = 2, 4


def faults(path: Path) -> list[str]:
    """Return what is wrong with a program or library, in words; an empty list is the best answer.

    What is not signed counts as wrong.
    """
    with path.open("rb") as stream:
        try:
            slices = parts(stream)
        except DamagedError as error:
            return [str(error)]
        messages = []
        for part in slices:
            try:
                program = read_program(part)
                part_faults = [*_segment_faults(part, program), *_piece_faults(part, program)]
                part_faults += check_signature.faults(part, program)
            except DamagedError as error:
                part_faults = [str(error)]
            label = f"{part.arch}: " if len(slices) > 1 else ""
            messages += [label + fault for fault in part_faults]
    return messages


def signature(path: Path) -> list[Signature]:
    """Return what each program in a file says of itself; nothing for what is no Mach-O."""
    signatures: list[Signature] = []
    with path.open("rb") as stream:
        try:
            signatures.extend(check_signature.read_signature(part, read_program(part)) for part in parts(stream))
        except DamagedError:
            return signatures
    return signatures


def _segment_faults(part: Part, program: Program) -> Iterator[str]:
    """Yield what dyld would refuse in segments, and bytes between or after them."""
    names = [segment["name"] for segment in program.segments]
    if not names or names[-1] != "__LINKEDIT" or "__TEXT" not in names or len(set(names)) != len(names):
        yield f"its segments are {', '.join(names) or 'missing'}; __TEXT must be there, and __LINKEDIT be the last"
        return
    at = memory = 0
    for segment in program.segments:
        name = segment["name"]
        if segment["address"] < memory:
            yield f"segment {name} overlaps the one before it in memory"
        memory = segment["address"] + -(-segment["memory"] // program.page) * program.page
        if segment["address"] % program.page:
            yield f"segment {name} does not begin at a page of memory"
        if segment["size"] > segment["memory"]:
            yield f"segment {name} is bigger in the file than in memory"
        if segment["protection"] & _WRITE and segment["protection"] & _EXECUTE:
            yield f"segment {name} can be written and executed"
        yield from _section_faults(segment)
        if segment["size"]:
            yield from _place_faults(part, program, segment, at)
            at = max(at, segment["offset"] + segment["size"])
    if at != part.size:
        yield f"{part.size - at:,} bytes stand behind __LINKEDIT"
    if program.segments[-1]["protection"] != 1:
        yield "__LINKEDIT can be written"


def _place_faults(part: Part, program: Program, segment: dict[str, Any], at: int) -> Iterator[str]:
    """Check the place of a segment in the file; ``at`` is where the one before it ends."""
    if segment["offset"] < at:
        yield f"segment {segment['name']} overlaps the one before it in the file"
    elif segment["offset"] + segment["size"] > part.size:
        yield f"segment {segment['name']} is cut short"
    elif any(any(piece) for piece in part.pieces(at, segment["offset"], _CHUNK)):
        yield f"something stands before segment {segment['name']} that belongs to none"
    if segment["offset"] % program.page:
        yield f"segment {segment['name']} does not begin at a page of the file"


def _section_faults(segment: dict[str, Any]) -> Iterator[str]:
    for section in segment["sections"]:
        start, end = section["address"], section["address"] + section["size"]
        if start < segment["address"] or end > segment["address"] + segment["memory"]:
            yield f"a section of {segment['name']} leaves it in memory"
        zero = section["type"] in {1, 12, 18}
        inside = (
            segment["offset"]
            <= section["offset"]
            <= section["offset"] + section["size"]
            <= segment["offset"] + segment["size"]
        )
        if not zero and section["size"] and not inside:
            yield f"a section of {segment['name']} leaves it in the file"


def _piece_faults(part: Part, program: Program) -> Iterator[str]:
    """Yield the pieces that load commands point to which are outside of ``__LINKEDIT``, unaligned or overlapping."""
    if not program.segments:
        return
    link = program.segments[-1]
    last, before = link["offset"], "its start"
    for name, offset, size, align in sorted(
        (piece for piece in program.pieces if piece[2]), key=lambda piece: piece[1]
    ):
        if offset < link["offset"] or offset + size > link["offset"] + link["size"]:
            yield f"the {name} lie outside of __LINKEDIT"
        elif offset < last:
            yield f"the {name} overlap {before}"
        if offset % align and name != "data in code":
            yield f"the {name} are not aligned"
        last, before = max(last, offset + size), f"the {name}"
    if part.size and not program.identified and program.kind == 2:
        yield "it has no LC_UUID"
