"""A project in a folder of this machine: which of its files count, and a digest of them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pypack.base import digests
from pypack.base.walk import walk_project
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.steps.step import Context

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
        problem = "has neither pyproject.toml nor setup.py" if path.is_dir() else "does not exist"
        raise InputError(f"the local project {path} {problem}", hint="name the folder of a Python project")
    # what a build may look at; its own leftovers, virtual environments and caches would only change it
    files = tuple(sorted((pair for pair in walk_project(path) if _counts(pair[1])), key=lambda pair: pair[0].encode()))
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    digest = digests.whole(digests.contents(files, memory / f"{name}.source.json" if memory else None))
    return Folder(path=path, files=files, digest=digest)


def metadata_of_files(requirements: Iterable[Path]) -> list[Path]:
    """Return what :func:`metadata` does for the lines of requirements files."""
    texts = {file: file.read_text(encoding="utf-8", errors="replace") for file in requirements}
    paths = [path for file, text in texts.items() for path in metadata(text.splitlines(), file.parent)]
    return list(dict.fromkeys(paths))


def metadata(requirements: Iterable[str], base: Path) -> list[Path]:
    """Return the files of this machine from which a lock is made besides the lines of ``requirements`` themselves.

    Those are what says what a local project among them needs, and wheels and archives that are named by their path.
    Paths count from ``base``.
    """
    paths = local_paths(requirements, base)
    names = ("", "pyproject.toml", "setup.py", "setup.cfg")
    return list(dict.fromkeys(file for path in paths for name in names if (file := path / name).is_file()))


def local_paths(requirements: Iterable[str], base: Path) -> list[Path]:
    """Return the folders and files that lines of a requirements file name by their path, counted from ``base``."""
    return [path for line in requirements if (path := _local_path(line.strip(), base))]


def uv_sources(pyproject: Path) -> dict[str, list[dict[str, Any]]]:
    """Return ``[tool.uv.sources]`` of a pyproject.toml: by requirement its sources, of which markers may choose."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    sources = table.get("tool", {}).get("uv", {}).get("sources", {})
    lists = {name: source if isinstance(source, list) else [source] for name, source in sources.items()}
    return {name: [row for row in rows if isinstance(row, dict)] for name, rows in lists.items()}


def uv_paths(pyproject: Path) -> list[str]:
    """Return the local paths that ``[tool.uv.sources]`` gives to requirements by name."""
    return [str(row["path"]) for rows in uv_sources(pyproject).values() for row in rows if "path" in row]


def _local_path(line: str, base: Path) -> Path | None:
    """Return the folder or file that a line of a requirements file names by its path, None for any other line."""
    text = _EDITABLE.sub("", line).split(" #", 1)[0].split(" ; ", 1)[0].strip()
    text = _EXTRAS.sub("", _NAMED.sub("", text)).strip("\"'")
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    if not text or "://" in text or text.startswith(("-", "#")):
        return None
    path = base / text
    return path if path.exists() else None


def run_gather(context: Context) -> None:
    """Step: a project's folder -> image of its files. Param ``folder``; a signature sees their ``digest`` only."""
    from pypack.formats.image import ImageBuilder

    project = read(context.unhashed["folder"], None)
    with ImageBuilder(project.path.name, folder=context.product.parent) as builder:
        for inside, file in project.files:
            builder.add_file(inside, file)
        if {project.digest, read(project.path, None).digest} != {context.params["digest"]}:
            raise InputError(f"{project.path} changes while it is being built", hint="build again")
        builder.write(context.product)


def _counts(path: Path) -> bool:
    return path.name != ".git" and path.is_file()  # a worktree or a submodule has a file of that name
