"""Read headers of a tar in memory: some microseconds each, where Python's own reader takes a fifth of a millisecond.

Part of what opens a bundle again (:mod:`pypack.bundle.verify`), so it shares nothing with what writes images.
"""

from __future__ import annotations

from typing import NamedTuple

BLOCK = 512
_LONG = (b"L", b"K")
_LONGEST = 1 << 16  # bytes of a name, more than any system has


class Member(NamedTuple):
    """One member: ``kind`` is the type flag, ``content`` where its ``size`` bytes begin; ``time`` in seconds."""

    name: bytes
    kind: bytes
    size: int
    content: int
    time: int
    user: int
    group: int


def padded(size: int) -> int:
    """Return the room that a content of ``size`` bytes takes."""
    return -(-size // BLOCK) * BLOCK


def member(data: bytes, at: int) -> Member:
    """Read the member whose header stands at ``at``, with a long name or target in front of it (GNU).

    What is no header, or ends too soon, is a :class:`ValueError`.
    """
    name = b""
    while (kind := data[at + 156 : at + 157]) in _LONG:
        header = _header(data, at)
        size = _number(header[124:136])
        if not 0 < size <= _LONGEST or at + BLOCK + size > len(data):
            raise ValueError("a long name that is cut, or empty")
        if kind == b"L":
            name = data[at + BLOCK : at + BLOCK + size].rstrip(b"\0")
        at += BLOCK + padded(size)
    header = _header(data, at)
    size = _number(header[124:136])
    return Member(
        name=name or header[:100].rstrip(b"\0"),
        kind=kind,
        size=size if kind == b"0" else 0,
        content=at + BLOCK,
        time=_number(header[136:148]),
        user=_number(header[108:116]),
        group=_number(header[116:124]),
    )


def _header(data: bytes, at: int) -> bytes:
    header = data[at : at + BLOCK]
    if len(header) < BLOCK or _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise ValueError("no header")
    return header


def _number(field: bytes) -> int:
    """Read a number: octal digits, or, from 8 GiB on, bytes behind a mark."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.strip(b" \0") or b"0", 8)
