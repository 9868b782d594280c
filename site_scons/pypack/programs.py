"""What the launchers of bundles keep on this machine: programs and the layers that they share (docs/launcher.md)."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import folders

if TYPE_CHECKING:
    from collections.abc import Iterator

_HASH = re.compile(r"[0-9a-f]{32}")
_SETTINGS = "pyvenv.cfg"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program in the cache: its folder, its name, the layers that it names, and when it was last used."""

    folder: Path
    name: str
    layers: frozenset[str]
    used: float


def kept() -> list[Program]:
    """Return the programs in the cache, the one that was used last in front."""
    found = [_program(each) for each in _hashed(folders.cache_root() / "apps")]
    return sorted(found, key=lambda program: -program.used)


def layers() -> list[Path]:
    """Return the folders of unpacked layers."""
    return _hashed(folders.cache_root() / "layers")


def prune(oldest: float) -> int:
    """Remove programs last used before ``oldest``, and layers that none names; return how many bytes that was.

    What runs stays, and so does everything where the system has no locks to tell: launchers tidy up by themselves.
    """
    if os.name == "nt" or not (folders.cache_root() / "tmp").is_dir():
        return 0
    freed = 0
    with _cleaning() as held:
        if not held:
            return 0
        running = _running()
        for program in kept():
            if program.used < oldest and not any(program.folder.name in words for words in running):
                freed += _remove_program(program)
        wanted = frozenset().union(*(program.layers for program in kept()))
        for layer in layers():
            if layer.name not in wanted and not any(layer.name in words for words in running):
                freed += _remove(layer)
    return freed


def size(folder: Path) -> int:
    """Return how many bytes the files below ``folder`` hold."""
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir() or each.is_symlink())


def _program(folder: Path) -> Program:
    settings = folder / _SETTINGS
    try:
        text, used = settings.read_text(encoding="utf-8"), settings.stat().st_mtime
    except OSError:  # nothing can be started from it
        text, used = "", 0.0
    line = next((line for line in text.splitlines() if line.startswith("pypack-layers =")), "")
    name = next((each.name for each in sorted(folder.glob("bin/*"))), folder.name)
    return Program(folder=folder, name=name, layers=frozenset(_HASH.findall(line)), used=used)


def _hashed(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if _HASH.fullmatch(each.name)) if folder.is_dir() else []


@contextlib.contextmanager
def _cleaning() -> Iterator[bool]:
    """Hold the lock under which programs appear and layers go."""
    with (folders.cache_root() / "tmp" / "cleaning.lock").open("a+b") as lock:
        yield _locked(lock.fileno())


def _locked(file: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _running() -> list[str]:
    """Return what each process that can be looked at runs, and by which words; children hold no lock."""
    told = []
    processes = Path("/proc")
    for process in processes.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace")
            told.append(f"{(process / 'exe').readlink()} {words}")
    return told


def _remove_program(program: Program) -> int:
    try:
        with (program.folder / _SETTINGS).open("rb") as settings:
            return _remove(program.folder) if _locked(settings.fileno()) else 0
    except FileNotFoundError:
        return _remove(program.folder)


def _remove(folder: Path) -> int:
    """Move a folder out of the way in one step, then remove it."""
    freed = size(folder)
    aside = tempfile.mkdtemp(prefix="cleaning.", dir=folders.cache_root() / "tmp")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    return freed


def age(program: Program) -> str:
    """Return when a program was last used, for people."""
    days = max(0, int((time.time() - program.used) // 86_400))
    return "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} ago"
