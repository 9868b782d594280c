"""The git repository around a project: whether its build asks for it, its state, and a copy that a build may read.

The copy borrows the objects of the original and has its own index, references and settings: a build can write to
nothing of the original, and no setting or hook of the original is run. The git of this machine is asked as little as
possible, without its hooks, monitors and the filters that the repository itself configures.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pypack.errors import InputError

_DOCS = "docs/dependencies.md"

_MOST_FILES = 5000
"""Files of a repository outside of a project up to which a build sees them all; else only those on the way to it."""
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": os.devnull, "GIT_CONFIG_KEY_1": "core.fsmonitor", "GIT_CONFIG_VALUE_1": "false",
    "LC_ALL": "C",
}  # fmt: skip
_SUBMODULE = "160000"
_UNKNOWN_COMMIT = "f" * 40


@dataclass(frozen=True, kw_only=True)
class Repository:
    """The state of a git repository, as far as the version of a program can follow from it.

    ``top`` is its working tree; ``head`` the commit ("" before the first), ``branch`` the reference that HEAD names
    ("" if none), ``tags`` lines of ``commit reference``; ``changed`` are tracked paths that differ from HEAD.
    """

    top: Path
    head: str
    branch: str
    tags: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """A hash over everything but the paths of this machine."""
        parts = (self.head, self.branch, *self.tags, *(f"{state} {path}" for path, state in self.changed))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def find_top(folder: Path) -> Path | None:
    """Return the top of the working tree that a folder belongs to, None outside of a git repository."""
    return next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)


def read(top: Path) -> Repository | None:
    """Return the state of a repository; None where this machine has no git, or git refuses (its owner is another)."""
    if shutil.which("git") is None or (status := _git(top, "rev-parse", "--is-inside-work-tree")) is None:
        return None
    head = (_git(top, "rev-parse", "--verify", "--quiet", "HEAD") or "").strip()
    branch = (_git(top, "symbolic-ref", "--quiet", "HEAD") or "").strip()
    tags = (_git(top, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags") or "").splitlines()
    status = _git(top, *_without_filters(top), "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    if status is None:
        return None
    changed = sorted((row[3:], row[:2]) for row in status.split("\0") if row)
    return Repository(top=top, head=head, branch=branch, tags=tuple(sorted(tags)), changed=tuple(changed))


def files_around(top: Path, prefix: str) -> list[tuple[str, Path]]:
    """Return the tracked files of a repository outside of the project at ``prefix``.

    Each is its path below ``top``, and the path on the disk. Of a large repository those are only the files in the
    folders above the project.
    """
    names = [name for name in (_git(top, "ls-files", "-z") or "").split("\0") if name]
    around = [name for name in names if not name.startswith(f"{prefix}/")]
    if len(around) > _MOST_FILES:
        above = {"", *(part.as_posix() for part in Path(prefix).parents)} - {"."}
        around = [name for name in around if name.rpartition("/")[0] in above]
    return [(name, path) for name in around if (path := top / name).is_file()]


def write_copy(repository: Repository, tree: Path) -> None:
    """Write ``.git`` into ``tree``, a copy of a repository's files: git says there what it says of the original.

    Files that are as in HEAD count as unchanged whether they are in the copy or not.
    """
    top, folder = repository.top, tree / ".git"
    if (current := read(top)) is None or current.digest != repository.digest:
        raise InputError(f"the git repository {top} changed while it was being built", hint="build again", docs=_DOCS)
    for name in ("objects/info", "refs/heads", "refs/tags", "info"):
        (folder / name).mkdir(parents=True)
    common = Path(_path(top, "--git-common-dir"))
    (folder / "objects" / "info" / "alternates").write_text(f"{common / 'objects'}\n", encoding="utf-8")
    algorithm = (_git(top, "rev-parse", "--show-object-format") or "sha1").strip()
    extension = f"[extensions]\n\tobjectFormat = {algorithm}\n" if algorithm != "sha1" else ""
    version = 1 if extension else 0
    (folder / "config").write_text(
        f"[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{extension}", encoding="utf-8"
    )
    head = f"ref: {repository.branch}" if repository.branch else repository.head
    (folder / "HEAD").write_text(f"{head}\n", encoding="utf-8")
    refs = [*repository.tags]
    if repository.branch and repository.head:
        refs.append(f"{repository.head} {repository.branch}")
    rows = sorted(refs, key=lambda row: row.partition(" ")[2])
    (folder / "packed-refs").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    (folder / "info" / "exclude").write_bytes(_ignored(common))
    if (common / "shallow").is_file():
        shutil.copyfile(common / "shallow", folder / "shallow")
    _write_index(repository, tree)


def _write_index(repository: Repository, tree: Path) -> None:
    """Write the index of the copy, in which only what is changed is looked at."""
    index = Path(_path(repository.top, "--git-path", "index"))
    if not index.is_file():
        return
    for file in (index, *index.parent.glob("sharedindex.*")):
        shutil.copyfile(file, tree / ".git" / file.name)
    changed = {path for path, _ in repository.changed}
    staged = [row.split("\t", 1) for row in (_git(tree, "ls-files", "-s", "-z") or "").split("\0") if row]
    modules = {path for row, path in staged if row.startswith(_SUBMODULE)}
    clean = "".join(f"{path}\0" for _, path in staged if path not in changed)
    _git(tree, "update-index", "--assume-unchanged", "-z", "--stdin", text=clean)
    for path in sorted(changed & modules):  # the copy has the files of a submodule, and not its repository
        _git(tree, "update-index", "--cacheinfo", f"{_SUBMODULE},{_UNKNOWN_COMMIT},{path}")


def _ignored(common: Path) -> bytes:
    """Return the patterns of what is ignored in this repository and by this user."""
    configured = _git(common, "config", "--type=path", "core.excludesFile")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    of_user = Path(configured.strip()) if configured else settings / "git" / "ignore"
    return b"\n".join(path.read_bytes() for path in (common / "info" / "exclude", of_user) if path.is_file())


def _without_filters(top: Path) -> list[str]:
    """Return options by which the programs that a repository's own settings name for its files are not run."""
    names = _git(top, "config", "--local", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$") or ""
    return [argument for name in names.splitlines() for argument in ("-c", f"{name}=")]


def _path(top: Path, *arguments: str) -> str:
    """Return a path that git names, as an absolute one."""
    return str(top / (_git(top, "rev-parse", *arguments) or "").strip())


def _git(folder: Path, *arguments: str, text: str = "") -> str | None:
    """Return what git prints, None where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**kept, **_QUIET}, input=text.encode("utf-8", "surrogateescape"),
        capture_output=True, check=False,
    )  # fmt: skip
    return None if done.returncode else done.stdout.decode("utf-8", "surrogateescape")
