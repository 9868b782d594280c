"""What a build sees of the git repository that its project is in, and what a product depends on."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from pypack.deps.build import folder, repository, version_control
from pypack.errors import InputError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
PYPROJECT = """
[build-system]
requires = ["setuptools", "setuptools-scm"]
[project]
name = "tool"
dynamic = ["version"]
"""
WHO = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")


def git(where, *arguments) -> str:
    done = subprocess.run(["git", *WHO, *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(where) -> None:
    git(where, "add", "-A")
    git(where, "commit", "-qm", "x")


@pytest.fixture
def top(tmp_path):
    """A repository with a project at its top and another below it, tagged."""
    top = tmp_path / "top"
    for name in ("pyproject.toml", "packages/lib/pyproject.toml"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(PYPROJECT)
    (top / "VERSION").write_text("1\n")
    (top / ".gitignore").write_text("*.tmp\n")
    git(tmp_path, "init", "-q", "-b", "main", str(top))
    commit(top)
    git(top, "tag", "v3.2.1")
    return top


def describe(where) -> str:
    return git(where, "describe", "--tags", "--always", "--dirty", "--long")


@pytest.mark.parametrize("kind", ["clean", "changed", "removed", "staged", "later", "worktree", "detached", "around"])
def test_git_says_of_the_copy_what_it_says_of_the_original(top, tmp_path, kind):
    project = top
    if kind == "changed":
        (top / "VERSION").write_text("2\n")
    if kind == "removed":
        (top / "VERSION").unlink()
    if kind == "staged":
        (top / "new.py").write_text("1\n")
        git(top, "add", "new.py")
    if kind == "later":
        (top / "new.py").write_text("1\n")
        commit(top)
    if kind == "worktree":
        git(top, "worktree", "add", "-q", str(tmp_path / "other"))
        project = tmp_path / "other"
    if kind == "detached":
        git(top, "checkout", "-q", "--detach")
    if kind == "around":
        project = top / "packages" / "lib"
        (top / "VERSION").write_text("2\n")
    with folder.lay_out(folder.read(project, None)) as tree:
        assert describe(tree) == describe(project)
        assert git(tree, "status", "--porcelain") == git(project, "status", "--porcelain")
        assert git(tree, "rev-parse", "--show-prefix") == git(project, "rev-parse", "--show-prefix")
        git(tree, "archive", "HEAD")
        git(tree, "tag", "never")
    assert "never" not in git(top, "tag")
    assert not tree.exists()


def test_a_changed_submodule_makes_the_copy_dirty(top, tmp_path):
    git(tmp_path, "init", "-q", "sub")
    (tmp_path / "sub" / "data.txt").write_text("1\n")
    commit(tmp_path / "sub")
    git(top, "submodule", "add", "-q", str(tmp_path / "sub"), "sub")
    commit(top)
    with folder.lay_out(folder.read(top, None)) as tree:
        assert (tree / "sub" / "data.txt").is_file()
        assert describe(tree) == describe(top)
    (top / "sub" / "data.txt").write_text("2\n")
    with folder.lay_out(folder.read(top, None)) as tree:
        assert describe(tree) == describe(top)
        assert "dirty" in describe(tree)


def test_a_commit_and_a_tag_change_the_digest_and_nothing_else_does(top):
    seen = [folder.read(top, None).digest]
    git(top, "branch", "other")
    assert folder.read(top, None).digest == seen[0]
    git(top, "commit", "-q", "--allow-empty", "-m", "y")
    seen.append(folder.read(top, None).digest)
    git(top, "tag", "v4")
    seen.append(folder.read(top, None).digest)
    (top / "packages" / "lib" / "new.py").write_text("")
    seen.append(folder.read(top, None).digest)
    assert len({*seen}) == len(seen)


def test_a_build_that_asks_nobody_does_not_depend_on_the_repository(top):
    plain = PYPROJECT.replace(', "setuptools-scm"', "")
    (top / "packages" / "lib" / "pyproject.toml").write_text(plain)
    project = folder.read(top / "packages" / "lib", None)
    assert project.repository is None
    assert [name for name, _ in project.around] == [".gitignore"]  # which hatchling reads
    commit(top)
    assert folder.read(top / "packages" / "lib", None).digest == project.digest


def test_files_above_a_project_belong_to_its_build(top):
    project = folder.read(top / "packages" / "lib", None)
    assert project.prefix == "packages/lib"
    assert ("VERSION", top / "VERSION") in project.around
    (top / "VERSION").write_text("2\n")
    assert folder.read(top / "packages" / "lib", None).digest != project.digest


def test_what_a_repository_configures_is_not_run(top, tmp_path):
    trace = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho ran >>{trace}\ncat\n")
    program.chmod(0o755)
    (top / ".gitattributes").write_text("VERSION filter=evil\n")
    commit(top)
    for key in ("core.fsmonitor", "core.pager", "filter.evil.clean", "filter.evil.process", "core.hooksPath"):
        git(top, "config", key, str(tmp_path if key == "core.hooksPath" else program))
    (tmp_path / "post-index-change").symlink_to(program)
    os.utime(top / "VERSION", (1, 1))
    with folder.lay_out(folder.read(top, None)):
        pass
    assert not trace.exists()


def test_a_commit_in_the_midst_of_a_build_is_an_error(top, tmp_path):
    project = folder.read(top, None)
    git(top, "commit", "-q", "--allow-empty", "-m", "y")
    with pytest.raises(InputError, match="changed while it was being built"):
        repository.write_copy(project.repository, tmp_path / "tree")


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({"pyproject.toml": '[build-system]\nrequires = ["hatchling", "hatch-vcs"]'}, True),
        ({"pyproject.toml": '[build-system]\nrequires = ["pdm-backend"]\n[tool.pdm.version]\nsource = "scm"'}, True),
        ({"pyproject.toml": '[build-system]\nrequires = ["pdm-backend"]\n[tool.pdm.version]\nsource = "file"'}, False),
        ({"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n[project]\nreadme = "../README.md"'}, True),
        ({"pyproject.toml": '[build-system]\nrequires = []\nbackend-path = ["."]'}, True),
        ({"pyproject.toml": '[build-system]\nrequires = ["uv_build>=0.8"]\n[project]\nname = "git"'}, False),
        ({"setup.py": "import subprocess\nsubprocess.check_output(['git', 'describe'])"}, True),
        ({"setup.py": "from setuptools import setup\nsetup(url='https://github.com/a/b')"}, False),
        ({"setup.py": "import helper", "helper.py": "import versioneer"}, True),
        ({"setup.py": "", "src/tool/_version.py": "run('git')", "src/tool/a.py": "run('git')"}, True),
        ({"setup.py": "", "src/tool/a.py": "run('git')"}, False),
    ],
)
def test_which_builds_ask_version_control(tmp_path, files, asked):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert version_control.is_asked([(name, tmp_path / name) for name in files]) is asked


def test_variables_that_give_a_version_reach_the_build(monkeypatch):
    for name in ("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL", "PDM_BUILD_SCM_VERSION", "VCS_VERSIONING_PRETEND_VERSION"):
        monkeypatch.setenv(name, "4.5")
    monkeypatch.setenv("SECRET", "4.5")
    assert set(version_control.variables()) == {
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TOOL", "PDM_BUILD_SCM_VERSION", "VCS_VERSIONING_PRETEND_VERSION",
    }  # fmt: skip
    given = version_control.variables("7")
    assert (given["SETUPTOOLS_SCM_PRETEND_VERSION"], given["PDM_BUILD_SCM_VERSION"]) == ("7", "4.5")
    assert version_control.variables("0") == version_control.variables()
