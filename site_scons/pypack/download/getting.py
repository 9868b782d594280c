"""Download the file of a pin from its addresses into the download cache, and check it."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pypack.base import folders
from pypack.download import urls, web
from pypack.errors import FetchError
from pypack.steps.display import megabytes
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.download.pins import Pin
    from pypack.steps.step import Settings

_DOCS = "docs/pins.md"

_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def disk(pin: Pin, target: Path) -> Iterator[None]:
    """Turn faults of the disk into one error, leaving nothing half-made behind."""
    try:
        yield
    except OSError as e:
        part = _part(target)
        if e.errno in _FULL:
            had = part.stat().st_size if part.exists() else 0
            part.unlink(missing_ok=True)
            size = f", {megabytes(pin.size)} in all" if pin.size else ""
            raise FetchError(
                f"the disk is full: {pin.file}{size} does not fit into {folders.downloads()} "
                f"(stopped after {megabytes(had)})",
                hint="free some space, or set PYPACK_CACHE_DIR to a folder on another disk",
                docs=_DOCS,
            ) from e
        raise FetchError(
            f"{pin.file} cannot be kept in {folders.downloads()}: {e.strerror or e}",
            hint="make that folder writable, or set PYPACK_CACHE_DIR to another one",
            docs=_DOCS,
        ) from e


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def get(pin: Pin, target: Path, settings: Settings) -> None:
    """Get the file from the first address that has it: mirrors, then the pin's own."""
    faults: list[tuple[str, str]] = []
    unreachable: set[str] = set()
    part = _part(target)
    for address in [*urls.mirrored(pin), *pin.urls]:
        try:
            _get_from(address, pin, part, settings, unreachable)
            part.replace(target)
            return
        except web.DownloadError as fault:
            faults.append((urls.shown(address), fault.reason))
            settings.say(f"  {pin.file}: not from {urls.shown(address)}: {fault.reason}")
        except FetchError as e:
            faults.append((urls.shown(address), e.what if not e.hint else f"{e.what} -> {e.hint}"))
    raise _failed(pin, target, faults, settings)


def _get_from(address: str, pin: Pin, part: Path, settings: Settings, unreachable: set[str]) -> None:
    """Get the file from one address into ``part`` and check it; raises :class:`web.DownloadError`."""
    kind = urls.kind(address)
    if kind == "local":
        _copy(urls.path(address), part)
        return _check(pin, part)
    if kind == "git" and (not settings.offline or address.startswith("git+file:")):
        from pypack.download import git

        git.write_archive(address, part, login=pin.login(address.removeprefix("git+")) if pin.login else None)
        return _check(pin, part)
    if settings.offline:
        raise web.DownloadError("not asked: the build is offline")
    if kind in {"debian", "pypi"}:
        from pypack.download import addresses

        return _get_from(addresses.resolve(address, pin, settings=settings), pin, part, settings, unreachable)
    host = urls.host(address)
    if host in unreachable:
        raise web.DownloadError("its host could not be reached a moment ago")
    try:
        _get_over_http(address, pin, part, settings)
    except web.DownloadError as fault:
        if fault.unreachable:
            unreachable.add(host)
        raise
    return None


def _get_over_http(url: str, pin: Pin, part: Path, settings: Settings) -> None:
    login = pin.login(url) if pin.login else None
    with settings.display.transfer(pin.file, urls.host(url)) as report:
        resumed = web.download(url, part, size=pin.size, report=report, login=login)
        try:
            _check(pin, part)
        except web.DownloadError:
            if not resumed:
                raise
            # the partial file was of another version: download it from the start
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
    digest, size = file_digest(part), part.stat().st_size
    if digest == pin.sha256 and pin.size in {0, size}:
        return
    part.unlink()
    if digest == pin.sha256:
        raise web.DownloadError(f"the file has {size} bytes, pinned are {pin.size}")
    raise web.DownloadError(f"wrong file, deleted: SHA-256 mismatch, it has {digest}, pinned is {pin.sha256}")


def _failed(pin: Pin, target: Path, faults: list[tuple[str, str]], settings: Settings) -> FetchError:
    part = _part(target)
    if part.exists() and not part.stat().st_size:
        part.unlink()
    details = "".join(f"\n  {address}: {reason}" for address, reason in faults)
    remedies = [f"set {urls.MIRROR} to a mirror that has it", f"put the file at {target}"]
    if settings.offline:
        remedies.insert(0, "build once without --offline")
    if pin.hint:
        remedies.append(pin.hint)
    return FetchError(
        f"{pin.file} {'is not in the download cache' if settings.offline else 'could not be fetched'}:{details}",
        hint=", or ".join(remedies),
        docs="docs/pins.md",
    )
