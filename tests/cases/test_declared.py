"""A bundle has what the program's own metadata says: packages, commands, and files that are no Python too."""

from __future__ import annotations

import shutil
import uuid

from .conftest import GNU, HERE

DEV = ("--profile", "dev", "--runtime", "host")


def test_what_a_program_declares_is_in_its_bundle(checkout, start, tmp_path):
    folder = tmp_path / "declared"
    shutil.copytree(HERE / "tests/projects/declared", folder)
    template = folder / "src/declared/templates/new.py"
    template.parent.mkdir()
    template.write_text("import {{ name }}\n")
    # the step cache would hand out an app that was built before, and nothing be said
    (folder / "src/declared/once.py").write_text(f"# {uuid.uuid4()}\n")
    done = checkout.pypack("build", str(folder), "--alias", *DEV)
    assert "the program is 3 commands (declared, extra, window): the name that it is started by" in done.out
    assert "note: not Python of this version, so bundled as data: declared/templates/new.py" in done.out
    assert "links beside it: extra, window" in done.out
    results = checkout.path / "dist" / GNU
    assert start(results / "declared").out == "main x import {{ name }}\n"
    assert start(results / "extra", "a").out == "extra a\n"
    assert start(results / "window").out == "window\n"

    (folder / "needs.txt").write_text("click\n")
    done = checkout.pypack("build", str(folder), "-r", str(folder / "needs.txt"), *DEV, ok=False)
    assert done.code == 1
    assert "the metadata of declared asks for packages that the bundle does not have:\n  idna is missing" in done.text
    assert "packages are named by needs.txt" in done.text
    assert start(results / "declared").out == "main x import {{ name }}\n"

    source = folder / "src/declared/__init__.py"
    source.write_text(f"from .templates import new\n{source.read_text()}")
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert "a file of the app cannot be compiled:\n  app/declared/templates/new.py:1: SyntaxError" in done.text


def test_a_folder_without_metadata_has_what_it_imports(checkout, start, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "main.py").write_text("import helper\nprint('started')\n")
    (folder / "helper.py").write_text("import sys\nif sys.platform == 'win32':\n    import winapi\nimport nowhere\n")
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert "the program cannot start without modules that nothing in the bundle provides:\n  helper.py:4 " in done.text
    (folder / "helper.py").write_text("def use():\n    import nowhere\n")
    done = checkout.pypack("build", str(folder), *DEV)
    assert "warning: helper.py:2 imports nowhere, and nothing in the bundle provides it" in done.out
    assert start(checkout.bundle("main")).out == "started\n"


SETUP = """
from setuptools import setup
setup(name="{name}", version="1.5", py_modules=["{name}"], {more})
"""


def test_scripts_of_a_setup_are_commands(checkout, start, tmp_path):
    """Without entry points they are the program; beside them they can be started as in a virtual environment."""
    folder = tmp_path / "scripted"
    (folder / "bin").mkdir(parents=True)
    more = 'scripts=["bin/first.py", "bin/second", "bin/third"], data_files=[("share/scripted", ["data.txt"])]'
    (folder / "setup.py").write_text(SETUP.format(name="scripted", more=more))
    (folder / "scripted.py").write_text(RUN_OTHERS)
    (folder / "data.txt").write_text("data\n")
    (folder / "bin/first.py").write_text("#!/usr/bin/env python\nimport sys\nprint('first', sys.argv[1:])\n")
    (folder / "bin/second").write_text("#!/usr/bin/python3\nimport scripted\nscripted.main()\n")
    (folder / "bin/third").write_text("#!/bin/sh\necho third $1\n")
    checkout.pypack("build", str(folder), "--alias", *DEV)
    results = checkout.path / "dist" / GNU
    told = "data\nfirst ['a']\nthird a\n"
    assert start(results / "first.py", "b").out == "first ['b']\n"
    assert start(results / "scripted", "first.py", "c").out == "first ['c']\n"
    assert start(results / "second").out == told
    assert start("python3", results / "scripted", "second").out == told

    (folder / "setup.py").write_text(
        SETUP.format(name="scripted", more=f'{more}, entry_points={{"console_scripts": ["run=scripted:main"]}}')
    )
    checkout.pypack("build", str(folder), *DEV)
    assert start(results / "run").out == told


RUN_OTHERS = """
import os, subprocess, sys
def main():
    print(open(os.path.join(sys.prefix, "share/scripted/data.txt")).read(), end="", flush=True)
    for name in ("first.py", "third"):
        subprocess.run([os.path.join(sys.prefix, "bin", name), "a"], check=True)
"""


def test_nothing_is_left_in_the_folder_of_a_local_package(checkout, start, tmp_path):
    folder, needed = tmp_path / "needing", tmp_path / "needed"
    folder.mkdir()
    needed.mkdir()
    (needed / "setup.py").write_text(SETUP.format(name="needed", more=""))
    (needed / "needed.py").write_text("print('needed')\n")
    (folder / "requirements.txt").write_text("../needed\n")
    (folder / "main.py").write_text("import needed\n")
    checkout.pypack("build", str(folder), *DEV)
    assert start(checkout.bundle("main")).out == "needed\n"
    assert sorted(path.name for path in needed.iterdir()) == ["needed.py", "setup.py"]
