"""Hashes of many files, with a memory of what was hashed before, so that what is unchanged costs one look at each."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_RACY_NS = 2_000_000_000


def contents(files: Iterable[tuple[str, Path]], memory: Path | None) -> dict[str, str]:
    """Return a hash over executable bit and content of each file, by the name that is given with it.

    ``memory`` is a JSON file that keeps the hashes of files whose size, time and inode are unchanged; None keeps none.
    """
    known = _load(memory) if memory else {}
    fresh: dict[str, list[Any]] = {}
    found: dict[str, str] = {}
    now = time.time_ns()
    for name, path in files:
        info = path.stat()
        mark = [info.st_size, info.st_mtime_ns, info.st_ino]
        row = known.get(name)
        content = row[3] if row is not None and row[:3] == mark else _hash(path)
        if now - info.st_mtime_ns > _RACY_NS:  # a file changed just now may change again without a new time
            fresh[name] = [*mark, content]
        found[name] = f"{info.st_mode & stat.S_IXUSR}\0{content}"
    if memory and fresh != known:
        _store(memory, fresh)
    return found


def whole(parts: dict[str, str]) -> str:
    """Return one hash over names and hashes, in their order."""
    return hashlib.sha256("".join(f"{name}\0{part}\n" for name, part in parts.items()).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _load(memory: Path) -> dict[str, list[Any]]:
    try:
        rows: dict[str, list[Any]] = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return rows


def _store(memory: Path, rows: dict[str, list[Any]]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
    fresh.write_text(json.dumps(rows), encoding="utf-8")
    fresh.replace(memory)
