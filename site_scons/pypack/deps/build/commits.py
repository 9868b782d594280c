"""Turn a commit of a git repository that a lock names into an archive with a hash, which is built as an sdist is."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import folders, records
from pypack.deps.build import native, source
from pypack.download import fetch, git, urls
from pypack.download.web import DownloadError
from pypack.errors import FetchError
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.download.pins import Pin
    from pypack.download.web import Login
    from pypack.steps.step import Settings


def describe(
    package: Mapping[str, Any], settings: Settings, login: Login | None, addresses: Mapping[str, str] | None
) -> str:
    """Return the table ``[packages.tool.pypack]`` of a lock's row: the hash of the commit's archive, ``native``.

    The archive is kept in the download cache, where the step that fetches it finds it. ``addresses`` and ``login`` are
    as for :func:`pypack.deps.build.sdist_fallback.describe`.
    """
    pin = source.commit_pin(package)
    row = package["vcs"]
    archive = _cached(pin, pin.urls[0]) or _fetch(replace(pin, login=login), row, settings, addresses or {})
    is_native = native.of_archive(archive, str(row.get("subdirectory", "")))
    return f'[packages.tool.pypack]\nnative = {str(is_native).lower()}\nsha256 = "{archive.parent.name}"\n'


def _record(address: str) -> Path:
    """Return the file that keeps the hash of a commit's archive; a commit is one state for ever."""
    return folders.downloads() / "git" / f"{address.rpartition('@')[2]}.json"


def _cached(pin: Pin, address: str) -> Path | None:
    sha256 = str(records.read(_record(address)).get("sha256", ""))
    return fetch.cached(replace(pin, sha256=sha256)) if sha256 else None


def _fetch(pin: Pin, row: Mapping[str, Any], settings: Settings, addresses: Mapping[str, str]) -> Path:
    """Fetch a commit into the download cache and return its archive."""
    url = str(row.get("url") or row.get("path", ""))
    _, _, commit = pin.urls[0].rpartition("@")
    if settings.offline and not url.startswith("file:"):
        raise FetchError(
            f"the build is offline, and commit {commit[:12]} of {urls.shown(url)} is not in the download cache",
            hint="build once without --offline", docs="docs/dependencies.md",
        )  # fmt: skip
    folders.prepare()
    folders.downloads().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="git-", dir=folders.downloads()) as folder:
        archive = Path(folder) / pin.file
        try:
            git.write_archive(
                f"git+{addresses.get(url, url)}@{commit}", archive, login=pin.login(url) if pin.login else None
            )
        except DownloadError as error:
            raise FetchError(
                f"commit {commit[:12]} of {urls.shown(url)} cannot be fetched: {error.reason}",
                hint="check the address, the network and the login",
                docs="docs/dependencies.md",
            ) from error
        sha256 = file_digest(archive)
        target = fetch.cache_path(replace(pin, sha256=sha256))
        target.parent.mkdir(parents=True, exist_ok=True)
        archive.replace(target)
    records.write(_record(pin.urls[0]), {"sha256": sha256})
    return target
