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
_STATE_FOLDERS = (
    "__pycache__", "*.egg-info", ".git", ".hg", ".svn", ".bzr", ".venv", ".tox", ".nox", ".eggs", ".pypack",
    ".mypy_cache",    ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".pixi", ".direnv",
)  # fmt: skip
"""Folders that tools write, wherever they stand."""
_EDITOR_FOLDERS = (".idea", ".vscode", ".cache")
"""Folders at the top that tools write; below, they are as likely data of the project."""
_OUTPUTS = ("build", "dist")
"""Folders at the top that tools write, unless they are packages."""


def walk_project(
    root: Path,
    *,
    skip: Callable[[Path], bool] = lambda _: False,
    loop: Callable[[Path], None] = lambda _: None,
    all_names: bool = False,
) -> Iterator[tuple[str, Path]]:
    """Yield the files of a project as path below ``root`` and path on the disk, in the order of their names.

    ``all_names``: hidden folders and backup files count too, as for build backends. Links to folders are followed.
    ``skip`` says which folders and files stay out besides. ``loop`` is called with a
    link that leads to a folder it stands in: such a link stays out where the call returns.
    """
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        inner = [here / name for name in sorted(folders)]
        inner = [path for path in inner if not _is_skipped(path, root, all_names=all_names) and not skip(path)]
        folders[:] = [path.name for path in inner if not _is_loop(path, root, loop)]
        for name in sorted(names):
            path = here / name
            if (all_names or not matches(name, _SKIPPED_FILES)) and not skip(path):
                yield path.relative_to(root).as_posix(), path


def _is_skipped(folder: Path, root: Path, *, all_names: bool) -> bool:
    name, top = folder.name, folder.parent == root
    if (folder / "pyvenv.cfg").exists():
        return True
    if not all_names and matches(name, _SKIPPED_FOLDERS):
        return True
    if all_names and (matches(name, _STATE_FOLDERS) or (folder / "CACHEDIR.TAG").exists()):
        return True
    if all_names and name == "node_modules" and not _is_in_package(folder, root):
        return True
    skipped = (*_OUTPUTS, *_EDITOR_FOLDERS) if all_names else _OUTPUTS
    return top and name in skipped and not (folder / "__init__.py").exists()


def _is_in_package(folder: Path, root: Path) -> bool:
    above = itertools.takewhile(lambda path: path != root, folder.parents)
    return any((path / "__init__.py").exists() for path in above)


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


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a file's name matches one of some patterns."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
