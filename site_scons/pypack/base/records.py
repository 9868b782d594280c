"""Reads and writes small JSON files below ``.pypack/`` that record earlier decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pypack.base import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read(path: Path) -> dict[str, Any]:
    """Return the record in ``path``; ``{}`` if it is missing or unreadable."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write(path: Path, entries: Mapping[str, Any]) -> None:
    """Write the record atomically."""
    files.write_text(path, json.dumps(entries, indent=1, sort_keys=True) + "\n")
