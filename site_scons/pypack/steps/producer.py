"""Makes the products of steps: from the step cache if it has them, else by running the step."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base.notes import Note
from pypack.errors import InputError
from pypack.steps import interrupt, product_record
from pypack.steps.step import Context, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pypack.steps.cache import StepCache
    from pypack.steps.step import Settings

_DOCS = "docs/build-output.md"

_DAY = 86_400  # seconds


class FolderError(InputError):
    """There is a folder at the path of a file to write."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is a folder; a file is to be written there", hint="remove it, or choose another name", docs=_DOCS
        )


class Producer:
    """Makes products below one output folder. Thread-safe.

    ``build`` is the folder, ``cache`` the step cache, None where none is used. ``paths`` has the paths of products
    outside ``build``, by key, and ``pending`` the steps that have to run, as far as the graph was made. Each product is
    recorded with its key in ``.pypack/keys``: SCons writes its own records when it ends, so that after a kill they say
    nothing of what was made since.
    """

    def __init__(self, build: Path, cache: StepCache | None) -> None:
        self.build, self.cache = build, cache
        self.paths: dict[str, Path] = {}
        self.pending: list[Step] = []
        self._notes: dict[str, tuple[Note, ...]] = {}
        self._locks: dict[Path, threading.RLock] = {}
        self._guard = threading.Lock()
        self._swept = False

    def path(self, step: Step) -> Path:
        """Return the path of the product of ``step``."""
        return self.paths.get(step.key) or self.build / step.product

    def is_cached(self, step: Step) -> bool:
        """Say whether the step cache has a record of the product; its content is not checked."""
        return step.is_cacheable and self.cache is not None and self.cache.contains(step.key)

    def is_made(self, step: Step, path: Path | None = None) -> bool:
        """Say whether the product is at its path, as the last build left it.

        Outside ``build`` a file may change its size later: people sign what they get.
        """
        path = path or self.path(step)
        record = product_record.read(self._record(path))
        if record is None or record.key != step.key:
            return False
        try:
            size = path.stat().st_size
        except OSError:
            return False
        self._notes[step.key] = record.notes
        return size == record.size or (size > 0 and not self._is_inside(path))

    def notes(self, step: Step) -> tuple[Note, ...]:
        """Return what was noted about a product that is there or cached, and about all that it was made from."""
        if step.key not in self._notes:
            record = product_record.read(self._record(self.path(step)))
            stored_notes = record.notes if record and record.key == step.key else ()
            self._notes[step.key] = stored_notes or (self.cache.notes(step.key) if self.cache else ())
        return self._notes[step.key]

    def why(self, step: Step, path: Path | None = None) -> str:
        """Say in a clause why ``step`` has to run."""
        return product_record.describe_change(step, product_record.read(self._record(path or self.path(step))))

    def produce(
        self, step: Step, settings: Settings, *, on_cache_hit: Callable[[Path], None], path: Path | None = None
    ) -> None:
        """Make the product of ``step`` (at ``path`` if given), and its missing inputs.

        ``on_cache_hit`` is called with the path of each product from the step cache. Raises the errors of the step, and
        :class:`OSError`.
        """
        path = path or self.path(step)
        with self._alone(path):
            if not self.is_made(step, path) and not self._take(step, path, on_cache_hit):
                self._make(step, path, settings, on_cache_hit)

    def _take(self, step: Step, path: Path, on_cache_hit: Callable[[Path], None]) -> bool:
        if self.cache is None or not self.is_cached(step):
            return False
        with self._work_file(path) as work:
            if not self.cache.get(step.key, work):
                return False
            self._notes[step.key] = self.cache.notes(step.key)
            self._publish(step, work, path)
        on_cache_hit(path)
        return True

    def _make(self, step: Step, path: Path, settings: Settings, on_cache_hit: Callable[[Path], None]) -> None:
        def wait() -> None:
            settings.say(f"  waiting for another build that makes {Path(step.product).name}")

        with self.cache.alone(step.key, wait) if step.slow and self.cache else nullcontext():
            if step.slow and self._take(step, path, on_cache_hit):  # another build has made it in the meantime
                return
            inputs = tuple(self._input(step_input, settings, on_cache_hit) for step_input in step.inputs)
            before, said = self._states(step), list[Note]()
            with self._work_file(path) as work:
                step.run(
                    Context(
                        product=work,
                        inputs=inputs,
                        params=step.params,
                        unhashed=step.unhashed,
                        settings=noting(settings, said),
                        memory=self.build / "memory",
                    )
                )
                self._refuse_changed_inputs(step, before)
                self._keep_notes(step, said)
                if self.cache is not None and step.is_cacheable:
                    self.cache.put(step.key, work, self._notes[step.key])
                self._publish(step, work, path)

    def _keep_notes(self, step: Step, said: list[Note]) -> None:
        """Keep what a step said and what was noted about its inputs: a later build may need its product only."""
        steps = (step_input for step_input in step.inputs if isinstance(step_input, Step))
        notes = [*(note for step_input in steps for note in self.notes(step_input)), *said]
        self._notes[step.key] = tuple(dict.fromkeys(notes))

    def _states(self, step: Step) -> list[object]:
        """Return a value for each input that changes when another build replaces its product."""
        states: list[object] = []
        for step_input in step.inputs:
            if isinstance(step_input, Path):
                continue
            info = self.path(step_input).stat()
            states.append((self.is_made(step_input), info.st_size, info.st_mtime_ns, info.st_ino))
        return states

    def _refuse_changed_inputs(self, step: Step, before: list[object]) -> None:
        """Raise :class:`InputError` if an input is another one than the key says: the product must not be cached."""
        if self._states(step) != before:
            raise InputError(
                f"another build in {self.build} replaced what {step.product} is made from",
                hint="run one build in a folder at a time, and build again",
                docs=_DOCS,
            )
        # a copy works its key out again
        if any(isinstance(step_input, Path) for step_input in step.inputs) and replace(step).key != step.key:
            raise InputError(
                f"a file that {step.product} is made from changed meanwhile", hint="build again", docs=_DOCS
            )

    def _publish(self, step: Step, work: Path, path: Path) -> None:
        """Move a product to its path; there is a record of it only while it is whole."""
        record = self._record(path)
        record.unlink(missing_ok=True)
        size = work.stat().st_size
        _move(work, path)
        notes, parts = self._notes.get(step.key, ()), product_record.parts(step)
        product_record.ProductRecord(key=step.key, size=size, notes=notes, parts=parts).write(record)

    def _record(self, path: Path) -> Path:
        return self.build / "keys" / hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _is_inside(self, path: Path) -> bool:
        return path.is_relative_to(self.build)

    def _input(self, step_input: Step | Path, settings: Settings, on_cache_hit: Callable[[Path], None]) -> Path:
        if isinstance(step_input, Path):
            return step_input
        # SCons has made it before, unless the step cache lost the product since the graph was made
        self.produce(step_input, settings, on_cache_hit=on_cache_hit)
        return self.path(step_input)

    @contextmanager
    def _work_file(self, path: Path) -> Iterator[Path]:
        """Yield a path in an empty temporary folder, which is removed afterwards.

        Builds that run at the same time work in folders of their own; a killed one's are removed a day later.
        """
        self._sweep()
        folder = self.build / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=f"{path.name[:40]}-", dir=folder) as work,
            interrupt.removed_with_the_build(Path(work)),
        ):
            yield Path(work) / path.name

    def _sweep(self) -> None:
        """Remove, once, the temporary folders of builds that were killed."""
        with self._guard:
            if self._swept:
                return
            self._swept = True
        for folder in (self.build / "tmp").glob("*"):
            with contextlib.suppress(OSError):  # another build was quicker
                if time.time() - folder.stat().st_mtime > _DAY:
                    shutil.rmtree(folder)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Let one thread at a time make a product."""
        with self._guard:
            lock = self._locks.setdefault(path, threading.RLock())
        with lock:
            yield


def noting(settings: Settings, said: list[Note]) -> Settings:
    """Return the settings with which notes are shown, and added to ``said``."""

    def say(text: str) -> None:
        if isinstance(text, Note):
            said.append(text)
        settings.say(text)

    return replace(settings, say=say)


def _move(work: Path, final: Path) -> None:
    """Move a finished product to its path atomically, also to another file system."""
    if final.is_dir():
        raise FolderError(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        work.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with tempfile.TemporaryDirectory(prefix=f".{final.name}.", dir=final.parent) as folder:
            same_disk_copy = Path(folder) / final.name
            shutil.copy2(work, same_disk_copy)
            same_disk_copy.replace(final)
