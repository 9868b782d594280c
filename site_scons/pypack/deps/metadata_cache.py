"""Remember what a build backend said about a project until a file that it read changes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_SETTINGS = ("*.toml", "*.cfg", "*.py", "*.txt", "*.in", "VERSION*", "README*")
"""Globs of the files that a build backend may read metadata from, besides a version in a module."""


def settings_files(folder: Path) -> list[Path]:
    """Return the files at the top of a program's folder that can change its metadata."""
    paths = {path for pattern in _SETTINGS for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in paths if not path.name.startswith("pylock."))  # a lock follows from the others


def recall(
    memory: Path | None, folder: Path, ask: Callable[[], tuple[dict[str, Any], Iterable[str]]]
) -> dict[str, Any]:
    """Return what ``ask`` returned when it was last called, unless a file that it read has changed since.

    ``ask`` returns an answer (JSON) and the files below ``folder`` that were opened for it; settings files at the top
    of ``folder`` count in any case.
    """
    record = records.read(memory) if memory else {}
    opened = [str(name) for name in record.get("opened", [])]
    if record and record.get("digest") == _digest(folder, opened):
        answer: dict[str, Any] = record["told"]
        return answer
    answer, files = ask()
    opened = sorted({*_inside(folder, files)})
    if memory:
        records.write(memory, {"digest": _digest(folder, opened), "opened": opened, "told": answer})
    return answer


def _inside(folder: Path, files: Iterable[str]) -> Iterator[str]:
    for name in files:
        path = Path(name)
        if path.is_relative_to(folder) and path.is_file():
            yield path.relative_to(folder).as_posix()


def _digest(folder: Path, opened: Iterable[str]) -> str:
    """Return a hash over the files that decide about a project's metadata; one that is gone counts as empty."""
    digest = hashlib.sha256()
    for path in sorted({*settings_files(folder), *(folder / name for name in opened)}):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()
