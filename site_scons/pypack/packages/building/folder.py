"""A project in a folder of this machine: which of its files count, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pypack import digests
from pypack.errors import InputError

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


def metadata_of_files(requirements: Iterable[Path]) -> list[Path]:
    """Return what :func:`metadata` does for the lines of requirements files."""
    texts = {file: file.read_text(encoding="utf-8", errors="replace") for file in requirements}
    found = [path for file, text in texts.items() for path in metadata(text.splitlines(), file.parent)]
    return list(dict.fromkeys(found))


def metadata(requirements: Iterable[str], base: Path) -> list[Path]:
    """Return the files of this machine from which a lock is made besides the lines of ``requirements`` themselves.

    Those are what says what a local project among them needs, and wheels and archives that are named by their path.
    Paths count from ``base``.
    """
    places = [place for line in requirements if (place := _local(line.strip(), base))]
    names = ("", "pyproject.toml", "setup.py", "setup.cfg")
    return list(dict.fromkeys(file for place in places for name in names if (file := place / name).is_file()))


def uv_paths(pyproject: Path) -> list[str]:
    """Return the local paths that ``[tool.uv.sources]`` gives to requirements by name."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    rows = table.get("tool", {}).get("uv", {}).get("sources", {})
    return [str(row["path"]) for row in rows.values() if isinstance(row, dict) and "path" in row]


def _local(line: str, base: Path) -> Path | None:
    """Return the folder or file that a line of a requirements file names by its path, None for any other line."""
    text = _EDITABLE.sub("", line).split(" #", 1)[0].split(" ; ", 1)[0].strip()
    text = _EXTRAS.sub("", _NAMED.sub("", text)).strip("\"'")
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    if not text or "://" in text or text.startswith(("-", "#")):
        return None
    place = base / text
    return place if place.exists() else None


def run_gather(context: Context) -> None:
    """Step: a project's folder -> image of its files. Param ``folder``; a signature sees their ``digest`` only."""
    found = read(context.params["folder"].value, None)
    if found.digest != context.params["digest"]:
        raise InputError(f"{found.path} changes while it is being built", do="build again")
    from pypack.images.image import ImageBuilder

    with ImageBuilder(found.path.name, folder=context.product.parent) as builder:
        for inside, file in found.files:
            builder.add_file(inside, file)
        builder.write(context.product)


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what a build may look at. Its own leftovers, virtual environments and caches would only change it."""
    for folder, folders, names in os.walk(root, followlinks=True):
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
    if path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve()):
        return True  # it leads to a folder that it stands in
    return top and name in _OUTPUTS and not (path / "__init__.py").exists()
