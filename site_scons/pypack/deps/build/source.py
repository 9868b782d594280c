"""Sources to build wheels from: an sdist in a lock, or a local folder."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.deps.build import folder, native, version_control
from pypack.download.pins import Pin
from pypack.errors import InputError, StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.deps.build.folder import Folder

_READ = "docs/dependencies.md"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One distribution as source: an archive (``pin``), or a folder (``project``); ``digest`` is of its files.

    ``version`` is ``""`` where only the build tells it. ``native``: it looks as if native code were compiled, so it is
    built for each target by itself. ``inside`` is the folder of the archive that holds the project, or that of the
    project, relative to the program's; ``environment`` are variables for its build.
    """

    distribution: str
    version: str
    native: bool
    digest: str
    pin: Pin | None = None
    project: Folder | None = field(default=None, repr=False)
    inside: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and version for messages."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def is_commit(self) -> bool:
        """Whether it is a commit of a git repository, whose files alone do not tell its version."""
        return self.pin is not None and self.pin.urls[0].startswith("git+")

    @property
    def may_have_rust(self) -> bool:
        """Whether Rust may be compiled for it; of an archive that is not known before it is unpacked."""
        return self.project is None or any(name.endswith("Cargo.toml") for name, _ in self.project.files)

    @property
    def slug(self) -> str:
        """A name for paths of products. It is unique to an archive; what is built of a folder follows its changes."""
        what = self.digest if self.project is None else json.dumps(dict(self.environment), sort_keys=True)
        digest = hashlib.sha256(f"{what}\0{self.inside}".encode()).hexdigest()
        return f"{self.distribution}-{digest[:16]}"


def of_package(package: Mapping[str, Any], base: Path, memory: Path | None) -> Source | None:
    """Return the source that a lock's row offers, None where it offers none.

    Plain paths count from ``base``. ``memory`` is a folder for the hashes of files that were seen before; None where
    nothing is to be kept.
    """
    distribution, version = str(package["name"]), str(package.get("version", ""))
    if "vcs" in package:
        return _of_commit(package)
    if "directory" in package:
        row = package["directory"]
        path = base / row["path"] / row.get("subdirectory", "")
        project = folder.read(path, memory)
        is_native = native.of_folder(project)
        return Source(
            distribution=distribution, version=version, native=is_native, digest=project.digest, project=project,
            environment=version_control.variables(), inside=_relative(path, base),
        )  # fmt: skip
    row = package.get("sdist") or package.get("archive")
    if row is None or file_name(row).endswith(".whl"):
        return None
    pin = pin_of(package, row, base)
    is_native = _notes(package).get("native", True)
    inside = str(row.get("subdirectory", ""))
    return Source(
        distribution=distribution, version=version, native=bool(is_native), digest=pin.sha256, pin=pin, inside=inside
    )  # fmt: skip


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_posix()


def commit_pin(package: Mapping[str, Any]) -> Pin:
    """Return the pin of the commit that a lock's row names; without a hash where the lock has none yet."""
    distribution, row = str(package["name"]), package["vcs"]
    if row.get("type") != "git":
        raise InputError(
            f"{distribution} comes from {row.get('type')}, and only git is read of version control systems",
            hint="name a released version, an archive of that state (pkg @ https://…/archive.tar.gz), or"
            " a local folder",
            docs=_READ,
        )
    commit, location = str(row.get("commit-id", "")), str(row.get("url") or row.get("path", ""))
    if not commit:
        raise StepError(f"the lock has no commit of {distribution}", hint="make the lock again", docs=_READ)
    return Pin(
        file=f"{distribution}-{commit[:12]}.tar",
        urls=(f"git+{location}@{commit}",),
        sha256=str(_notes(package).get("sha256", "")),
        version=str(package.get("version", "")),
    )


def _of_commit(package: Mapping[str, Any]) -> Source:
    pin = commit_pin(package)
    return Source(
        distribution=str(package["name"]), version=pin.version, native=bool(_notes(package).get("native", True)),
        digest=pin.sha256 or pin.urls[0], pin=pin, inside=str(package["vcs"].get("subdirectory", "")),
    )  # fmt: skip


def _notes(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a lock of ours says of a package besides the standard (PEP 751)."""
    notes: Mapping[str, Any] = package.get("tool", {}).get("pypack", {})
    return notes


def is_in(package: Mapping[str, Any]) -> bool:
    """Say whether a lock's row offers any source."""
    row = package.get("archive")
    return bool({"sdist", "directory", "vcs"} & package.keys() or (row and not file_name(row).endswith(".whl")))


def pin_of(package: Mapping[str, Any], row: Mapping[str, Any], base: Path) -> Pin:
    """Return the pin of a file that a package's row names: an sdist, an archive or a wheel."""
    name = file_name(row)
    pin = Pin(
        file=name,
        urls=(str(row.get("url") or base / row["path"]),),
        sha256=str(row.get("hashes", {}).get("sha256", "")),
        size=int(row.get("size", 0)),
        version=str(package.get("version", "")),
    )
    if not pin.sha256:
        raise StepError(f"the lock has no sha256 for {name}", hint="make the lock again with hashes", docs=_READ)
    return pin


def file_name(row: Mapping[str, Any]) -> str:
    """Return the name of the file that a row of a lock means."""
    from urllib.parse import unquote, urlsplit

    if row.get("name"):
        return str(row["name"])
    location = str(row.get("url") or row.get("path") or "")
    return unquote(urlsplit(location).path if "://" in location else location).replace("\\", "/").rsplit("/", 1)[-1]
