"""What of a project's folder is its own."""

from __future__ import annotations

import os

import pytest

from pypack.base.walk import walk_project


@pytest.fixture
def tree(tmp_path):
    """Make files below a folder: ``tree("a/b.py", …)``."""

    def make(*names):
        for name in names:
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        return tmp_path / "project"

    return make


def names(root, **more):
    return [inside for inside, _ in walk_project(root, **more)]


def test_leftovers_are_no_part_of_a_project(tree):
    root = tree(
        "a.py", ".hidden", "pkg/__init__.py", "pkg/__pycache__/a.pyc", "pkg/a.pyc", "pkg/a.py~", "x.egg-info/PKG-INFO",
        "node_modules/x.js", ".git/config", ".tox/x", "env/pyvenv.cfg", "env/lib/x.py", "build/lib/x.py", "dist/x.whl",
        "pkg/build/kept.py", "pkg/dist/kept.py",
    )  # fmt: skip
    assert sorted(names(root)) == [".hidden", "a.py", "pkg/__init__.py", "pkg/build/kept.py", "pkg/dist/kept.py"]


def test_a_package_called_build_is_no_output(tree):
    assert names(tree("build/__init__.py", "build/x.py")) == ["build/__init__.py", "build/x.py"]


def test_the_caller_leaves_out_files_and_folders(tree):
    root = tree("a.py", "b.py", "c/d.py")
    assert names(root, skip=lambda path: path.name in {"a.py", "c"}) == ["b.py"]


@pytest.mark.skipif(os.name == "nt", reason="CANNOT RUN: making links takes a right of its own on Windows")
def test_links_to_folders_are_followed_and_loops_end(tree):
    root = tree("a/x.py", "b/y.py")
    (root / "c").symlink_to("a")
    (root / "a/up").symlink_to("..")
    (root / "a/other").symlink_to("../b")
    (root / "b/back").symlink_to("../a")
    loops = []
    assert names(root, loop=loops.append) == [
        "a/x.py", "a/other/y.py", "b/y.py", "b/back/x.py", "c/x.py", "c/other/y.py",
    ]  # fmt: skip
    assert {path.relative_to(root).as_posix() for path in loops} >= {
        "a/up",
        "a/other/back",
        "b/back/other",
        "c/other/back",
    }
