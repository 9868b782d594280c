"""Mach-O files made by hand, so that unit tests need no compiler."""

from __future__ import annotations

import struct
from dataclasses import dataclass

X86_64, ARM64 = 0x01000007, 0x0100000C
EXECUTE, DYLIB, BUNDLE = 2, 6, 8
_FIRST_SECTION = 0x800
_PAGE = 0x4000
_BASE = 1 << 32


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a file shall be. ``needed`` and ``weak`` are libraries; ``extra`` are load commands behind the others."""

    cpu: int = ARM64
    kind: int = EXECUTE
    own: str = ""
    needed: tuple[str, ...] = ("/usr/lib/libSystem.B.dylib",)
    weak: tuple[str, ...] = ()
    rpaths: tuple[str, ...] = ()
    payload: bool = True
    uuid: bool = True
    room: bool = True
    minimum: tuple[int, int] = (11, 0)
    extra: tuple[bytes, ...] = ()


def macho(recipe: Recipe | None = None) -> bytes:
    """Give an unsigned file of 64-bit little-endian Mach-O: text, an empty payload segment, symbols."""
    made = recipe or Recipe()
    text = bytes(range(256)) * 8
    link = struct.pack("<IBBHQ", 1, 0xF, 1, 0, _BASE + _FIRST_SECTION) + b"\0_main\0\0"
    at = 2 * _PAGE if made.payload else _PAGE
    link_at = at + _PAGE if made.payload else at
    commands = [
        *([_segment("__PAGEZERO", 0, _BASE, 0, 0, 0)] if made.kind == EXECUTE else []),
        _segment("__TEXT", _BASE, _PAGE, 0, _PAGE, 5, _section("__TEXT", "__text", len(text), _FIRST_SECTION)),
    ]
    if made.payload:
        payload = _section("__PYPACK", "__payload", 1, at, _BASE + at)
        commands.append(_segment("__PYPACK", _BASE + at, 1, at, 1, 3, payload))
    commands.append(_segment("__LINKEDIT", _BASE + link_at, _PAGE, link_at, len(link), 1))
    commands += [
        struct.pack("<6I", 2, 24, link_at, 1, link_at + 16, 8),
        struct.pack("<20I", 0xB, 80, 0, 0, 0, 1, 1, *[0] * 13),
        struct.pack("<6I", 0x32, 24, 1, made.minimum[0] << 16 | made.minimum[1] << 8, 0, 0),
    ]
    commands += [struct.pack("<II16s", 0x1B, 24, b"0123456789abcdef")] if made.uuid else []
    commands += [struct.pack("<IIQQ", 0x80000028, 24, _FIRST_SECTION, 0)] if made.kind == EXECUTE else []
    commands += [_dylib(0xD, made.own)] if made.own else []
    commands += [*(_dylib(0xC, name) for name in made.needed), *(_dylib(0x80000018, name) for name in made.weak)]
    commands += [*(_string(0x8000001C, 12, b"", folder) for folder in made.rpaths), *made.extra]
    body = b"".join(commands)
    head = struct.pack("<8I", 0xFEEDFACF, made.cpu, 0, made.kind, len(commands), len(body), 0x200085, 0) + body
    if not made.room:  # the first section begins right behind the load commands
        head = head.replace(struct.pack("<QQI", _BASE + _FIRST_SECTION, len(text), _FIRST_SECTION),
                            struct.pack("<QQI", _BASE + len(head), len(text), len(head)))  # fmt: skip
    front = (head.ljust(_FIRST_SECTION, b"\0") if made.room else head) + text
    return front.ljust(link_at, b"\0") + link


def fat(*parts: bytes, cpus: tuple[int, ...] = (X86_64, ARM64)) -> bytes:
    """Give a universal file of several programs."""
    out = struct.pack(">II", 0xCAFEBABE, len(parts))
    places, at = [], _PAGE
    for part, cpu in zip(parts, cpus, strict=True):
        places.append(at)
        out += struct.pack(">5I", cpu, 0, at, len(part), 14)
        at = -(-(at + len(part)) // _PAGE) * _PAGE
    for place, part in zip(places, parts, strict=True):
        out = out.ljust(place, b"\0") + part
    return out


def _segment(
    name: str, address: int, memory: int, offset: int, size: int, protection: int, section: bytes = b""
) -> bytes:
    length = 72 + len(section)
    head = struct.pack("<II16s4Q", 0x19, length, name.encode(), address, memory, offset, size)
    return head + struct.pack("<4I", protection, protection, len(section) // 80, 0) + section


def _section(segment: str, name: str, size: int, offset: int, address: int = 0) -> bytes:
    names = struct.pack("<16s16s", name.encode(), segment.encode())
    return names + struct.pack("<QQ8I", address or _BASE + offset, size, offset, 0, 0, 0, 0, 0, 0, 0)


def _dylib(kind: int, name: str) -> bytes:
    return _string(kind, 24, struct.pack("<III", 2, 0x10000, 0x10000), name)


def _string(kind: int, at: int, between: bytes, text: str) -> bytes:
    raw = text.encode() + b"\0"
    size = -(-(at + len(raw)) // 8) * 8
    return (struct.pack("<III", kind, size, at) + between + raw).ljust(size, b"\0")
