"""Resolve the addresses ``debian:SUITE/PACKAGE`` and ``pypi:NAME==VERSION`` to a URL.

Both are looked up by the pin's sha256, so an index can only lead to the pinned file or to none.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import time
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pypack.base import folders
from pypack.download import urls, waiting, web
from pypack.errors import FetchError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.download.pins import Pin
    from pypack.steps.step import Settings

_DOCS = "docs/pins.md"

DEBIAN_MIRROR = "PYPACK_DEBIAN_MIRROR"
_INDEX_SECONDS = 24 * 3600.0
_UV_SECONDS = 120.0
_DEBIAN = re.compile(r"debian:([a-z0-9.+-]+)/([a-z0-9.+-]+)")
_PYPI = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")


def resolve(address: str, pin: Pin, *, settings: Settings) -> str:
    """Return the URL (or path) of the file that ``pin`` means.

    Raises :class:`FetchError` when the index is not available or no longer has that hash.
    """
    debian, pypi = _DEBIAN.fullmatch(address), _PYPI.fullmatch(address)
    if debian:
        return _debian(debian[1], debian[2], pin, settings)
    if pypi:
        return _pypi(pypi[1], pypi[2], pin)
    raise InputError(
        f"the address {address!r} is not understood",
        hint="write debian:SUITE/PACKAGE or pypi:NAME==VERSION",
        docs=_DOCS,
    )


# --- Debian -----------------------------------------------------------------------------------------------------------


def _debian(suite: str, package: str, pin: Pin, settings: Settings) -> str:
    bases = debian_mirrors()
    if not bases:
        raise FetchError(
            "no Debian mirror is known", hint=f"set {DEBIAN_MIRROR} to one (the address above its dists/)", docs=_DOCS
        )
    faults = []
    for base in bases:
        try:
            index = _sources(base, suite, settings)
        except web.DownloadError as e:
            faults.append(f"{urls.shown(base)}: {e.reason}")
            continue
        path = _pool_path(index, package, pin.sha256)
        if path:
            return f"{base}/{quote(path)}"
        raise FetchError(
            f"the pinned {pin.file} (sha256 {pin.sha256[:16]}…) is gone from Debian {suite}: "
            f"no source package has it any more, {package} neither",
            hint="update pypack, or name a mirror that has it (PYPACK_MIRROR)",
            docs=_DOCS,
        )
    raise FetchError(
        f"no source index of Debian {suite} ({'; '.join(faults)})",
        hint=f"set {DEBIAN_MIRROR} to a mirror that has it",
        docs=_DOCS,
    )


def debian_mirrors() -> list[str]:
    """Return the bases of Debian mirrors: ``$PYPACK_DEBIAN_MIRROR``, else those in apt's configuration."""
    named = os.environ.get(DEBIAN_MIRROR, "").strip().rstrip("/")
    if named:
        return [named]
    apt = shutil.which("apt-get")
    if not apt:
        return []
    try:
        output = subprocess.run(
            [apt, "indextargets", "--format", "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)"],
            capture_output=True, check=False, text=True, timeout=30, stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    repositories = [tuple(line.split("\t")) for line in output.splitlines() if line.count("\t") == 2]
    # Origin and Label stand in apt's lists, which a fresh container lacks: every repository is tried then
    debian = [uri for uri, origin, label in repositories if (origin, label) == ("Debian", "Debian")]
    usable = [
        uri.rstrip("/")
        for uri in debian or [repository[0] for repository in repositories]
        if uri.startswith(("http:", "https:", "file:"))
    ]
    return list(dict.fromkeys(usable))


def _sources(base: str, suite: str, settings: Settings) -> Path:
    """Return the path of the suite's index of source packages, cached for a day. Raises :class:`web.DownloadError`."""
    name = hashlib.sha256(base.encode()).hexdigest()[:16]
    target = folders.downloads() / "debian" / suite / name / "Sources.xz"
    if _fresh(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with waiting.locked(target.with_name("lock"), f"the sources index of Debian {suite}", settings):
        if not _fresh(target):
            part = target.with_name("part")
            part.unlink(missing_ok=True)
            try:
                _get_index(f"{base}/dists/{suite}/main/source/Sources.xz", part, settings)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    return target


def _get_index(url: str, part: Path, settings: Settings) -> None:
    if urls.kind(url) == "local":
        try:
            shutil.copyfile(urls.path(url), part)
        except OSError as e:
            raise web.DownloadError(e.strerror or str(e)) from e
        return
    with settings.display.transfer("Sources.xz", urls.host(url)) as report:
        web.download(url, part, report=report)


def _fresh(index: Path) -> bool:
    return index.is_file() and time.time() - index.stat().st_mtime < _INDEX_SECONDS


def _pool_path(index: Path, package: str, sha256: str) -> str:
    """Return the path below the mirror of the file with that hash: of ``package`` first, else of any; else ``""``."""
    other = ""
    try:
        for name, folder, file in _matches(index, sha256):
            if name == package:
                return f"{folder}/{file}"
            other = other or f"{folder}/{file}"
    except (lzma.LZMAError, EOFError) as e:
        index.unlink()
        raise FetchError(
            f"the sources index of Debian was damaged and has been removed: {e}", hint="try again", docs=_DOCS
        ) from e
    return other


def _matches(index: Path, sha256: str) -> Iterator[tuple[str, str, str]]:
    """Yield (package, folder, file) for each entry with that hash."""
    prefix = f" {sha256} ".encode()
    package = folder = file = ""
    with lzma.open(index, "rb") as lines:
        for line in lines:
            if line.startswith(prefix):
                file = line.split()[2].decode()
            elif line.startswith(b"Package: "):
                package = line[9:].strip().decode()
            elif line.startswith(b"Directory: "):
                folder = line[11:].strip().decode()
            elif line == b"\n":
                if file:
                    yield package, folder, file
                package = folder = file = ""
    if file:
        yield package, folder, file


# --- a Python package index -------------------------------------------------------------------------------------------


def _pypi(name: str, version: str, pin: Pin) -> str:
    lock = _uv_lock(f"{name}=={version}")
    files = [file for package in lock.get("packages", []) for file in _files(package)]
    for file in files:
        if file.get("hashes", {}).get("sha256") == pin.sha256:
            return str(file.get("url") or file["path"])
    raise FetchError(
        f"none of the {len(files)} files of {name} {version} in the index has the pinned sha256 {pin.sha256[:16]}…",
        hint="correct the pin, or name another address for it",
        docs=_DOCS,
    )


def _files(package: dict[str, Any]) -> list[dict[str, Any]]:
    sources = [package[key] for key in ("sdist", "archive") if key in package]
    return [*sources, *package.get("wheels", [])]


def _uv_lock(requirement: str) -> dict[str, Any]:
    """Return uv's lock of one release, with its files in the user's index."""
    import uv

    command = [uv.find_uv_bin(), "pip", "compile", "-", "--format", "pylock.toml"]
    options = ["--no-deps", "--universal", "--no-header", "--quiet", "--color", "never"]
    try:
        done = subprocess.run(
            [*command, *options], input=requirement, capture_output=True, check=False, text=True, timeout=_UV_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(
            f"uv did not find {requirement} in {_UV_SECONDS} s", hint="see whether the index answers", docs=_DOCS
        ) from error
    if done.returncode:
        explanation = " ".join(urls.cleaned(done.stderr).split())
        raise FetchError(
            f"uv cannot find {requirement}: {explanation[-600:]}",
            hint="see the index that UV_INDEX_URL names",
            docs=_DOCS,
        )
    return tomllib.loads(done.stdout)
