"""Check finished Mach-O files: structure, signature, the hash of every page.

This module and those that it uses share nothing with ``read``, ``sign`` and ``payload`` on purpose: they are written
from Apple's headers and from what dyld and ``codesign --verify --strict`` look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.macho import check_signature
from pypack.macho.check_program import DamagedError, Part, Program, parts, read_program
from pypack.macho.check_signature import Signature

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
            found_parts = parts(stream)
        except DamagedError as error:
            return [str(error)]
        found = []
        for part in found_parts:
            try:
                program = read_program(part)
                told = [*_segment_faults(part, program), *_piece_faults(part, program)]
                told += check_signature.faults(part, program)
            except DamagedError as error:
                told = [str(error)]
            label = f"{part.arch}: " if len(found_parts) > 1 else ""
            found += [label + fault for fault in told]
    return found


def signature(path: Path) -> list[Signature]:
    """Return what each program in a file says of itself; nothing for what is no Mach-O."""
    found: list[Signature] = []
    with path.open("rb") as stream:
        try:
            found.extend(check_signature.told(part, read_program(part)) for part in parts(stream))
        except DamagedError:
            return found
    return found


def _segment_faults(part: Part, program: Program) -> Iterator[str]:
    """What dyld asks of segments, and that nothing stands between or behind them."""
    names = [each["name"] for each in program.segments]
    if not names or names[-1] != "__LINKEDIT" or "__TEXT" not in names or len(set(names)) != len(names):
        yield f"its segments are {', '.join(names) or 'missing'}; __TEXT must be there, and __LINKEDIT be the last"
        return
    at = memory = 0
    for each in program.segments:
        name = each["name"]
        if each["address"] < memory:
            yield f"segment {name} overlaps the one before it in memory"
        memory = each["address"] + -(-each["memory"] // program.page) * program.page
        if each["address"] % program.page:
            yield f"segment {name} does not begin at a page of memory"
        if each["size"] > each["memory"]:
            yield f"segment {name} is bigger in the file than in memory"
        if each["protection"] & _WRITE and each["protection"] & _EXECUTE:
            yield f"segment {name} can be written and executed"
        yield from _section_faults(each)
        if each["size"]:
            yield from _place_faults(part, program, each, at)
            at = max(at, each["offset"] + each["size"])
    if at != part.size:
        yield f"{part.size - at:,} bytes stand behind __LINKEDIT"
    if program.segments[-1]["protection"] != 1:
        yield "__LINKEDIT can be written"


def _place_faults(part: Part, program: Program, each: dict[str, Any], at: int) -> Iterator[str]:
    """Check the place of a segment in the file; ``at`` is where the one before it ends."""
    if each["offset"] < at:
        yield f"segment {each['name']} overlaps the one before it in the file"
    elif each["offset"] + each["size"] > part.size:
        yield f"segment {each['name']} is cut short"
    elif any(any(piece) for piece in part.pieces(at, each["offset"], _CHUNK)):
        yield f"something stands before segment {each['name']} that belongs to none"
    if each["offset"] % program.page:
        yield f"segment {each['name']} does not begin at a page of the file"


def _section_faults(segment: dict[str, Any]) -> Iterator[str]:
    for each in segment["sections"]:
        begin, end = each["address"], each["address"] + each["size"]
        if begin < segment["address"] or end > segment["address"] + segment["memory"]:
            yield f"a section of {segment['name']} leaves it in memory"
        zero = each["type"] in {1, 12, 18}
        inside = (
            segment["offset"] <= each["offset"] <= each["offset"] + each["size"] <= segment["offset"] + segment["size"]
        )
        if not zero and each["size"] and not inside:
            yield f"a section of {segment['name']} leaves it in the file"


def _piece_faults(part: Part, program: Program) -> Iterator[str]:
    """All that load commands point to lies inside ``__LINKEDIT``, aligned, and nothing overlaps."""
    if not program.segments:
        return
    link = program.segments[-1]
    last, before = link["offset"], "its start"
    for name, offset, size, align in sorted((each for each in program.pieces if each[2]), key=lambda each: each[1]):
        if offset < link["offset"] or offset + size > link["offset"] + link["size"]:
            yield f"the {name} lie outside of __LINKEDIT"
        elif offset < last:
            yield f"the {name} overlap {before}"
        if offset % align and name != "data in code":
            yield f"the {name} are not aligned"
        last, before = max(last, offset + size), f"the {name}"
    if part.size and not program.identified and program.kind == 2:
        yield "it has no LC_UUID"
