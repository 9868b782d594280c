"""``pypack cache``: shows and prunes the caches of builds, and of bundles that run on this machine."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from pypack.base import folders
from pypack.cli import programs
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DOCS = "docs/settings.md"

_DAY = 86_400


def show() -> int:
    """Print the path and size of each cache."""
    print(folders.cache_root())
    for path in _builder_folders():
        sizes = [file.stat().st_size for file in _files(path)]
        print(f"  {path.name:<10} {sum(sizes) / 1e6:>10.1f} MB in {len(sizes)} files")
    if folders.wine().is_dir():
        print(f"  {'wine':<10} {sum(file.stat().st_size for file in _files(folders.wine())) / 1e6:>10.1f} MB")
    layers, cached_programs = programs.layers(), programs.cached_programs()
    print(f"  {'bundles':<10} {sum(map(programs.size, layers)) / 1e6:>10.1f} MB in {len(layers)} layers")
    for program in cached_programs:
        print(f"    {program.name}, used {programs.age(program)}")
    return 0


def prune(days: int) -> int:
    """Remove files that were not used for ``days`` days, unpacked bundles too."""
    if days < 0:
        raise InputError(
            f"--prune {days}: a number of days from 0 on is meant", hint="write e.g. --prune 30", docs=_DOCS
        )
    oldest = time.time() - days * _DAY
    freed = 0
    for path in _builder_folders():
        for file in _files(path):
            info = file.stat()
            # mtime may be older than the file's entry into the cache; ctime is the time of that
            if max(info.st_atime, info.st_mtime, info.st_ctime) < oldest:
                freed += info.st_size
                file.unlink(missing_ok=True)
    freed += _prune_wine(oldest) + programs.prune(oldest)
    print(f"removed {freed / 1e6:.1f} MB")
    return 0


def _prune_wine(oldest: float) -> int:
    """Remove the wine prefix if it was not changed since ``oldest``; return the bytes freed.

    A running wine keeps its registry there, and writes it when it ends.
    """
    registry = folders.wine() / "system.reg"
    if not registry.is_file() or registry.stat().st_mtime >= oldest:
        return 0
    size = sum(file.stat().st_size for file in _files(folders.wine()))
    shutil.rmtree(folders.wine(), ignore_errors=True)
    return size


def _builder_folders() -> list[Path]:
    """Return the cache folders of builds."""
    return [folders.downloads(), folders.build_cache(), folders.zig_cache()]


def _files(path: Path) -> Iterator[Path]:
    return (
        (file for file in path.rglob("*") if not file.is_symlink() and file.is_file() and file.suffix != ".lock")
        if path.is_dir()
        else iter(())
    )
