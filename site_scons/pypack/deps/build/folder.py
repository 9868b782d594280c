"""A project in a folder of this machine: which of its files count, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pypack.base import digests
from pypack.base.walk import matches, walk_project
from pypack.deps.build import repository, version_control
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pypack.deps.build.repository import Repository
    from pypack.steps.step import Context

_DOCS = "docs/dependencies.md"

_READ_BY_BUILDS = ("*.txt", "*.in", "*.toml", "*.cfg", "requirements*/*", "VERSION*")
_EDITABLE = re.compile(r"^(?:-e|--editable)[ =]+")
_NAMED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^]]*\])?\s*@\s*")
_EXTRAS = re.compile(r"\[[^]]*\]$")
_SETTINGS = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
_WRITTEN = ("*.log", "nohup.out", "*.pid", "*.db", "*.db-*", "*.sqlite", "*.sqlite3", "*.sqlite3-*")
"""Files that programs write into the folder that they are started in."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A project's folder with the files that count (path inside, path on the disk), sorted, and a digest of them all.

    ``around`` are files of its repository outside of the folder, by their path below the top of that; ``prefix`` is the
    folder's own path there. ``repository`` is set where the build may ask it. ``contents`` has the digest of each file
    by its path below the top (:func:`pypack.base.digests.contents`).
    """

    path: Path
    files: tuple[tuple[str, Path], ...]
    digest: str
    prefix: str = ""
    around: tuple[tuple[str, Path], ...] = ()
    repository: Repository | None = None
    contents: Mapping[str, str] = field(default_factory=dict)


def read(path: Path, memory: Path | None) -> Folder:
    """Walk a project and hash it; ``memory`` is a folder for the hashes of files that did not change since."""
    if not (path / "pyproject.toml").is_file() and not (path / "setup.py").is_file():
        problem = "has neither pyproject.toml nor setup.py" if path.is_dir() else "does not exist"
        raise InputError(f"the local project {path} {problem}", hint="name the folder of a Python project", docs=_DOCS)
    # what a build may look at; its own leftovers, virtual environments and caches would only change it
    written = _written_patterns(path)
    found = walk_project(path, skip=lambda file: file.parent == path and matches(file.name, written), all_names=True)
    files = tuple(sorted((pair for pair in found if _counts(pair[1])), key=lambda pair: pair[0].encode()))
    absolute = path.absolute()
    top = repository.find_top(absolute)
    state = repository.read(top) if top and version_control.is_asked(files) else None
    prefix = absolute.relative_to(top).as_posix() if top and top != absolute else ""
    around = _files_around(top, prefix, state) if top and prefix else ()
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    inside = ((f"{prefix}/{name}" if prefix else name, file) for name, file in files)
    contents = digests.contents((*inside, *around), memory / f"{name}.source.json" if memory else None)
    digest = digests.whole({**contents, **({".git": state.digest} if state else {})})
    return Folder(
        path=path, files=files, digest=digest, prefix=prefix, around=around, repository=state, contents=contents
    )


def _files_around(top: Path, prefix: str, state: Repository | None) -> tuple[tuple[str, Path], ...]:
    """Return what a build sees of a repository outside of the project at ``prefix``: always what git ignores."""
    above = [parent.as_posix() for parent in PurePosixPath(prefix).parents]
    names = [".gitignore" if folder == "." else f"{folder}/.gitignore" for folder in above]
    ignored = [(name, top / name) for name in names if (top / name).is_file()]
    tracked = repository.files_around(top, prefix) if state else []
    return tuple(sorted({*ignored, *tracked}, key=lambda pair: pair[0].encode()))


def _written_patterns(path: Path) -> tuple[str, ...]:
    """Return patterns of files at the top that programs write while they run, unless settings name them."""
    texts = [(path / name).read_bytes() for name in _SETTINGS if (path / name).is_file()]
    return tuple(
        pattern for pattern in _WRITTEN if not any(pattern.replace("*", "").encode() in text for text in texts)
    )


@contextmanager
def lay_out(project: Folder) -> Iterator[Path]:
    """Yield a copy of a project's folder, with what its build may see around it; what is written there is dropped."""
    with tempfile.TemporaryDirectory(prefix="pypack-tree-") as name:
        tree = Path(os.path.realpath(name)) / "tree"
        inside = ((f"{project.prefix}/{name}" if project.prefix else name, file) for name, file in project.files)
        for inside_path, file in (*inside, *project.around):
            (tree / inside_path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, tree / inside_path)
        if project.repository:
            repository.write_copy(project.repository, tree)
        yield tree / project.prefix


def metadata_of_files(requirements: Iterable[Path]) -> list[Path]:
    """Return what :func:`metadata` does for the lines of requirements files."""
    texts = {file: file.read_text(encoding="utf-8", errors="replace") for file in requirements}
    paths = [path for file, text in texts.items() for path in metadata(text.splitlines(), file.parent)]
    return list(dict.fromkeys(paths))


