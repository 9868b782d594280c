"""The payload of a bundle on macOS: a segment of the launcher, filled after linking, then signed.

The launcher is linked once, with a segment ``__PYPACK`` whose only section ``__payload`` is (almost) empty.
:func:`begin` writes what stands before it; the caller appends the payload; :func:`finish` moves ``__LINKEDIT`` behind
it, corrects each offset, and signs. Nothing of the payload is held in memory but 32 bytes of hash for each page.
"""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from pypack.errors import ArchiveError, StepError
from pypack.formats.macho import constants as c
from pypack.formats.macho import edit, read, sign
from pypack.formats.macho.read import Command

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.formats.macho.read import MachO, Segment

SEGMENT, SECTION = "__PYPACK", "__payload"
ALIGN = 0x4000
"""The payload begins and its segment ends at a multiple of this: a page of arm64, four of x86_64."""
LIMIT = 0xFFFF_FFFF
"""Offsets of sections and signatures are 32 bits wide."""

_DYSYMTAB_OFFSETS = (32, 40, 48, 56, 64, 72)  # toc, modules, references, indirect symbols, external, local relocations
_DYLD_INFO_OFFSETS = (8, 16, 24, 32, 40)  # rebase, bind, weak bind, lazy bind, export
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Stub:
    data: bytes
    program: MachO
    payload: Segment
    link: edit.LinkEdit

    @property
    def base(self) -> int:
        return -(-self.payload.offset // ALIGN) * ALIGN


def begin(stub: Path, out: IO[bytes]) -> int:
    """Write what stands before the payload, to the start of ``out``, and return where the payload begins."""
    parts = _read(stub)
    out.seek(0)
    out.write(parts.data[: parts.payload.offset].ljust(parts.base, b"\0"))
    return parts.base


def finish(out: IO[bytes], stub: Path, *, base: int, size: int, identifier: str) -> None:
    """Write all that belongs behind a payload of ``size`` bytes and sign the whole ad hoc.

    ``out`` is open for reading and writing and ends where the payload ends; ``base`` is what :func:`begin` said,
    ``identifier`` the name in the signature. A bundle over 4 GiB is a :class:`StepError`.
    """
    parts = _read(stub)
    if base != parts.base or out.seek(0, io.SEEK_END) != base + size:
        raise ValueError("out does not end where the payload does")
    end = -(-(base + size) // ALIGN) * ALIGN
    tail = parts.data[parts.link.segment.offset : parts.link.content_end]
    limit = -(-(end + len(tail)) // sign.ALIGN) * sign.ALIGN
    program = _laid_out(parts, base, end)
    signing = edit.signing(program, identifier, limit, _info(parts))
    if limit + signing.size > LIMIT:
        raise StepError(
            f"the bundle would have {limit + signing.size:,} bytes; a program for macOS cannot have more than 4 GiB",
            hint="use mode onedir, which keeps the payload beside the program",
            docs="docs/macos.md",
        )
    commands = _commands(parts, program, size=size, base=base, end=end, signing=signing)
    out.write(b"\0" * (end - base - size))
    out.write(tail.ljust(limit - end, b"\0"))
    _sign(out, program, commands, signing)


def _read(stub: Path) -> _Stub:
    data = stub.read_bytes()
    try:
        places = read.read_all(io.BytesIO(data))
        if len(places) != 1 or places[0][1].cpu not in c.PAGE or places[0][1].kind != c.MH_EXECUTE:
            raise ArchiveError("it is not one program for x86_64 or arm64")
        program = places[0][1]
        payload, link = program.segment(SEGMENT), edit.link_edit(program)
        if payload is None or [section.name for section in payload.sections] != [SECTION]:
            raise ArchiveError(f"it has no segment {SEGMENT} with the only section {SECTION}")
        _check(program, payload, link)
    except ArchiveError as error:
        raise read.named(str(stub), error) from error
    return _Stub(data=data, program=program, payload=payload, link=link)


def _check(program: MachO, payload: Segment, link: edit.LinkEdit) -> None:
    """Refuse a launcher whose parts cannot be moved without knowing more of them."""
    before = [segment for segment in program.segments if segment not in (payload, link.segment)]
    if any(segment.end > payload.offset or segment.address + segment.memory > payload.address for segment in before):
        raise ArchiveError(f"{SEGMENT} does not stand directly before __LINKEDIT")
    if payload.sections[0].offset != payload.offset or payload.sections[0].size > payload.size:
        raise ArchiveError(f"{SEGMENT} holds more than {SECTION}")
    if any(section.relocations for segment in program.segments for section in segment.sections):
        raise ArchiveError("it has relocations")
    known = c.WITHOUT_OFFSETS | set(c.LINKEDIT_DATA)
    known |= {c.LC_SEGMENT_64, c.LC_SYMTAB, c.LC_DYSYMTAB, c.LC_DYLD_INFO, c.LC_DYLD_INFO_ONLY}
    unknown = [command.name for command in program.commands if command.kind not in known]
    if unknown:
        raise ArchiveError(
            f"it has load commands that cannot be moved: {', '.join(unknown)}",
            hint="link the launcher with the zig that pypack names",
        )


def _laid_out(parts: _Stub, base: int, end: int) -> MachO:
    """Return the program with its segments where they will be; those before the payload fill their pages."""
    page = c.PAGE[parts.program.cpu]
    program, payload, link = parts.program, parts.payload, parts.link.segment
    starts = sorted(segment.offset for segment in program.segments if segment.size)
    moved = []
    for segment in program.segments:
        memory = -(-segment.memory // page) * page
        new = replace(segment, memory=memory)
        if segment is payload:
            new = replace(segment, memory=end - base, offset=base, size=end - base, protection=c.PROT_READ)
        elif segment is link:
            new = replace(segment, address=payload.address + end - base, offset=end)
        elif segment.size:
            following = min(start for start in starts if start > segment.offset)
            new = replace(new, size=min(memory, following - segment.offset))
        moved.append(new)
    return replace(program, segments=tuple(moved))


def _commands(parts: _Stub, program: MachO, *, size: int, base: int, end: int, signing: sign.Signing) -> list[Command]:
    """Return all load commands as they have to be; the identity in LC_UUID is zero still."""
    changes: dict[int, Command] = {}
    page = c.PAGE[program.cpu]
    for segment in program.segments:
        if segment.name == "__LINKEDIT":
            length = signing.code_limit + signing.size - end
            segment = replace(segment, size=length, memory=-(-length // page) * page)  # noqa: PLW2901
        command = edit.with_segment(
            program.commands[segment.index],
            address=segment.address, memory=segment.memory, offset=segment.offset, size=segment.size,
        )  # fmt: skip
        if segment.name == SEGMENT:
            command = _payload_command(command, base, size)
        changes[segment.index] = command
    shift = end - parts.link.segment.offset
    for index, command in enumerate(program.commands):
        if index not in changes:
            changes[index] = _moved(command, parts, shift)
    kept = [changes[index] for index, old in enumerate(program.commands) if old.kind != c.LC_CODE_SIGNATURE]
    if not any(command.kind == c.LC_UUID for command in kept):
        kept.append(Command(kind=c.LC_UUID, data=struct.pack("<II16x", c.LC_UUID, 24)))
    return [*kept, edit.signature(signing.code_limit, signing.size)]


def _payload_command(command: Command, base: int, size: int) -> Command:
    """Make the segment of the payload read-only and tell its section the payload's exact size."""
    command = edit.patched(command, 56, "II", c.PROT_READ, c.PROT_READ)
    command = edit.patched(command, 72 + 40, "Q", size)
    return edit.patched(command, 72 + 48, "I", base)


def _moved(command: Command, parts: _Stub, shift: int) -> Command:
    """Return a command whose offsets into ``__LINKEDIT`` follow it to its new place."""
    if command.kind == c.LC_UUID:
        return edit.patched(command, 8, "QQ", 0, 0)
    if command.kind == c.LC_SYMTAB:
        places: tuple[int, ...] = (8, 16)
    elif command.kind == c.LC_DYSYMTAB:
        places = _DYSYMTAB_OFFSETS
    elif command.kind in {c.LC_DYLD_INFO, c.LC_DYLD_INFO_ONLY}:
        places = _DYLD_INFO_OFFSETS
    elif command.kind in c.LINKEDIT_DATA and command.kind != c.LC_CODE_SIGNATURE:
        places = (8,)
    else:
        return command
    link = parts.link
    for at in places:
        if at + 4 > len(command.data):
            raise ArchiveError(f"its load command {command.name} is too short")
        offset = int.from_bytes(command.data[at : at + 4], "little")
        if offset and not link.segment.offset <= offset <= link.content_end:
            raise ArchiveError(f"its load command {command.name} leads out of __LINKEDIT")
        if offset:
            command = edit.patched(command, at, "I", offset + shift)
    return command


def _info(parts: _Stub) -> bytes:
    return info_plist(parts.program, io.BytesIO(parts.data))


def info_plist(program: MachO, stream: IO[bytes], start: int = 0) -> bytes:
    """Return the content of ``__TEXT,__info_plist``, which a signature covers by itself, or nothing."""
    text = program.segment("__TEXT")
    for section in text.sections if text else ():
        if section.name == "__info_plist":
            stream.seek(start + section.offset)
            return stream.read(section.size)
    return b""


def _sign(out: IO[bytes], program: MachO, commands: list[Command], signing: sign.Signing) -> None:
    """Write the header, its identity made from all of the content, and the signature behind everything."""
    head = edit.header(program, commands)
    first = -(-len(head) // sign.PAGE) * sign.PAGE  # the pages that the header reaches into are hashed last
    out.seek(0)
    out.write(head)
    rest = bytearray()
    for digest in sign.page_hashes(out, first, signing.code_limit):
        rest += digest
    out.seek(0)
    identified = _identified(commands, out.read(first), rest)
    out.seek(0)
    out.write(edit.header(program, identified))
    begun = b"".join(sign.page_hashes(out, 0, first))
    out.seek(signing.code_limit)
    for piece in signing.around([begun, rest]):
        out.write(piece)
    out.truncate()


def _identified(commands: list[Command], head: bytes, rest: bytearray) -> list[Command]:
    """Put a UUID (RFC 9562, version 8) made from the content into LC_UUID."""
    digest = hashlib.sha256(head)
    digest.update(rest)
    value = bytearray(digest.digest()[:16])
    value[6] = value[6] & 0x0F | 0x80
    value[8] = value[8] & 0x3F | 0x80
    low, high = struct.unpack("<QQ", value)
    return [edit.patched(command, 8, "QQ", low, high) if command.kind == c.LC_UUID else command for command in commands]
