"""Read the headers of the tars that images are, in the GNU format.

Python's own :mod:`tarfile` takes a tenth of a millisecond for each, and a build looks at each member of each package
several times. They are written by :mod:`pypack.formats.headers`, which shares no code with this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 512
FILE, LINK, FOLDER = b"0", b"2", b"5"
_EMPTY = bytes(BLOCK)
_MAGIC = b"ustar  \0"
_LONG_NAME, _LONG_LINK = b"L", b"K"
_LONG = (_LONG_NAME, _LONG_LINK)
_LONGEST = 1 << 16  # bytes of a name, more than any system has


class Member(NamedTuple):
    """One member: ``kind`` is the type flag, ``content`` where its ``size`` bytes begin; ``time`` in seconds.

    ``link`` is the target of a symbolic link.
    """

    name: bytes
    kind: bytes
    link: bytes
    mode: int
    size: int
    content: int
    time: int
    user: int
    group: int


def padded(size: int) -> int:
    """Return the bytes that a content of ``size`` bytes takes in whole blocks."""
    return -(-size // BLOCK) * BLOCK


def member(read: Callable[[int, int], bytes], at: int) -> Member | None:
    """Read the member whose header stands at ``at``, with a long name or target in front of it (GNU).

    ``read`` returns the bytes at an offset, fewer at the end of the file. Returns None after the last member. Raises
    :class:`ValueError` for a header that is invalid or cut short.
    """
    long: dict[bytes, bytes] = {}
    header = read(at, BLOCK)
    if header == _EMPTY:
        return None
    while (kind := header[156:157]) in _LONG:
        size = _number(header[124:136])
        text = read(at + BLOCK, size) if _is_sound(header) and 0 < size <= _LONGEST else b""
        if kind in long or not text or len(text) < size:
            raise ValueError("a long name that is cut, or empty")
        long[kind] = text
        at += BLOCK + padded(size)
        header = read(at, BLOCK)
    if not _is_sound(header) or header[257:265] != _MAGIC:
        raise ValueError("no header")
    size = _number(header[124:136])
    if size and kind != FILE:
        raise ValueError("a content of what has none")
    return Member(
        name=_text(long.get(_LONG_NAME, header[:100])),
        kind=kind,
        link=_text(long.get(_LONG_LINK, header[157:257])),
        mode=_number(header[100:108]),
        size=size,
        content=at + BLOCK,
        time=_number(header[136:148]),
        user=_number(header[108:116]),
        group=_number(header[116:124]),
    )


def _is_sound(header: bytes) -> bool:
    """Say whether the checksum is right; it is computed with spaces in its own field."""
    return len(header) == BLOCK and _number(header[148:156]) == sum(header) - sum(header[148:156]) + 8 * 0x20


def _number(field: bytes) -> int:
    """Read a number: octal digits, or, from 8 GiB on, base 256 after a marker byte."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):  # int() would take signs and underscores
        raise ValueError("no number")
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    """Return the field up to its first NUL, as other readers of tars do."""
    return field.partition(b"\0")[0]
