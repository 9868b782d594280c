"""The locks of a build, one for each target: a lock is renewed only when its inputs change."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pypack.base import files, records
from pypack.base.notes import restored, stored
from pypack.deps import lock, resolve
from pypack.steps.producer import noting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pypack.base.notes import Note
    from pypack.base.targets import Target
    from pypack.deps.venv import Installed
    from pypack.project.program import Project
    from pypack.steps.cache import StepCache
    from pypack.steps.step import Settings


@dataclass(frozen=True, kw_only=True)
class Locks:
    """The locks below ``build``. ``cache`` has those of earlier builds, for when ``build`` is empty."""

    build: Path
    cache: StepCache | None = None
    _renewed: set[Path] = field(default_factory=set)
    _guards: dict[Path, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def file(self, project: Project, target: Target) -> Path:
        """Return the path of the lock of a program for a target."""
        return self.build / "apps" / project.name / target.name / "pylock.toml"

    def current(
        self, project: Project, target: Target, python: str, settings: Settings,
        installed: Sequence[tuple[Installed, str]] = (), *, usual: Target | None = None,
    ) -> tuple[Path, str]:  # fmt: skip
        """Return the lock for a target and a version of CPython, and its stamp; make it where it is missing or stale.

        ``settings.upgrade`` renews it once in a build. ``usual``: :class:`pypack.deps.resolve.Request`.
        """
        assert project.dependencies is not None  # the caller asks only then
        request = resolve.Request(
            dependencies=project.dependencies,
            target=target,
            python=python,
            no_binary=tuple(project.no_binary),
            build=not project.no_build,
            installed=tuple((distribution.info, digest) for distribution, digest in installed),
            usual=usual,
        )
        file = self.file(project, target)
        with self._guards[file]:  # a target may be asked for by itself and as a part of a universal one
            renew = settings.upgrade and file not in self._renewed
            if renew or not lock.is_current(file, request.stamp):
                self._make(request, file, settings, renew=renew)
            else:
                for note in restored(records.read(_notes_file(file)).get(request.stamp)):
                    settings.say(note)
            self._renewed.add(file)
        return file, request.stamp

    def _make(self, request: resolve.Request, file: Path, settings: Settings, *, renew: bool) -> None:
        with files.replaced(file) as partial:
            if not renew and self.cache and self.cache.get(request.stamp, partial):
                settings.display.resolve(file, cached=True)
                notes = self.cache.notes(request.stamp)
                for note in notes:
                    settings.say(note)
            else:
                settings.display.resolve(file, cached=False)
                said: list[Note] = []
                resolve.write(request, partial, noting(settings, said))
                notes = tuple(said)
                if self.cache:
                    self.cache.put(request.stamp, partial, notes)
            records.write(_notes_file(file), {request.stamp: stored(notes)})


def _notes_file(lock_file: Path) -> Path:
    """Return the path of what was said while a lock was made."""
    return lock_file.with_suffix(".notes.json")
