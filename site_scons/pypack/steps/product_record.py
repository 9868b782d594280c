"""What is kept of each product below ``.pypack/keys``: its key, its size, its notes, and what it was made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import files
from pypack.base.notes import restored, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.base.notes import Note
    from pypack.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class ProductRecord:
    """``size`` is in bytes; ``notes`` are those of the step and of all that it was made from.

    ``parts`` has a digest of each input and of each parameter, by which a later build says why it makes the product
    again.
    """

    key: str
    size: int
    notes: tuple[Note, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        more = json.dumps({"notes": stored(self.notes), "parts": self.parts}, sort_keys=True)
        files.write_text(path, f"{self.key} {self.size}\n{more}\n")


def read(path: Path) -> ProductRecord | None:
    """Return the record in ``path``, None if there is none or it is damaged."""
    try:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        key, size = first.split()
        more: Any = json.loads(rest) if rest.strip() else {}
        parts = {str(name): str(digest) for name, digest in more.get("parts", {}).items()}
        return ProductRecord(key=key, size=int(size), notes=restored(more.get("notes")), parts=parts)
    except (OSError, ValueError, AttributeError):
        return None


def parts(step: Step) -> dict[str, str]:
    """Return a digest of everything that the key of ``step`` is made from, by the name that people know it by."""
    from pypack.steps.step import file_digest

    inputs = {
        f"input {step_input}" if isinstance(step_input, Path) else f"input {step_input.product}": (
            file_digest(step_input) if isinstance(step_input, Path) else step_input.key
        )
        for step_input in step.inputs
    }
    settings = {f"setting {name}": _digest(value) for name, value in step.params.items()}
    return {**inputs, **settings, "version": str(step.version)}


def describe_change(step: Step, record: ProductRecord | None) -> str:
    """Say in a clause why ``step`` has to run, where ``record`` is of its last product."""
    if record is None or not record.parts:
        return "new"
    if record.key == step.key:
        return "its file is missing or was changed"
    now = parts(step)
    if record.parts.get("version") != now["version"]:
        return "pypack has changed"
    changed = [name for name in sorted(now.keys() | record.parts.keys()) if now.get(name) != record.parts.get(name)]
    shown = [f"{Path(name).name if kind == 'input' else name} changed" for kind, _, name in map(_split, changed)]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"{', '.join(shown[:_SHOWN])}{more}" or "new"


_SHOWN = 3


def _split(part: str) -> tuple[str, str, str]:
    return part.partition(" ")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
