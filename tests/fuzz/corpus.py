"""The corpus that is kept: one zip for each harness, small, made smaller by libFuzzer's own merge."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = Path(__file__).with_name("corpus")
MOST = 40_000
"""Bytes of the inputs that are kept for one harness."""
_TIME = (1980, 1, 1, 0, 0, 0)


def unpack(name: str, folder: Path) -> list[Path]:
    """Write the kept inputs of a harness into ``folder`` and return them, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"{name}.zip"
    if kept.exists():
        with zipfile.ZipFile(kept) as packed:
            for each in packed.namelist():
                add(folder, packed.read(each))
    return sorted(folder.iterdir())


def add(folder: Path, data: bytes) -> None:
    """Write one input under the name that libFuzzer would give it."""
    (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def keep(name: str, files: Iterable[Path]) -> int:
    """Make the smallest of these files the kept inputs of a harness, :data:`MOST` bytes at most; return their number.

    The same files give the same bytes.
    """
    KEPT.mkdir(exist_ok=True)
    kept, room = [], MOST
    for path in sorted(files, key=lambda path: (path.stat().st_size, path.name)):
        room -= path.stat().st_size
        kept += [path] if room >= 0 else []
    with zipfile.ZipFile(KEPT / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(kept):
            packed.writestr(zipfile.ZipInfo(path.name, _TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(kept)
