"""Write the trailer: the zip's comment that tells the launcher where everything is."""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_DOCS = "docs/bundle-format.md"

MAGIC = b"PYPK\x00\x02\x00\x00"
KINDS = {"runtime": 1, "deps": 2, "app": 3}

_ENTRY = struct.Struct("<IIQQQII32s")
_FOOT = struct.Struct("<IIIIIIQ8sQQQ")
_CHECK = 32
_LONGEST = 0xFFFF
_ALIGN = 8
_ZIP_END = b"PK\x05\x06"


@dataclass(frozen=True, kw_only=True)
class LayerEntry:
    """A row of the layer table; ``offset`` and sizes in bytes, ``sha256`` is the identity."""

    kind: str
    offset: int
    size: int
    unpacked: int
    frames: int
    sha256: bytes


def ends(path: Path) -> bool:
    """Say whether a file ends with a trailer; a signed bundle does not."""
    try:
        with path.open("rb") as file:
            file.seek(-_CHECK, io.SEEK_END)
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def pack(first_line: str, launch: Iterable[tuple[str, str]], layers: list[LayerEntry], *, zip_offset: int,
         local_end: int, central_size: int) -> bytes:  # fmt: skip
    """Return the trailer.

    ``zip_offset`` is where the zip begins, ``local_end`` where its local entries end, and ``central_size`` the
    length of central folder and end record together: they decide where the bundle ends.
    """
    block = b"".join(_pair(key, value) for key, value in launch)
    table = b"".join(
        _ENTRY.pack(KINDS[layer.kind], 0, layer.offset, layer.size, layer.unpacked, layer.frames, 0, layer.sha256)
        for layer in layers
    )
    line = first_line.encode()
    rest = len(block) + len(table) + _CHECK + _FOOT.size
    # blanks make the bundle end at a multiple of 8, where a certificate table of a PE may begin
    line += b" " * (-(local_end + central_size + len(line) + 1 + rest) % _ALIGN) + b"\n"
    size = len(line) + rest
    if size > _LONGEST:
        raise StepError(
            f"the trailer would be {size} bytes, {_LONGEST} is the most", hint="use a shorter name", docs=_DOCS
        )
    runtime = layers[0]
    for nonce in range(1 << 16):
        foot = _FOOT.pack(
            size, len(line), len(block), len(line) + len(block), len(layers), nonce,
            local_end + central_size + size, MAGIC, runtime.offset, runtime.size, zip_offset,
        )  # fmt: skip
        check = hashlib.sha256(line + block + table + foot).digest()
        trailer = line + block + table + check + foot
        if _ZIP_END not in trailer:
            return trailer
    raise StepError(
        "no trailer without a zip signature could be found: a name or path holds PK\\5\\6",
        hint="give the program another name",
        docs=_DOCS,
    )


def _pair(key: str, value: str) -> bytes:
    if "\0" in value or "=" in key:
        raise StepError(
            f"the launch block cannot hold {key}={value!r}",
            hint="give it a value without zero bytes and ends of lines",
            docs=_DOCS,
        )
    return f"{key}={value}".encode() + b"\0"
