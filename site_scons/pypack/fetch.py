"""Fetch: a pin -> a file in the download cache, its hash checked, one process at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pypack import folders
from pypack.errors import FetchError, InputError
from pypack.fetching import progress, urls, web
from pypack.pipeline import Context, Settings, Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.pins import Pin

_CHUNK = 1 << 20
_LOCK_SECONDS = 3600.0
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


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
    with _disk(pin, target):
        folders.prepare()
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f"{target.name}.lock"), pin.file, settings):
            if target.is_file():
                if sha256_of(target) == pin.sha256:
                    return target
                settings.say(f"  {target} is damaged; it is fetched again")
                target.unlink()
            _get(pin, target, settings)
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


@contextmanager
def _disk(pin: Pin, target: Path) -> Iterator[None]:
    """Turn faults of the disk into one error, leaving nothing half-made behind."""
    try:
        yield
    except OSError as e:
        part = _part(target)
        if e.errno in _FULL:
            had = part.stat().st_size if part.exists() else 0
            part.unlink(missing_ok=True)
            size = f", {progress.megabytes(pin.size)} in all" if pin.size else ""
            raise FetchError(
                f"the disk is full: {pin.file}{size} does not fit into {folders.downloads()} "
                f"(stopped after {progress.megabytes(had)})",
                do="free some space, or set PYPACK_CACHE_DIR to a folder on another disk",
            ) from e
        raise FetchError(
            f"{pin.file} cannot be kept in {folders.downloads()}: {e.strerror or e}",
            do="make that folder writable, or set PYPACK_CACHE_DIR to another one",
        ) from e


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _get(pin: Pin, target: Path, settings: Settings) -> None:
    faults: list[tuple[str, str]] = []
    unreachable: set[str] = set()
    part = _part(target)
    for address in [*urls.mirrored(pin), *pin.urls]:
        try:
            _from(address, pin, part, settings, unreachable)
            part.replace(target)
            return
        except web.DownloadError as fault:
            faults.append((urls.shown(address), fault.reason))
            settings.say(f"  {pin.file}: not from {urls.shown(address)}: {fault.reason}")
        except FetchError as e:
            faults.append((urls.shown(address), e.what if not e.do else f"{e.what} -> {e.do}"))
    raise _failed(pin, target, faults, settings)


def _from(address: str, pin: Pin, part: Path, settings: Settings, unreachable: set[str]) -> None:
    """Get the file from one address into ``part`` and check it; raises :class:`web.DownloadError`."""
    kind = urls.kind(address)
    if kind == "local":
        _copy(urls.path(address), part)
        return _check(pin, part)
    if settings.offline:
        raise web.DownloadError("not asked: the build is offline")
    if kind in {"debian", "pypi"}:
        from pypack import addresses

        return _from(addresses.resolve(address, pin, settings=settings), pin, part, settings, unreachable)
    host = urls.host(address)
    if host in unreachable:
        raise web.DownloadError("its host could not be reached a moment ago")
    try:
        _over_http(address, pin, part, settings)
    except web.DownloadError as fault:
        if fault.unreachable:
            unreachable.add(host)
        raise
    return None


def _over_http(url: str, pin: Pin, part: Path, settings: Settings) -> None:
    login = pin.login(url) if pin.login else None
    with progress.meter(pin.file, urls.host(url), settings=settings, folder=folders.downloads()) as report:
        resumed = web.download(url, part, size=pin.size, report=report, login=login)
        try:
            _check(pin, part)
        except web.DownloadError:
            if not resumed:
                raise
            # what an earlier attempt had left was of another file: once more from the start
            web.download(url, part, size=pin.size, report=report, login=login)
            _check(pin, part)


def _copy(source: Path, part: Path) -> None:
    try:
        stream = source.open("rb")
    except OSError as e:
        raise web.DownloadError(e.strerror or str(e)) from e
    with stream, part.open("wb") as out:
        shutil.copyfileobj(stream, out, _CHUNK)


def _check(pin: Pin, part: Path) -> None:
    found, size = sha256_of(part), part.stat().st_size
    if found == pin.sha256 and pin.size in {0, size}:
        return
    part.unlink()
    if found == pin.sha256:
        raise web.DownloadError(f"the file has {size} bytes, pinned are {pin.size}")
    raise web.DownloadError(f"wrong file, deleted: its sha256 is {found}, pinned is {pin.sha256}")


def _failed(pin: Pin, target: Path, faults: list[tuple[str, str]], settings: Settings) -> FetchError:
    part = _part(target)
    if part.exists() and not part.stat().st_size:
        part.unlink()
    told = "".join(f"\n  {address}: {reason}" for address, reason in faults)
    how = [f"set {urls.MIRROR} to a mirror that has it", f"put the file at {target}"]
    if settings.offline:
        how.insert(0, "build once without --offline")
    if pin.hint:
        how.append(pin.hint)
    return FetchError(
        f"{pin.file} {'is not in the download cache' if settings.offline else 'could not be fetched'}:{told}",
        do=", or ".join(how),
        see="docs/pins.md",
    )
