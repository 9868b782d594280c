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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.pipeline import content_time, signature

if TYPE_CHECKING:
    from pypack.pipeline import Step

_FOLDER = "kept"
_SMALL = 1 << 20  # bytes
_COARSE = 2  # seconds, to which some file systems round times


def recipe(step: Step) -> str:
    """Return a hash over all that a product is made from, or ``""`` if the disk has a say in it.

    Small files (patches) count by their content. What no cache may have (signatures) is not kept either.
    """
    if step.expand is not None or not (step.cached or step.action == "fetch"):
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


def found(product: Path, recipe: str, cache: Path) -> Path | None:
    """Return what is kept for ``product``, or None.

    A product that is there already stays what it was, taken or made: its node must not change from run to run. What is
    kept and damaged, or has lost the time that stands for its content, is removed: the product is made again.
    """
    kept = _place(cache, recipe)
    try:
        taken = _mark(product).read_text(encoding="utf-8") if _mark(product).exists() else ""
        if not kept.is_file() or (product.exists() and not taken):
            return None
        if taken == recipe or abs(kept.stat().st_mtime - content_time(kept)) <= _COARSE:
            return kept
        kept.unlink()
    except OSError:  # removed meanwhile, or not ours to read
        pass
    return None


def take(kept: Path, work: Path, product: Path) -> None:
    """Copy what is kept to ``work``, and leave a mark that ``product`` was taken."""
    try:
        shutil.copy2(kept, work)
    except FileNotFoundError:
        raise StepError(f"{kept} was removed while the build began", do="build again") from None
    product.parent.mkdir(parents=True, exist_ok=True)
    _mark(product).write_text(kept.name, encoding="utf-8")  # the recipe


def made(product: Path) -> None:
    """Remove the mark of a product that was taken once: it has been made now."""
    _mark(product).unlink(missing_ok=True)


def keep(product: Path, recipe: str, cache: Path) -> None:
    """Keep a finished product; a cache that cannot be written is no fault of the build."""
    kept = _place(cache, recipe)
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{kept.name}.", dir=kept.parent)
        os.close(handle)
        part = Path(name)
        try:
            shutil.copy2(product, part)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)


def _mark(product: Path) -> Path:
    return product.with_name(f"{product.name}.kept")


def _place(cache: Path, recipe: str) -> Path:
    return cache / _FOLDER / recipe[:2] / recipe
