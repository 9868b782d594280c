"""Writes files atomically: under a temporary name first, then renamed."""

from __future__ import annotations

import errno
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DOCS = "docs/build-output.md"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and rename that to ``path``; it is removed after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def disk_error(error: OSError, path: Path) -> StepError:
    """Return what to tell a person of an error of the disk while ``path`` was written."""
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return StepError(
            f"the disk is full while {path} was made",
            hint="free some space and build again; nothing half-made was left",
            docs=_DOCS,
        )
    return StepError(
        f"{error.strerror or error}: {error.filename or path}", hint="check that the folder can be written", docs=_DOCS
    )


def write_text(path: Path, text: str) -> None:
    """Write text atomically, as UTF-8 with unchanged newlines."""
    with replaced(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
