"""Fetch a commit of a git repository as an archive: its files in one folder, the same bytes on every machine.

git never asks for anything: what it needs (keys, logins) has to be set up. Nothing of the repository is run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from pypack.download import urls
from pypack.download.web import DownloadError
from pypack.formats import image
from pypack.formats.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EVERYTHING = "+refs/*:refs/fetched/*"
_SETTINGS = ("core.autocrlf=false", "core.symlinks=true", "core.hooksPath=/dev/null", "core.fsmonitor=false",
             "advice.detachedHead=false", "fetch.fsckObjects=false")  # fmt: skip
"""What a user may have set and what would change the files, or run something."""


def environment() -> dict[str, str]:
    """Return the variables with which git, started by us or by uv, never asks and never waits for a person."""
    ssh = os.environ.get("GIT_SSH_COMMAND") or "ssh"
    return {
        "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never",
        "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes -o ConnectTimeout=20", "GIT_LFS_SKIP_SMUDGE": "1",
    }  # fmt: skip


def write_archive(address: str, target: Path, *, login: tuple[str, str] | None = None) -> None:
    """Write the files of a commit, submodules with it, as a tar archive to ``target``.

    ``address`` is ``git+URL@COMMIT``; ``login`` a name and a password for its host. Raises :class:`DownloadError`.
    """
    url, _, commit = address.removeprefix("git+").rpartition("@")
    if not _COMMIT.fullmatch(commit) or url.startswith("-"):
        raise DownloadError(f"{urls.shown(address)} names no commit")
    if shutil.which("git") is None:
        raise DownloadError("git is not installed")
    with tempfile.TemporaryDirectory(prefix="pypack-git-") as name:
        tree = Path(name).resolve() / "tree"
        tree.mkdir()
        variables = {**environment(), **_login_variables(url, login)}
        _git(tree, variables, "init", "--quiet", "--template=", ".")
        _git(tree, variables, "remote", "add", "origin", url)
        try:
            _git(tree, variables, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit)
        except DownloadError as fault:
            if fault.unreachable:
                raise
            _git(tree, variables, "fetch", "--quiet", "--no-tags", "origin", _EVERYTHING)  # a simple server, over http
        _git(tree, variables, "checkout", "--quiet", "--detach", commit)
        if (tree / ".gitmodules").is_file():
            _git(tree, variables, "submodule", "--quiet", "update", "--init", "--recursive")
        _write(tree, target, commit)


def _write(tree: Path, target: Path, commit: str) -> None:
    for path in sorted(tree.rglob(".git")):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    with ImageBuilder(commit[:12], folder=target.parent) as builder:
        image.add_tree(builder, tree, under=commit[:12])
        builder.write(target)


def _login_variables(url: str, login: tuple[str, str] | None) -> dict[str, str]:
    """Return variables that make git use a login for a URL's host, out of sight of other users of the machine."""
    parts = urlsplit(url)
    if login is None or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return {}
    user, password = (quote(part, safe="") for part in login)
    host = urlunsplit((parts.scheme, parts.netloc, "/", "", ""))
    known = urlunsplit((parts.scheme, f"{user}:{password}@{parts.netloc}", "/", "", ""))
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(count + 1), f"GIT_CONFIG_KEY_{count}": f"url.{known}.insteadOf",
        f"GIT_CONFIG_VALUE_{count}": host,
    }  # fmt: skip


def _git(tree: Path, variables: Mapping[str, str], *arguments: str) -> None:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    kept = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY}
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=tree, env={**kept, **variables}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise DownloadError(explain(done.stderr), unreachable=any(text in done.stderr for text in _NO_HOST))


_OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_NO_HOST = (
    "Could not resolve host", "Failed to connect", "Could not connect", "Connection timed out", "Connection refused",
    "unable to connect", "Network is unreachable",
)  # fmt: skip
_NO_KEY = ("could not read Username", "could not read Password", "Authentication failed", "Permission denied",
           "terminal prompts disabled", "Host key verification failed", "error: 401", "error: 403")  # fmt: skip
_HINTS = (
    (_NO_HOST, "the git host cannot be reached: check the address and the network"),
    (_NO_KEY, "the repository asks for a key or a login, and nobody is asked for it here: set up git's own "
              "(ssh-agent, ~/.netrc, git credential), so that git ls-remote URL works"),
    (("couldn't find remote ref", "not our ref", "unable to read tree", "reference is not a tree"),
     "the repository has no such branch, tag or commit: check what stands after @ (or tag, branch, rev)"),
    (("transport 'file' not allowed",), "git takes no submodule from this machine unless protocol.file.allow is set"),
    (("Repository not found", "does not appear to be a git repository", "not found"),
     "there is no such repository, or not without a login: check the address"),
)  # fmt: skip


def hint(explanation: str) -> str:
    """Return what to do about a failure of git, ``""`` where its output is not known."""
    return next((hint for phrases, hint in _HINTS if any(phrase in explanation for phrase in phrases)), "")


def explain(explanation: str) -> str:
    """Return git's reason in one line, with what to do about it."""
    lines = [line.strip() for line in explanation.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines[-1:]
    shown = re.sub(r"://[^/\s@]+@", "://", "; ".join(dict.fromkeys(reasons[:2]))) or "git failed"
    remedy = hint(explanation)
    return f"{shown} -> {remedy}" if remedy else shown
