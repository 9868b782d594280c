"""The tree of an application as a person has it: unpacked, in a git repository, with the tag of its release."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

from pypack.download import fetch
from pypack.steps.step import Settings
from tests.applications.table import PROJECTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.applications.table import Application

_WHO = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")


def prepare(application: Application, room: Path) -> Path:
    """Return the tree below ``room``, or the wheel. Raises FetchError where no archive with that hash is to be had."""
    if application.pin is None:
        tree = shutil.copytree(PROJECTS / application.folder, room / application.name)
    else:
        archive = fetch.fetch(application.pin, settings=Settings())
        if application.is_wheel:
            return archive
        tree = _unpack(archive, room)
    for words in (["init", "-q"], ["add", "-A", "--force"], [*_WHO, "commit", "-qm", "As released"]):
        _git(tree, *words)
    _git(tree, "tag", f"v{application.version}")
    return tree


def edit(application: Application, tree: Path) -> None:
    """Append a comment to one of its modules."""
    with (tree / application.edit).open("a", encoding="utf-8") as file:
        file.write("\n# edited\n")


def _unpack(archive: Path, room: Path) -> Path:
    with tarfile.open(archive) as tar:
        top = tar.getnames()[0].partition("/")[0]
        tar.extractall(room, filter="data")
    return room / top


def _git(tree: Path, *words: str) -> None:
    subprocess.run(["git", "-C", tree, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)