def metadata(requirements: Iterable[str], base: Path) -> list[Path]:
    """Return the files of this machine from which a lock is made besides the lines of ``requirements`` themselves.

    Those are what says what a local project among them needs, what the projects need that it leads to in turn, and
    wheels and archives that are named by their path. Paths count from ``base``.
    """
    found: dict[Path, None] = {}
    waiting = local_paths(requirements, base)
    visited: set[Path] = set()
    while waiting:
        path = waiting.pop(0)
        if (real := path.resolve()) in visited:
            continue
        visited.add(real)
        if path.is_file():
            found[path] = None
            continue
        own = _metadata_files(path)
        found.update(dict.fromkeys(own))
        if own and own[0].name == "pyproject.toml":
            waiting += _projects_of(own[0])
    return list(found)


def _metadata_files(project: Path) -> list[Path]:
    """Return the files of a project that say what it needs; more of them where only its build can tell."""
    files = [path for name in ("pyproject.toml", "setup.py", "setup.cfg") if (path := project / name).is_file()]
    dynamic = not files or files[0].name != "pyproject.toml" or _is_dynamic(_read_toml(files[0]))
    more = [path for pattern in _READ_BY_BUILDS for path in sorted(project.glob(pattern))] if files and dynamic else []
    return list(dict.fromkeys([*files, *(path for path in more if path.is_file())]))


def _is_dynamic(table: dict[str, Any]) -> bool:
    project = table.get("project", {})
    return not project or bool({"dependencies", "optional-dependencies"} & set(project.get("dynamic", [])))


def _projects_of(pyproject: Path) -> list[Path]:
    """Return the local projects that a pyproject.toml leads to: by path, by address, as members of its workspace."""
    project = _read_toml(pyproject).get("project", {})
    optional = project.get("optional-dependencies", {}).values()
    lines = [*project.get("dependencies", []), *(line for lines in optional for line in lines), *uv_paths(pyproject)]
    return local_paths([line for line in lines if isinstance(line, str)], pyproject.parent)


def _read_toml(file: Path) -> dict[str, Any]:
    """Read a pyproject.toml of another project; {} where it cannot be read, which uv reports itself."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def local_paths(requirements: Iterable[str], base: Path) -> list[Path]:
    """Return the folders and files that lines of a requirements file name by their path, counted from ``base``."""
    return [path for line in requirements if (path := _local_path(line.strip(), base))]


def uv_sources(pyproject: Path) -> dict[str, Any]:
    """Return ``[tool.uv.sources]`` of a pyproject.toml."""
    sources = _read_toml(pyproject).get("tool", {}).get("uv", {}).get("sources", {})
    return sources if isinstance(sources, dict) else {}


def uv_paths(pyproject: Path) -> list[str]:
    """Return the local paths that ``[tool.uv.sources]`` gives to requirements by name.

    Where one is a member of a workspace, all members and the workspace itself are among them.
    """
    sources = uv_sources(pyproject)
    return [*paths_of(sources), *(_workspace(pyproject.parent) if _values(sources, "workspace") else ())]


def paths_of(sources: dict[str, Any]) -> list[str]:
    """Return the local paths in a table ``[tool.uv.sources]``."""
    return [str(path) for path in _values(sources, "path")]


def _values(sources: dict[str, Any], key: str) -> list[Any]:
    """Return a key's values in all sources; a requirement may have a list of them, of which markers choose."""
    rows = (row for source in sources.values() for row in (source if isinstance(source, list) else [source]))
    return [row[key] for row in rows if isinstance(row, dict) and row.get(key)]


def _workspace(folder: Path) -> list[str]:
    """Return the folders of the workspace that a project belongs to, its own top among them."""
    for top in (folder.absolute(), *folder.absolute().parents):
        workspace = _read_toml(top / "pyproject.toml").get("tool", {}).get("uv", {}).get("workspace")
        if isinstance(workspace, dict):
            members = (path for pattern in workspace.get("members", []) for path in sorted(top.glob(pattern)))
            return [str(top), *(str(path) for path in members if (path / "pyproject.toml").is_file())]
    return []


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
    """Step: a project's folder -> image of its files, as they were when the build was planned.

    Unhashed: ``project`` (:class:`Folder`), of which a key sees the ``digest`` only. Files that came later are left
    out, and of one that has only grown (a log) the part that was there is taken.
    """
    from pypack.formats.image import ImageBuilder

    project: Folder = context.unhashed["project"]
    changed: list[str] = []
    inside = ((f"{project.prefix}/{name}" if project.prefix else name, file) for name, file in project.files)
    with ImageBuilder(project.path.name, folder=context.product.parent) as builder:
        for name, file in (*inside, *project.around):
            content = unchanged_content(file, project.contents[name])
            if content is None:
                changed.append(name)
            else:
                builder.add(name, content, executable=digests.is_executable(project.contents[name]))
        if changed:
            raise InputError(
                f"{project.path} changes while it is being built: {', '.join(changed[:5])}",
                hint="build again, and stop what writes there",
                docs=_DOCS,
            )
        builder.write(context.product)


def unchanged_content(path: Path, digest: str) -> bytes | None:
    """Return what was in a file when it had this digest, None where that is lost; a file that has grown has it."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    expected, running, size = digest.partition("\0")[2], hashlib.sha256(), 0
    if hashlib.sha256(data).hexdigest() == expected:
        return data
    for line in data.splitlines(keepends=True):
        if running.hexdigest() == expected:
            return data[:size]
        running.update(line)
        size += len(line)
    return None


def _counts(path: Path) -> bool:
    return path.name != ".git" and path.is_file()  # a worktree or a submodule has a file of that name
