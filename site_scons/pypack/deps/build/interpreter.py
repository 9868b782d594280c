"""The interpreter of a build with the build requirements installed in it, kept for the builds that follow.

To unpack both takes longer than most backends work, and each build would compile the backend's modules anew. What is
kept is used only while no file of it has changed; its bytecode lies apart from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import records
from pypack.deps import wheels
from pypack.deps.build import toolchain
from pypack.formats import image
from pypack.formats.image import ImageBuilder
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pypack.base.targets import Layout

_VERSION = 1
"""Raise it when the same inputs give another interpreter."""
_KEPT = 4
"""How many are kept in one build folder, besides those that were used within the hour."""
_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What an interpreter is made of: its ``image``, where its files are, and the wheels of the requirements."""

    image: Path
    layout: Layout
    requirements: Sequence[Path]

    @property
    def key(self) -> str:
        """A hash over the inputs."""
        digests = [file_digest(path) for path in (self.image, *self.requirements)]
        return hashlib.sha256(f"{_VERSION} {self.layout!r} {digests}".encode()).hexdigest()[:32]


def install(folder: Path, inputs: Inputs) -> Path:
    """Make an interpreter in ``folder``, and return its prefix.

    The wheels are unpacked into its own site-packages: ``.pth`` files count there, also in child processes.
    """
    prefix, unpacked, packed = folder / "python", folder / "requirements", folder / "requirements.tar"
    packages = prefix / inputs.layout.site_packages
    image.unpack(inputs.image, prefix)
    with ImageBuilder("build requirements", folder=folder) as builder:
        for path in inputs.requirements:
            wheels.unpack_wheel(builder, path)
        builder.write(packed)
    image.unpack(packed, unpacked)
    packed.unlink()
    packages.mkdir(parents=True, exist_ok=True)
    for path in (unpacked / wheels.SITE).glob("*"):
        path.rename(packages / path.name)
    if (unpacked / "data").is_dir():
        shutil.copytree(unpacked / "data", prefix, dirs_exist_ok=True)
    toolchain.add_scripts(unpacked / "bin", prefix / inputs.layout.python)
    return prefix


def provide(memory: Path, inputs: Inputs) -> Path:
    """Return the folder of a kept interpreter (``python`` below it is its prefix); made where there is none."""
    kept = memory / "build-interpreters"
    record = kept / f"{inputs.key}.json"
    row = records.read(record)
    folder = kept / str(row.get("folder") or "none")
    if row.get("listing") and row["listing"] == _digest_listing(folder):
        os.utime(record)
        return folder
    kept.mkdir(parents=True, exist_ok=True)
    _prune(kept)
    folder = Path(tempfile.mkdtemp(prefix=f"{inputs.key}-", dir=kept)).resolve()
    install(folder, inputs)
    records.write(record, {"folder": folder.name, "listing": _digest_listing(folder)})
    return folder


@contextlib.contextmanager
def bytecode(folder: Path, work: Path) -> Iterator[dict[str, str]]:
    """Yield the variables with which Python keeps bytecode beside the interpreter in ``folder``, as long as it is used.

    That of modules in ``work``, the temporary folder of a build, is removed.
    """
    cache = folder.with_name(f"{folder.name}.bytecode")
    try:
        yield {"PYTHONPYCACHEPREFIX": str(cache)}
    finally:
        shutil.rmtree(cache / work.relative_to(work.anchor), ignore_errors=True)


def _digest_listing(folder: Path) -> str:
    """Return a hash over names, kinds, sizes and times of all that is in a folder; "" where there is none."""
    digest = hashlib.sha256()
    waiting = [str(folder)]
    try:
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    info = entry.stat(follow_symlinks=False)
                    is_folder = stat.S_ISDIR(info.st_mode)
                    facts = (info.st_mode, 0, 0) if is_folder else (info.st_mode, info.st_size, info.st_mtime_ns)
                    digest.update(f"{entry.path}\0{facts}\0".encode("utf-8", "surrogateescape"))
                    waiting += [entry.path] if is_folder else []
    except OSError:
        return ""
    return digest.hexdigest()


def _prune(kept: Path) -> None:
    """Remove the interpreters that were not used for longest, and what builds have left that were killed."""
    used = sorted(kept.glob("*.json"), key=_age)
    for record in used[_KEPT - 1 :]:
        if _age(record) > _HOUR:
            record.unlink(missing_ok=True)
    wanted = {str(records.read(record).get("folder")) for record in kept.glob("*.json")}
    for path in kept.iterdir():
        if path.is_dir() and path.name.removesuffix(".bytecode") not in wanted and _age(path) > _HOUR:
            shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    """Return the seconds since a file or folder was changed; 0 for what another build has just removed."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
