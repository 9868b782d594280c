"""Walk a project's folder: what is its own, without caches, environments, and what builds leave behind."""

from __future__ import annotations

import fnmatch
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SKIPPED_FOLDERS = (".*", "__pycache__", "node_modules", "*.egg-info")
_SKIPPED_FILES = ("*.pyc", "*.pyo", "*~")
_OUTPUTS = ("build", "dist")
"""Folders at the top that tools write, unless they are packages."""


def walk_project(
    root: Path, *, skip: Callable[[Path], bool] = lambda _: False, loop: Callable[[Path], None] = lambda _: None
) -> Iterator[tuple[str, Path]]:
    """Yield the files of a project as path below ``root`` and path on the disk, in the order of their names.

    Links to folders are followed. ``skip`` says which folders and files stay out besides. ``loop`` is called with a
    link that leads to a folder it stands in: such a link stays out where the call returns.
    """
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        inner = [here / name for name in sorted(folders)]
        inner = [path for path in inner if not _is_skipped(path, top=here == root) and not skip(path)]
        folders[:] = [path.name for path in inner if not _is_loop(path, root, loop)]
        for name in sorted(names):
            path = here / name
            if not _matches(name, _SKIPPED_FILES) and not skip(path):
                yield path.relative_to(root).as_posix(), path


def _is_skipped(folder: Path, *, top: bool) -> bool:
    name = folder.name
    if _matches(name, _SKIPPED_FOLDERS) or (folder / "pyvenv.cfg").exists():
        return True
    return top and name in _OUTPUTS and not (folder / "__init__.py").exists()


def _is_loop(folder: Path, root: Path, loop: Callable[[Path], None]) -> bool:
    """Say whether a link leads to a folder that it stands in, by the way that it was walked or by any other."""
    if not folder.is_symlink():
        return False
    target = os.path.realpath(folder)
    above = itertools.takewhile(lambda path: path != root.parent, folder.parents)
    if not any(Path(os.path.realpath(path)).is_relative_to(target) for path in above):
        return False
    loop(folder)
    return True


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
