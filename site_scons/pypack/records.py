"""Decisions that are kept in a small JSON file below ``build/``, so that they need not be taken again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(path: Path) -> dict[str, Any]:
    """Return what is recorded in ``path``; nothing where there is no record, or none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, entries: Mapping[str, Any]) -> None:
    """Replace the record in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # threads may write one at the same time
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(entries, indent=1, sort_keys=True) + "\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
