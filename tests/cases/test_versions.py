"""Programs whose version is in git, built for real in a repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import GNU, run

PROJECTS = Path(__file__).parents[1] / "projects"


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_a_project_of_a_monorepo_has_the_version_that_git_says(checkout, tmp_path):
    top = tmp_path / "monorepo"
    shutil.copytree(PROJECTS / "monorepo", top)
    folder = top / "packages" / "tool"

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=top, check=True)

    def build() -> str:
        checkout.pypack("build", ".", "--runtime", "host", cwd=folder)
        return run([folder / "dist" / GNU / "tool"]).out.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "x")
    git("tag", "v3.2.1")
    assert build() == "3.2.1 on: push"
    git("tag", "-d", "v3.2.1")
    git("tag", "v4.0")
    assert build() == "4.0 on: push"
    assert "is up to date" in checkout.pypack("build", ".", "--runtime", "host", cwd=folder).out
    left = {path.name for path in folder.iterdir()} - {".pypack", "dist"}
    assert left == {"pyproject.toml", "src"}
