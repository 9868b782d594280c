"""Products that are kept by what they are made of alone.

SCons' own CacheDir finds a product by the contents of what it is made from, so all of that has to be there first: for
the layer of a runtime, 100 MB to copy and to hash. Where a product follows from pins, parameters and
small files alone, the recipe is as good a name, and nothing else has to be there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.pipeline import signature

if TYPE_CHECKING:
    from pypack.pipeline import Step

_FOLDER = "kept"
_SMALL = 1 << 20  # bytes


def recipe(step: Step) -> str:
    """Return a hash over all that a product is made from, or ``""`` if the disk has a say in it.

    Small files (patches) count by their content.
    """
    if step.expand is not None:
        return ""
    inputs = [_file(each) if isinstance(each, Path) else recipe(each) for each in step.inputs]
    if not all(inputs):
        return ""
    return hashlib.sha256(json.dumps([step.product, signature(step), inputs]).encode()).hexdigest()


def _file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.stat().st_size <= _SMALL else ""
    except OSError:
        return ""


def found(step: Step, recipe: str, cache: Path, build: Path) -> Path | None:
    """Return the kept product of ``step``, or None.

    What was made from its inputs, which are below ``build`` then, stays that way: its node must not change from run to
    run.
    """
    if any((build / each.product).exists() for each in step.inputs if not isinstance(each, Path)):
        return None
    kept = _place(cache, recipe)
    return kept if kept.is_file() else None


def keep(product: Path, recipe: str, cache: Path) -> None:
    """Keep a finished product; a cache that cannot be written is no fault of the build."""
    kept = _place(cache, recipe)
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(product, part)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)


def _place(cache: Path, recipe: str) -> Path:
    return cache / _FOLDER / recipe[:2] / recipe
