"""A project in a folder of this machine: which of its files count, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pypack import digests
from pypack.errors import InputError
from pypack.images.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.pipeline import Context

_SKIPPED = {"__pycache__", "node_modules", ".git"}
_OUTPUTS = ("build", "dist")
_EDITABLE = re.compile(r"^(?:-e|--editable)[ =]+")
_NAMED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^]]*\])?\s*@\s*")
_EXTRAS = re.compile(r"\[[^]]*\]$")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A project's folder with the files that count (path inside, path on the disk), sorted, and their digest."""

    path: Path
    files: tuple[tuple[str, Path], ...]
    digest: str


def read(path: Path, memory: Path | None) -> Folder:
    """Walk a project and hash it; ``memory`` is a folder for the hashes of files that did not change since."""
    if not (path / "pyproject.toml").is_file() and not (path / "setup.py").is_file():
        what = "has neither pyproject.toml nor setup.py" if path.is_dir() else "does not exist"
        raise InputError(f"the local project {path} {what}", do="name the folder of a Python project")
    files = tuple(sorted(_walk(path), key=lambda each: each[0].encode()))
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    digest = digests.whole(digests.contents(files, memory / f"{name}.source.json" if memory else None))
    return Folder(path=path, files=files, digest=digest)


def metadata(requirements: Iterable[Path]) -> list[Path]:
    """Return the files that say what the local projects in requirements files need: a lock is made from them, too."""
    found: list[Path] = []
    for file in requirements:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            place = _local(line.strip(), file.parent)
            names = ("pyproject.toml", "setup.py", "setup.cfg") if place else ()
            found += [place / name for name in names if place and (place / name).is_file()]
    return list(dict.fromkeys(found))


def _local(line: str, base: Path) -> Path | None:
    """Return the folder that a line of a requirements file names, None for any other line."""
    text = _EDITABLE.sub("", line).split(" #", 1)[0].split(" ; ", 1)[0].strip()
    text = _EXTRAS.sub("", _NAMED.sub("", text)).strip("\"'")
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    if not text or "://" in text or text.startswith(("-", "#")):
        return None
    place = base / text
    return place if place.is_dir() else None


def run_gather(context: Context) -> None:
    """Step: a project's folder -> image of its files. Param ``folder``; a signature sees their ``digest`` only."""
    found = read(context.params["folder"].value, None)
    if found.digest != context.params["digest"]:
        raise InputError(f"{found.path} changes while it is being built", do="build again")
    with ImageBuilder(found.path.name, folder=context.product.parent) as builder:
        for inside, file in found.files:
            builder.add_file(inside, file)
        builder.write(context.product)


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what a build may look at. Its own leftovers, virtual environments and caches would only change it."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_skipped(here / name, top=here == root))
        for name in names:
            path = here / name
            if name not in _SKIPPED and not name.endswith((".pyc", ".pyo", "~")) and path.is_file():
                yield path.relative_to(root).as_posix(), path


def _is_skipped(path: Path, *, top: bool) -> bool:
    name = path.name
    if name in _SKIPPED or name.startswith(".") or name.endswith(".egg-info") or (path / "pyvenv.cfg").exists():
        return True
    return top and name in _OUTPUTS and not (path / "__init__.py").exists()
