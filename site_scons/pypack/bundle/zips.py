"""Append the app's zip to a bundle."""

from __future__ import annotations

import struct
import time
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, cast

from pypack.bundle.offset_stream import OffsetStream
from pypack.formats.headers import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.formats.image import Member

_MODE_EXTRA = 0x756E  # Info-ZIP "ASi Unix": the only mode that a local header can hold
_DATE = time.gmtime(EPOCH)[:6]
_CHUNK = 1 << 20
LIMIT = 0xFFFF_FFFF
"""Offsets from here on do not fit into a plain zip."""


def write_entries(out: IO[bytes], entries: Iterable[tuple[Member, IO[bytes] | None]]) -> int:
    """Append a stored zip of ``entries`` to ``out`` and return where its local entries end.

    Offsets in the zip count from the start of ``out``, or from the start of the zip past 4 GiB, where readers
    differ in what they make of large absolute ones.
    """
    start = out.tell()
    stream = cast("IO[bytes]", OffsetStream(out, start)) if start >= LIMIT // 2 else out
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for member, content in entries:
            _write(packed, member, content)
        end = packed.start_dir
    return end + (start if stream is not out else 0)


def _write(packed: zipfile.ZipFile, member: Member, content: IO[bytes] | None) -> None:
    folder = member.kind == "dir"
    info = zipfile.ZipInfo(f"{member.path}/" if folder else member.path, cast("tuple[int, ...]", _DATE))  # type: ignore[arg-type]
    info.create_system = 3
    mode = {"file": 0o100755 if member.executable else 0o100644, "link": 0o120777, "dir": 0o040755}[member.kind]
    info.external_attr = mode << 16 | (0x10 if folder else 0)
    if member.executable or member.kind == "link":
        info.extra = _mode_extra(mode, member.link)
    info.file_size = member.size if member.kind == "file" else 0
    with packed.open(info, "w", force_zip64=info.file_size >= LIMIT) as out:
        while content is not None and (piece := content.read(_CHUNK)):
            out.write(piece)


def _mode_extra(mode: int, link: str) -> bytes:
    target = link.encode()
    body = struct.pack("<HIHH", mode, len(target), 0, 0) + target
    return struct.pack("<HHI", _MODE_EXTRA, len(body) + 4, zlib.crc32(body)) + body
