"""Change load commands: what stands in them, how many there are, and the bytes that they become."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats.macho import constants as c
from pypack.formats.macho import sign
from pypack.formats.macho.read import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.formats.macho.read import MachO, Segment


@dataclass(frozen=True, kw_only=True)
class LinkEdit:
    """The last segment of a program, and where in it the old signature begins (its end if there is none)."""

    segment: Segment
    content_end: int
    signed: bool


def link_edit(program: MachO) -> LinkEdit:
    """Find ``__LINKEDIT`` and make sure that it ends the file and that a signature ends it."""
    segment = program.segment("__LINKEDIT")
    if segment is None:
        raise ArchiveError("it has no segment __LINKEDIT")
    if segment.end != program.size:
        raise ArchiveError("something stands behind its segment __LINKEDIT")
    if any(other.end > segment.offset for other in program.segments if other is not segment):
        raise ArchiveError("its segment __LINKEDIT is not the last one")
    signatures = program.find(c.LC_CODE_SIGNATURE)
    if not signatures:
        return LinkEdit(segment=segment, content_end=segment.end, signed=False)
    if len(signatures) > 1 or len(signatures[0].data) != 16:
        raise ArchiveError("it has more than one place for a signature")
    offset, size = struct.unpack_from("<II", signatures[0].data, 8)
    if not segment.offset <= offset <= offset + size == segment.end:
        raise ArchiveError("its signature does not stand at the end of __LINKEDIT")
    return LinkEdit(segment=segment, content_end=offset, signed=True)


def patched(command: Command, at: int, layout: str, *values: int) -> Command:
    """Return the command with numbers from byte ``at`` on replaced; too big ones are an :class:`ArchiveError`."""
    data = bytearray(command.data)
    try:
        struct.pack_into(f"<{layout}", data, at, *values)
    except struct.error as error:
        raise ArchiveError(f"its load command {command.name} cannot hold {values}") from error
    return replace(command, data=bytes(data))


def with_segment(command: Command, *, address: int, memory: int, offset: int, size: int) -> Command:
    """Return a segment's command with another place in memory and in the file."""
    return patched(command, 24, "QQQQ", address, memory, offset, size)


def with_text(command: Command, at: int, text: str) -> Command:
    """Return a command whose string, ``at`` bytes from its start and the last thing in it, is another one."""
    raw = text.encode("utf-8", "surrogateescape") + b"\0"
    size = -(-(at + len(raw)) // 8) * 8
    data = (command.data[:at] + raw).ljust(size, b"\0")
    return replace(command, data=data[:4] + struct.pack("<I", size) + data[8:])


def rpath(folder: str) -> Command:
    """Return a new LC_RPATH."""
    return with_text(Command(kind=c.LC_RPATH, data=struct.pack("<III", c.LC_RPATH, 12, 12)), 12, folder)


def signature(offset: int, size: int) -> Command:
    """Return a new LC_CODE_SIGNATURE."""
    return Command(kind=c.LC_CODE_SIGNATURE, data=struct.pack("<IIII", c.LC_CODE_SIGNATURE, 16, offset, size))


def fits(program: MachO, commands: list[Command]) -> bool:
    """Say whether there is room for these commands."""
    return c.HEADER_SIZE + sum(len(command.data) for command in commands) <= program.room


def header(program: MachO, commands: list[Command]) -> bytes:
    """Return the bytes of header and commands, padded with zeros to what the old ones took."""
    body = b"".join(command.data for command in commands)
    size = c.HEADER_SIZE + len(body)
    if size > program.room:
        raise ArchiveError(
            f"its load commands need {size - program.room} bytes more than there is room for",
            hint="link it with -Wl,-headerpad_max_install_names",
        )
    flat = (c.MAGIC_64, program.cpu, program.subtype, program.kind, len(commands), len(body), program.flags, 0)
    return (struct.pack("<8I", *flat) + body).ljust(c.HEADER_SIZE + program.commands_size, b"\0")


def signing(
    program: MachO, identifier: str, code_limit: int, info: bytes, old: sign.Kept | None = None
) -> sign.Signing:
    """Return the contents of a program's new signature; ``old`` are parts of the old one to keep."""
    text = program.segment("__TEXT")
    taken = old or sign.Kept()
    return sign.Signing(
        identifier=identifier,
        code_limit=code_limit,
        text=(text.offset, text.size) if text else (0, 0),
        main=program.kind == c.MH_EXECUTE,
        info=info,
        entitlements=taken.entitlements,
        exec_flags=taken.exec_flags,
    )


def placed(commands: list[Command], changes: Mapping[int, Command], added: list[Command]) -> list[Command]:
    """Return the commands with some of them replaced, by index, and others at the end."""
    return [changes.get(index, command) for index, command in enumerate(commands)] + added
