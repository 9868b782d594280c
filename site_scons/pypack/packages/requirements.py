"""Requirements files: what they include, and their lines."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NESTED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]+(.+?)\s*(?:#.*)?$")
_INCLUDES = re.compile(r"-[rc]|--requirement\b|--constraint\b")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_CONTINUED = re.compile(r"\\\r?\n")


def files(path: Path) -> list[Path]:
    """Return a requirements file and every file that it includes by ``-r`` or ``-c``, each once."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", do="name a requirements file")
    found: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        if not file.is_file():
            raise InputError(
                f"requirements file {file} does not exist",
                do=f"it is included by {found[-1]}" if found else "check the path after -r / requirements=",
            )
        found.append(file)
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(Path(os.path.normpath(file.parent / nested[1].strip("\"'"))))
    return found


def lines(path: Path) -> Iterator[str]:
    """Yield what a requirements file and those that it includes ask for, whole lines without comments."""
    for file in files(path):
        text = _CONTINUED.sub(" ", file.read_text(encoding="utf-8", errors="replace"))
        for line in text.splitlines():
            bare = " ".join(_COMMENT.sub("", line).split())
            if bare and not _INCLUDES.match(bare):
                yield bare
