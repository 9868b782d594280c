"""Fetch: a pin -> a file in the download cache, its hash checked, one process at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pypack import folders
from pypack.errors import FetchError, InputError
from pypack.pipeline import Context, Settings, Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.pins import Pin

_LOCK_SECONDS = 3600.0


def step(pin: Pin) -> Step:
    """Return the node that fetches ``pin``; addresses are no part of its signature, the hash is."""
    return Step(
        product=f"fetch/{pin.sha256[:16]}/{pin.file}",
        action="fetch",
        version=1,
        run=partial(_run, pin),
        params={"sha256": pin.sha256, "file": pin.file},
        cached=False,
    )


def _run(pin: Pin, context: Context) -> None:
    source = fetch(pin, settings=context.settings)
    context.product.unlink(missing_ok=True)
    try:
        os.link(source, context.product)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, context.product)


def cached(pin: Pin) -> Path | None:
    """Return the file where it is in the download cache (its hash is not checked), else None."""
    target = place(pin)
    return target if target.is_file() else None


def place(pin: Pin) -> Path:
    """Return where the file of ``pin`` stands in the download cache, or would stand."""
    if pin.file in {"", ".", ".."} or set(pin.file) & set("/\\\0:"):
        raise InputError(f"{pin.file!r} is not usable as a file name", do="give the pin a plain `file`")
    return folders.downloads() / pin.sha256 / pin.file


def fetch(pin: Pin, *, settings: Settings) -> Path:
    """Return the file of ``pin``: from the download cache, else from a mirror, else from its own addresses.

    Raises :class:`FetchError` that lists every address with its reason. ``settings.offline`` leaves only the cache and
    addresses on this machine.
    """
    target = place(pin)
    if target.is_file() and sha256_of(target) == pin.sha256:
        return target
    from pypack.fetching import getting

    with getting.disk(pin, target):
        folders.prepare()
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f"{target.name}.lock"), pin.file, settings):
            if target.is_file():
                if sha256_of(target) == pin.sha256:
                    return target
                settings.say(f"  {target} is damaged; it is fetched again")
                target.unlink()
            getting.get(pin, target, settings)
    return target


@contextmanager
def locked(lock: Path, what: str, settings: Settings) -> Iterator[None]:
    """Hold ``lock``, telling when another build has it. It ends with the process that holds it."""
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        settings.say(f"  waiting for another build that fetches {what}")
        try:
            held.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise FetchError(
                f"another build has been fetching {what} for an hour", do=f"end it, or remove {lock}"
            ) from None
    try:
        yield
    finally:
        held.release()


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
