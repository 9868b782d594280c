"""Hashes many files, with a cache so that an unchanged file costs one ``stat``."""

from __future__ import annotations

import hashlib
import stat
import time
from typing import TYPE_CHECKING, Any

from pypack.base import records

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_RACY_NS = 2_000_000_000


def contents(files: Iterable[tuple[str, Path]], memory: Path | None) -> dict[str, str]:
    """Return a digest of executable bit and content for each ``(name, path)``, by name.

    ``memory`` is a JSON file that keeps the hashes of files whose size, time and inode are unchanged; None keeps none.
    """
    known_rows = records.read(memory) if memory else {}
    new_rows: dict[str, list[Any]] = {}
    digests: dict[str, str] = {}
    now = time.time_ns()
    for name, path in files:
        info = path.stat()
        stamp = [info.st_size, info.st_mtime_ns, info.st_ino]
        row = known_rows.get(name)
        content = row[3] if row is not None and row[:3] == stamp else _hash(path)
        if now - info.st_mtime_ns > _RACY_NS:  # a file changed just now may change again without a new time
            new_rows[name] = [*stamp, content]
        digests[name] = f"{info.st_mode & stat.S_IXUSR}\0{content}"
    if memory and new_rows != known_rows:
        records.write(memory, new_rows)
    return digests


def is_executable(digest: str) -> bool:
    """Say whether the file of a digest of :func:`contents` was executable."""
    return not digest.startswith("0\0")


def whole(parts: dict[str, str]) -> str:
    """Return one hash over names and hashes, in their order."""
    return hashlib.sha256("".join(f"{name}\0{part}\n" for name, part in parts.items()).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
