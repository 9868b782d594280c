"""What SCons does for a node: run a step, or take its product from where it is kept.

With :mod:`pypack.bridge` the only module that imports SCons.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import SCons.Action
import SCons.Errors
import SCons.Node.FS

from pypack import hosts, keeping
from pypack.errors import InputError, PypackError
from pypack.pipeline import Context, Settings, Step, stamp_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from SCons.Environment import Base
    from SCons.Node.FS import File


class FolderError(InputError):
    """A folder stands where a file is to be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is a folder; a file is to be written there", do="remove it, or choose another name")


class StepAction(SCons.Action.FunctionAction):  # type: ignore[misc]
    """Runs a step; signs by the step's name and version.

    ``extra`` returns the nodes that the first input names. ``kept`` is the name by which the product is kept, if it is.
    """

    def __init__(self, step: Step, *, extra: Callable[[Path], list[File]], kept: str = "") -> None:
        self._step, self._extra, self._kept = step, extra, kept
        # SCons takes the function it is given to pieces for a signature that is not used, which costs a millisecond
        super().__init__(_nothing, {"cmdstr": f"{step.action:<10} $TARGET"})
        self.execfunction = self._execute

    def get_presig(self, target: object, source: object, env: object) -> bytes:
        """Return what stands for the action in signatures."""
        del target, source, env
        return f"{self._step.action} {self._step.version}".encode()

    def _execute(self, target: Sequence[File], source: Sequence[File], env: Base) -> object:
        node = target[0]
        if not self._step.slow:
            return _made(env, node, lambda work: self._make(work, node, source, env))
        with _alone(env, node) as is_there:
            failed = None if is_there else _made(env, node, lambda work: self._make(work, node, source, env))
            if not is_there and failed is None:
                node.push_to_cache()  # SCons would do it later, when others have begun
            return failed

    def _make(self, work: Path, node: File, source: Sequence[File], env: Base) -> None:
        step, final = self._step, Path(node.get_abspath())
        inputs = tuple(Path(each.get_abspath()) for each in source if not is_value(each))
        extra = tuple(Path(each.get_abspath()) for each in self._extra(inputs[0])) if step.expand else ()
        step.run(Context(product=work, inputs=inputs, extra=extra, params=step.params, settings=settings(env)))
        if step.cached:
            stamp_time(work)
        _place(work, final)
        if step.action == "resolve" and env["PYPACK_UPGRADE"]:
            _renew_cached(env, node)
        cache = cache_folder(env) if self._kept else None
        if cache:
            keeping.made(final)
            keeping.keep(final, self._kept, cache)


class KeptAction(SCons.Action.FunctionAction):  # type: ignore[misc]
    """Takes a product from where it is kept (:mod:`pypack.keeping`)."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        super().__init__(_nothing, {"cmdstr": "Retrieved `$TARGET' from cache"})
        self.execfunction = self._execute

    def get_presig(self, target: object, source: object, env: object) -> bytes:
        """Return what stands for the action in signatures."""
        del target, source, env
        return b"kept"

    def _execute(self, target: Sequence[File], source: object, env: Base) -> object:
        del source

        def take(work: Path) -> None:
            final = Path(target[0].get_abspath())
            keeping.take(self._kept, work, final)
            _place(work, final)

        return _made(env, target[0], take)


@contextmanager
def _alone(env: Base, node: File) -> Iterator[bool]:
    """Wait until no other build makes ``node``, and say whether one has put it into the CacheDir meanwhile."""
    from filelock import FileLock, Timeout

    folder, place = env.get_CacheDir().cachepath(node)
    if place is None:
        yield False
        return
    with ExitStack() as held:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{place}.lock")
            try:
                held.enter_context(lock.acquire(timeout=0))
            except Timeout:
                say(f"  waiting for another build that makes {node.name}")
                held.enter_context(lock.acquire())
        except (OSError, NotImplementedError):  # a cache that cannot be written, or a file system without locks
            pass
        yield bool(node.retrieve_from_cache())


def _made(env: Base, node: File, make: Callable[[Path], None]) -> object:
    """Call ``make`` with a file to work in, and return SCons' error where it fails."""
    final = Path(node.get_abspath())
    work = _work_file(env, final)
    try:
        make(work)
    except PypackError as error:
        return SCons.Errors.BuildError(node, str(error), status=error.exit_code)
    except OSError as error:
        return SCons.Errors.BuildError(node, _disk_error(error, final), status=1)
    finally:
        work.unlink(missing_ok=True)
    return None


def cache_folder(env: Base) -> Path | None:
    """Return the folder of the CacheDir, where there is one and it is to be used."""
    folder: str | None = getattr(env.get_CacheDir(), "path", None)
    if not folder or env.GetOption("cache_disable") or env.GetOption("cache_readonly"):
        return None
    return Path(str(env.Dir("#").get_abspath())) / folder


def settings(env: Base) -> Settings:
    """Return how the build is done, from the environment's variables."""
    return Settings(
        offline=bool(env["PYPACK_OFFLINE"]),
        upgrade=bool(env["PYPACK_UPGRADE"]),
        verbose=bool(env["PYPACK_VERBOSE"]),
        jobs=hosts.cores(),
        say=say,
    )


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


def is_value(node: object) -> bool:
    """Say whether a node stands for a value, not for a file."""
    return not isinstance(node, SCons.Node.FS.Base)


def _nothing(target: object, source: object, env: object) -> None:
    del target, source, env


def _renew_cached(env: Base, node: File) -> None:
    """Put a renewed product into the CacheDir in the place of the old one, which SCons would keep."""
    folder, place = env.get_CacheDir().cachepath(node)
    if place is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    fresh = Path(f"{place}.{os.getpid()}")
    shutil.copy2(node.get_abspath(), fresh)
    fresh.replace(place)


def _work_file(env: Base, final: Path) -> Path:
    folder = Path(env["PYPACK_BUILD_PATH"]) / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f"{hashlib.sha256(str(final).encode()).hexdigest()[:16]}-{final.name}"
    work.unlink(missing_ok=True)
    return work


def _place(work: Path, final: Path) -> None:
    """Put a finished product in place, whole or not at all, also on another file system."""
    if final.is_dir():
        raise FolderError(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        work.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        near = final.with_name(f".{final.name}.{os.getpid()}")
        try:
            shutil.copy2(work, near)
            near.replace(final)
        finally:
            near.unlink(missing_ok=True)


def _disk_error(error: OSError, final: Path) -> str:
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return (
            f"the disk is full while {final} was made\n  -> free some space and build again; nothing half-made was left"
        )
    return f"{error.strerror or error}: {error.filename or final}\n  -> check that the folder can be written"
