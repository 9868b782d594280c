"""Change which libraries a Mach-O file names, and sign it anew.

What ``install_name_tool`` and ``codesign --force --sign -`` do on a Mac: the name of a library, the names of those that
it needs, the folders where they are looked for. Load commands grow into the room that linkers leave behind them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats.macho import constants as c
from pypack.formats.macho import edit, fat, read, sign
from pypack.formats.macho.payload import LIMIT, info_plist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.formats.macho.read import Command, MachO, Slice

_NAME_AT = 24  # struct dylib_command


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names in a program: its own install name, the libraries it needs, and where they are looked for.

    ``optional`` are those of ``needed`` without which it starts all the same.
    """

    arch: str
    kind: int
    own: str
    needed: tuple[str, ...]
    optional: frozenset[str]
    rpaths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Changes of names: ``own`` is a new install name, ``needed`` maps old names to new ones.

    ``rpaths`` are added where they are missing, ``dropped`` ones taken away.
    """

    own: str = ""
    needed: Mapping[str, str] = field(default_factory=dict)
    rpaths: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()


def names(data: bytes) -> list[Names]:
    """Return what each program in a file names. What is no Mach-O that can be used is an :class:`ArchiveError`."""
    return [_names(program) for _, program in read.read_all(io.BytesIO(data))]


def rewrite(data: bytes, changes: Changes, *, identifier: str) -> bytes:
    """Return the file with the changes made and every program in it signed ad hoc.

    A file that nothing changes in comes back as it is. ``identifier`` is the name in the new signatures; they keep
    the entitlements of the old ones.
    """
    places = read.read_all(io.BytesIO(data))
    edited = [_edited(program, changes) for _, program in places]
    if all(list(program.commands) == commands for (_, program), commands in zip(places, edited, strict=True)):
        return data
    return _finished(data, places, edited, identifier)


def resign(data: bytes, *, identifier: str) -> bytes:
    """Return the file with every program in it signed ad hoc anew; nothing else is changed."""
    places = read.read_all(io.BytesIO(data))
    return _finished(data, places, [list(program.commands) for _, program in places], identifier)


def _finished(data: bytes, places: list[tuple[Slice, MachO]], edited: list[list[Command]], identifier: str) -> bytes:
    parts = []
    for (program_slice, program), commands in zip(places, edited, strict=True):
        content = data[program_slice.offset : program_slice.offset + program_slice.size]
        parts.append((program_slice, _signed(content, program, commands, identifier)))
    return _joined(data, parts)


def _names(program: MachO) -> Names:
    install_names = [command.text(8) for command in program.find(c.LC_ID_DYLIB)]
    return Names(
        arch=program.arch,
        kind=program.kind,
        own=install_names[0] if install_names else "",
        needed=tuple(command.text(8) for command in program.find(*c.LOADS)),
        optional=frozenset(command.text(8) for command in program.find(c.LC_LOAD_WEAK_DYLIB)),
        rpaths=tuple(command.text(8) for command in program.find(c.LC_RPATH)),
    )


def _edited(program: MachO, changes: Changes) -> list[Command]:
    commands, last = [], 0
    for command in program.commands:
        new = command
        if command.kind == c.LC_ID_DYLIB and changes.own:
            new = _named(command, changes.own)
        elif command.kind in c.LOADS:
            new = _named(command, changes.needed.get(command.text(8), ""))
        elif command.kind == c.LC_RPATH and command.text(8) in changes.dropped:
            continue
        commands.append(new)
        last = len(commands) if command.kind in c.LOADS | {c.LC_RPATH, c.LC_ID_DYLIB} else last
    present = {command.text(8) for command in program.find(c.LC_RPATH)}
    added = [edit.rpath(folder) for folder in dict.fromkeys(changes.rpaths) if folder not in present]
    return [*commands[:last], *added, *commands[last:]]


def _named(command: Command, name: str) -> Command:
    if not name or name == command.text(8):
        return command
    if len(command.data) < _NAME_AT:
        raise ArchiveError("the name of a library in its load commands is cut off")
    # between the offset of the name and the name stand a time and two versions, which stay
    moved = edit.patched(command, 8, "I", _NAME_AT)
    return edit.with_text(moved, _NAME_AT, name)


def _signed(data: bytes, program: MachO, commands: list[Command], identifier: str) -> bytes:
    """Return the program ``data`` with these load commands and a new signature at its end."""
    link = edit.link_edit(program)
    old = sign.kept(data[link.content_end :]) if link.signed else None
    limit = -(-link.content_end // sign.ALIGN) * sign.ALIGN
    info = info_plist(program, io.BytesIO(data))
    signing = edit.signing(program, identifier, limit, info, old)
    if limit + signing.size > LIMIT:
        raise ArchiveError("it would be bigger than 4 GiB")
    size, page = limit + signing.size - link.segment.offset, c.PAGE.get(program.cpu, 0x4000)
    segment = edit.with_segment(
        program.commands[link.segment.index],
        address=link.segment.address, memory=-(-size // page) * page, offset=link.segment.offset, size=size,
    )  # fmt: skip
    final = [
        segment if _is_link_edit(command) else command for command in commands if command.kind != c.LC_CODE_SIGNATURE
    ]
    final.append(edit.signature(limit, signing.size))
    if not link.signed and program.cpu == c.CPU_X86_64 and not edit.fits(program, final):
        head = edit.header(program, commands)  # Intel Macs load what is not signed, and it was not
        return head + data[len(head) :]
    head = edit.header(program, final)
    body = (head + data[len(head) : link.content_end]).ljust(limit, b"\0")
    return body + signing.blob(b"".join(sign.page_hashes(io.BytesIO(body), 0, limit)))


def _is_link_edit(command: Command) -> bool:
    return command.kind == c.LC_SEGMENT_64 and command.data[8:24].rstrip(b"\0") == b"__LINKEDIT"


def _joined(data: bytes, parts: list[tuple[Slice, bytes]]) -> bytes:
    """Put programs into a file of the shape of ``data``: thin, or fat in the same order with the same alignment."""
    if int.from_bytes(data[:4], "big") not in {c.FAT_MAGIC, c.FAT_MAGIC_64}:
        return parts[0][1]
    out = io.BytesIO()
    fat.write(out, [fat.Part(place=place, size=len(content), pieces=(content,)) for place, content in parts])
    return out.getvalue()
