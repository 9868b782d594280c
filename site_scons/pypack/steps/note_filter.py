"""Decides which notes a build shows: each once for a project, until it changes, and no silenced one."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from typing import TYPE_CHECKING

from pypack.base import records

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.base.notes import Note


class NoteFilter:
    """The notes of one ``project``. ``file`` has those that earlier builds showed; None: nothing is remembered.

    ``quiet`` are the identifiers of notes that are never shown. With ``always`` those of earlier builds are shown too;
    within one build each is shown once. Thread-safe.
    """

    def __init__(
        self, *, file: Path | None = None, project: str = "", quiet: Iterable[str] = (), always: bool = False
    ) -> None:
        self._file, self._project, self._quiet, self._always = file, project, frozenset(quiet), always
        self._earlier = set(records.read(file).get("shown", ())) if file else set[str]()
        self._now = set[str]()
        self._guard = threading.Lock()

    def admits(self, note: Note) -> bool:
        """Say whether to show ``note``. From now on it has been shown."""
        if note.identifier in self._quiet:
            return False
        mark = hashlib.sha256(f"{self._project}\n{note}".encode()).hexdigest()[:16]
        with self._guard:
            if mark in self._now:
                return False
            self._now.add(mark)
        return self._always or mark not in self._earlier

    def save(self) -> None:
        """Remember what was shown; where that is impossible, it is shown again."""
        if self._file and self._now - self._earlier:
            with contextlib.suppress(OSError):
                shown = set(records.read(self._file).get("shown", ())) | self._earlier | self._now
                records.write(self._file, {"shown": sorted(shown)})
