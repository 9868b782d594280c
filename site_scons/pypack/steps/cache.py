"""Caches products of steps by their cache keys.

:class:`StepCache` is the interface. :class:`LocalStepCache` is a folder in the layout of Bazel's remote caches: ``ac/``
has a record for each key, ``cas/`` holds contents by their hash.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pypack.base import folders, records
from pypack.base.notes import restored, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pypack.base.notes import Note

_CHUNK = 1 << 20  # bytes


class StepCache(Protocol):
    """Stores products by key. No method raises :class:`OSError`: a build goes on without its cache."""

    def contains(self, key: str) -> bool:
        """Say whether :meth:`get` would find a product; no content is read."""

    def get(self, key: str, file: Path) -> bool:
        """Write the product of ``key`` to ``file``, its hash checked; say whether there was one."""

    def put(self, key: str, file: Path, notes: tuple[Note, ...] = ()) -> None:
        """Store ``file`` as the product of ``key``, replacing an older one, and what is noted about it."""

    def notes(self, key: str) -> tuple[Note, ...]:
        """Return the notes that were stored with the product of ``key``."""

    def alone(self, key: str, wait: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Lock ``key`` against other builds on this machine; ``wait`` is called before waiting for one."""


def open_cache(folder: Path | None = None, *, readonly: bool = False) -> LocalStepCache:
    """Return the step cache in a folder, by default pypack's own; it is made where it is missing.

    Raises :class:`OSError` with the folder as ``filename`` if it cannot be used.
    """
    if folder is None:
        folders.prepare()
    place = folder or folders.build_cache()
    place.mkdir(parents=True, exist_ok=True)
    if not os.access(place, os.R_OK | os.X_OK | (0 if readonly else os.W_OK)):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    return LocalStepCache(place, readonly=readonly)


class LocalStepCache:
    """A step cache in a local folder. With ``readonly`` nothing is added."""

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self._folder, self._readonly = folder, readonly

    def contains(self, key: str) -> bool:
        """Say whether there is a record of ``key`` and the content that it names."""
        record = self._record(key)
        return record is not None and self._content(record[0]).is_file()

    def get(self, key: str, file: Path) -> bool:
        """Copy the product of ``key``; a damaged one is removed and counts as missing."""
        record = self._record(key)
        if record is None:
            return False
        sha256, executable = record
        content = self._content(sha256)
        try:
            if _copy(content, file) == sha256:
                file.chmod(0o755 if executable else 0o644)
                self._touch(content, self._action(key))
                return True
            if not self._readonly:
                content.unlink()
        except OSError:  # removed meanwhile, or not readable
            pass
        file.unlink(missing_ok=True)
        return False

    def _touch(self, *used: Path) -> None:
        """Set the times that "pypack cache --prune" reads."""
        for path in () if self._readonly else used:
            with contextlib.suppress(OSError):  # a cache of another user
                os.utime(path)

    def put(self, key: str, file: Path, notes: tuple[Note, ...] = ()) -> None:
        """Store a copy of ``file``, and its notes in the record."""
        if self._readonly:
            return
        with contextlib.suppress(OSError), self._part() as content_copy:
            sha256 = _copy(file, content_copy)
            content = self._content(sha256)
            if not content.is_file() or content.stat().st_size != content_copy.stat().st_size:
                _publish(content_copy, content)
            with self._part() as record:
                executable = bool(file.stat().st_mode & 0o100)
                row = {"sha256": sha256, "executable": executable, **({"notes": stored(notes)} if notes else {})}
                record.write_text(json.dumps(row), encoding="utf-8")
                _publish(record, self._action(key))

    @contextlib.contextmanager
    def alone(self, key: str, wait: Callable[[], None]) -> Iterator[None]:
        """Hold a lock file beside the record; without one if the file system has no locks."""
        from filelock import FileLock, Timeout

        if self._readonly:
            yield
            return
        with contextlib.ExitStack() as stack:
            lock = self._action(key).with_suffix(".lock")
            # a cache that cannot be written, or a file system without locks
            with contextlib.suppress(OSError, NotImplementedError):
                lock.parent.mkdir(parents=True, exist_ok=True)
                file = FileLock(lock)
                try:
                    stack.enter_context(file.acquire(timeout=0))
                except Timeout:
                    wait()
                    stack.enter_context(file.acquire())
            yield

    def notes(self, key: str) -> tuple[Note, ...]:
        """Return the notes in the record."""
        return restored(records.read(self._action(key)).get("notes"))

    def _record(self, key: str) -> tuple[str, bool] | None:
        """Return the hash of a key's product and whether it is executable."""
        try:
            row = json.loads(self._action(key).read_text(encoding="utf-8"))
            return str(row["sha256"]), bool(row["executable"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _action(self, key: str) -> Path:
        return self._folder / "ac" / key[:2] / key

    def _content(self, sha256: str) -> Path:
        return self._folder / "cas" / sha256[:2] / sha256

    @contextlib.contextmanager
    def _part(self) -> Iterator[Path]:
        """Yield a temporary file in the cache folder, which is removed afterwards."""
        folder = self._folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> str:
    """Copy a file and return the SHA-256 of the copied bytes, in hex."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
    return digest.hexdigest()


def _publish(temporary: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)
