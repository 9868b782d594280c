"""``pypack cache``: what is kept on the machine that builds (and for the bundles that run on it), and pruning of it."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from pypack import folders, programs
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAY = 86_400


def show() -> int:
    """Print where the caches are and how large each is."""
    print(folders.cache_root())
    for path in _places():
        sizes = [each.stat().st_size for each in _files(path)]
        print(f"  {path.name:<10} {sum(sizes) / 1e6:>10.1f} MB in {len(sizes)} files")
    if folders.wine().is_dir():
        print(f"  {'wine':<10} {sum(each.stat().st_size for each in _files(folders.wine())) / 1e6:>10.1f} MB")
    layers, kept = programs.layers(), programs.kept()
    print(f"  {'bundles':<10} {sum(map(programs.size, layers)) / 1e6:>10.1f} MB in {len(layers)} layers")
    for program in kept:
        print(f"    {program.name}, used {programs.age(program)}")
    return 0


def prune(days: int) -> int:
    """Remove what was not used for ``days`` days, unpacked bundles too; what is needed again is made again."""
    if days < 0:
        raise InputError(f"--prune {days}: a number of days from 0 on is meant")
    oldest = time.time() - days * _DAY
    freed = 0
    for path in _places():
        for each in _files(path):
            info = each.stat()
            # products bear a time that stands for their content; ctime tells when they came into the cache
            if max(info.st_atime, info.st_mtime, info.st_ctime) < oldest:
                freed += info.st_size
                each.unlink(missing_ok=True)
    freed += _prune_wine(oldest) + programs.prune(oldest)
    print(f"removed {freed / 1e6:.1f} MB")
    return 0


def _prune_wine(oldest: float) -> int:
    """Remove the folder of wine as a whole if nothing in it was changed since; return how many bytes that were.

    A running wine keeps its registry there, and writes it when it ends.
    """
    registry = folders.wine() / "system.reg"
    if not registry.is_file() or registry.stat().st_mtime >= oldest:
        return 0
    size = sum(each.stat().st_size for each in _files(folders.wine()))
    shutil.rmtree(folders.wine(), ignore_errors=True)
    return size


def _places() -> list[Path]:
    """The builder's own folders."""
    return [folders.downloads(), folders.build_cache(), folders.zig_cache()]


def _files(path: Path) -> Iterator[Path]:
    return (
        (each for each in path.rglob("*") if not each.is_symlink() and each.is_file() and each.suffix != ".lock")
        if path.is_dir()
        else iter(())
    )
