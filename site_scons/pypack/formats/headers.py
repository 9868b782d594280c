"""Write the headers of the tars that images are, in the GNU format.

They are what Python's own :mod:`tarfile` writes today, byte for byte; that depends on its version (fields of devices),
and bundles must not.
"""

from __future__ import annotations

EPOCH = 315532800
"""1980-01-01 00:00:00 UTC, the oldest time that zip knows: that of all members."""

FILE, LINK, FOLDER = b"0", b"2", b"5"
_LONG_NAME, _LONG_LINK = b"L", b"K"
_BLOCK = 512
_SHORT = 100  # bytes of a name that fit into a header
_LARGE = 8 << 30


def of(name: bytes, kind: bytes, *, mode: int = 0o644, size: int = 0, link: bytes = b"") -> bytes:
    """Return the headers of a member; a long name or link target precedes the header itself."""
    long = b"".join(
        _header(b"././@LongLink", flag, size=len(text) + 1) + text + bytes(padded(len(text) + 1) - len(text))
        for flag, text in ((_LONG_LINK, link), (_LONG_NAME, name))
        if len(text) > _SHORT
    )
    return long + _header(name[:_SHORT], kind, mode=mode, size=size, time=EPOCH, link=link[:_SHORT])


def _header(name: bytes, kind: bytes, *, size: int, mode: int = 0, time: int = 0, link: bytes = b"") -> bytes:
    count = b"%011o\0" % size if size < _LARGE else b"\x80" + size.to_bytes(11, "big")
    head = b"%b%07o\0%b%b%011o\0" % (name.ljust(100, b"\0"), mode, b"0000000\0" * 2, count, time)
    tail = kind + link.ljust(100, b"\0") + b"ustar  \0"
    check = sum(head) + sum(tail) + 8 * 0x20  # computed with spaces in the checksum field
    return (head + b"%06o\0 " % check + tail).ljust(_BLOCK, b"\0")


def padded(size: int) -> int:
    """Return the bytes that a content of ``size`` bytes takes in whole blocks."""
    return -(-size // _BLOCK) * _BLOCK
