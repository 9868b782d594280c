"""The launchers' cache on this machine: programs and the layers that they share (docs/launcher.md)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import folders

if TYPE_CHECKING:
    from collections.abc import Iterator

_HASH = re.compile(r"[0-9a-f]{32}")
_SETTINGS = "pyvenv.cfg"
_LOCAL_FILE_SYSTEMS = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "tmpfs",
        "ramfs",
        "f2fs",
        "zfs",
        "bcachefs",
        "jfs",
        "reiserfs",
        "nilfs2",
        "vfat",
        "exfat",
        "ntfs3",
        "ecryptfs",
    ]
)
"""File systems that only one kernel can lock, as in stubs/os/linux/sharing.c."""
_FIRST_PROCESSES = "pid:[4026531836]"
"""The namespace that sees all processes of a Linux machine (PROC_PID_INIT_INO)."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program in the cache: its folder, its name, the layers that it uses, and the time of its last use."""

    folder: Path
    name: str
    layers: frozenset[str]
    used: float


def cached_programs() -> list[Program]:
    """Return the programs in the cache, the most recently used first."""
    programs = [_read_program(folder) for folder in _hash_folders(folders.cache_root() / "apps")]
    return sorted(programs, key=lambda program: -program.used)


def layers() -> list[Path]:
    """Return the folders of unpacked layers."""
    return _hash_folders(folders.cache_root() / "layers")


def prune(oldest: float) -> int:
    """Remove programs last used before ``oldest``, and unused layers; return the bytes freed.

    Running programs stay. Nothing is removed if the system cannot tell what runs (no locks, a file system shared with
    other machines, a container): launchers clean up by themselves.
    """
    root = folders.cache_root()
    if os.name == "nt" or not (root / "tmp").is_dir() or not _sees_all_users(root):
        return 0
    freed = 0
    with _cleaning_lock() as is_locked:
        if not is_locked:
            return 0
        command_lines = _command_lines()
        for program in cached_programs():
            if program.used < oldest and not any(program.folder.name in command_line for command_line in command_lines):
                freed += _remove_program(program)
        used_layers = frozenset().union(*(program.layers for program in cached_programs()))
        for layer in layers():
            if layer.name not in used_layers and not any(layer.name in command_line for command_line in command_lines):
                freed += _remove(layer)
    return freed


def _sees_all_users(folder: Path) -> bool:
    """Say whether locks and the list of processes cover everyone who may use ``folder``."""
    if sys.platform != "linux":
        return True
    try:
        device = folder.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        first = os.fspath(Path("/proc/self/ns/pid").readlink()) == _FIRST_PROCESSES
    except OSError:  # no /proc
        return False
    name = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.partition(" - ")[2].split()[0] for line in mounts if line.split()[2] == name}
    return first and (
        not kinds or bool(kinds & _LOCAL_FILE_SYSTEMS)
    )  # btrfs has device numbers that are not in the mount table


def size(folder: Path) -> int:
    """Return the total size of the files below ``folder``, in bytes."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir() or file.is_symlink())


def _read_program(folder: Path) -> Program:
    settings = folder / _SETTINGS
    try:
        text, used = settings.read_text(encoding="utf-8"), settings.stat().st_mtime
    except OSError:  # without it the program cannot be started
        text, used = "", 0.0
    line = next((line for line in text.splitlines() if line.startswith("pypack-layers =")), "")
    name = next((file.name for file in sorted(folder.glob("bin/*"))), folder.name)
    return Program(folder=folder, name=name, layers=frozenset(_HASH.findall(line)), used=used)


def _hash_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if _HASH.fullmatch(entry.name)) if folder.is_dir() else []


@contextlib.contextmanager
def _cleaning_lock() -> Iterator[bool]:
    """Yield whether the lock is held that guards adding programs and removing layers."""
    with (folders.cache_root() / "tmp" / "cleaning.lock").open("a+b") as lock:
        yield _try_lock(lock.fileno())


def _try_lock(file: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _command_lines() -> list[str]:
    """Return executable and command line of each visible process, since child processes hold no lock."""
    command_lines = []
    processes = Path("/proc")
    for process in processes.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().decode("utf-8", "replace")
            command_lines.append(f"{(process / 'exe').readlink()} {arguments}")
    return command_lines


def _remove_program(program: Program) -> int:
    try:
        with (program.folder / _SETTINGS).open("rb") as settings:
            return _remove(program.folder) if _try_lock(settings.fileno()) else 0
    except FileNotFoundError:
        return _remove(program.folder)


def _remove(folder: Path) -> int:
    """Rename a folder, then remove it; return the bytes freed.

    A folder of a container image's layer cannot be renamed, and would free nothing.
    """
    freed = size(folder)
    trash = tempfile.mkdtemp(prefix="cleaning.", dir=folders.cache_root() / "tmp")
    folder.chmod(0o755)  # a new parent changes its ".." entry, which needs write permission
    try:
        folder.rename(trash)
    except OSError as e:
        if e.errno != errno.EXDEV:
            raise
        freed = 0
    for directory, _, _ in os.walk(trash):  # layers are read-only
        Path(directory).chmod(0o755)
    shutil.rmtree(trash, ignore_errors=True)
    return freed


def age(program: Program) -> str:
    """Return how long ago a program was last used, as text."""
    days = max(0, int((time.time() - program.used) // 86_400))
    return "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} ago"
