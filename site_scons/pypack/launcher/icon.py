"""Checks whether a file is an icon that Windows can show."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pypack.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 16 << 20
_HEAD, _ENTRY = 6, 16
_ICON, _POINTER = b"\0\0\1\0", b"\0\0\2\0"  # ICONDIR begins with 0 and the type
_PNG = b"\x89PNG\r\n\x1a\n"
_BITMAP_HEADS = {40, 52, 56, 108, 124}  # sizes of BITMAPINFOHEADER and its later versions
_HINT = "save it anew as an .ico file (sizes 16 to 256 pixels), or leave the setting out"
_DOCS = "docs/windows.md"


def read(path: Path) -> bytes:
    """Return the content of the icon file ``path``.

    Raises :class:`InputError` for a file that cannot be read or is no icon (format: Microsoft's "Icons", ICONDIR).
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"the icon {path} cannot be read: {error.strerror or error}", hint=_HINT, docs=_DOCS
        ) from error
    reason = fault(data)
    if reason:
        raise InputError(f"the icon {path} is no icon: {reason}", hint=_HINT, docs=_DOCS)
    return data


def fault(data: bytes) -> str:
    """Return the fault of an icon's content, in one clause, or ``""``."""
    reason = _head_fault(data)
    if reason:
        return reason
    count = int.from_bytes(data[4:6], "little")
    end = _HEAD + count * _ENTRY
    if end > len(data):
        return "it is cut short in its list of pictures"
    faults = (_picture_fault(data, number, end) for number in range(count))
    return next((reason for reason in faults if reason), "")


def _head_fault(data: bytes) -> str:
    if len(data) > _LARGEST:
        return f"it is larger than {_LARGEST >> 20} MiB"
    if data.startswith(_PNG):
        return "it is a PNG picture; an .ico file holds pictures of several sizes"
    if len(data) < _HEAD:
        return "it is cut short"
    if data[:4] == _POINTER:
        return "it is a mouse pointer"
    if data[:4] != _ICON:
        return "its first bytes are not those of an .ico file"
    return "" if data[4:6] != b"\0\0" else "it holds no picture"


def _picture_fault(data: bytes, number: int, start: int) -> str:
    size, offset = struct.unpack_from("<II", data, _HEAD + number * _ENTRY + 8)
    name = f"picture {number + 1}"
    if offset < start or not size:
        return f"{name} is nowhere in it"
    if offset + size > len(data):
        return f"it is cut short: {name} ends behind its end"
    picture = data[offset : offset + size]
    if picture.startswith(_PNG) and picture[12:16] == b"IHDR" and size >= 33:
        return ""
    if size >= 40 and int.from_bytes(picture[:4], "little") in _BITMAP_HEADS:
        return ""
    return f"{name} is neither a bitmap nor a PNG"
