"""The interpreter of builds that is kept: used while nothing has changed it, made anew else."""

from __future__ import annotations

import os

import pytest

from pypack.base import records, targets
from pypack.deps.build import interpreter
from pypack.deps.build.interpreter import Inputs
from pypack.formats.image import ImageBuilder

LAYOUT = targets.load()["linux-gnu-x86_64"].layout.at("3.13")


@pytest.fixture
def inputs(tmp_path):
    def make(text: str = "import sys\n") -> Inputs:
        image = tmp_path / f"{len(text)}.tar"
        with ImageBuilder("interpreter") as builder:
            builder.add(LAYOUT.python, b"#!/bin/sh\n", executable=True)
            builder.add(f"{LAYOUT.stdlib}/module.py", text.encode())
            builder.add_dir(LAYOUT.site_packages)
            builder.write(image)
        return Inputs(image=image, layout=LAYOUT, requirements=())

    return make


def test_it_is_used_again_for_the_same_inputs(tmp_path, inputs):
    folder = interpreter.provide(tmp_path / "memory", inputs())
    assert (folder / "python" / LAYOUT.python).is_file()
    assert interpreter.provide(tmp_path / "memory", inputs()) == folder
    assert interpreter.provide(tmp_path / "memory", inputs("other = 1\n")) != folder


@pytest.mark.parametrize("change", ["text", "new", "gone", "mode"])
def test_one_that_a_build_has_changed_is_not_used(tmp_path, inputs, change):
    folder = interpreter.provide(tmp_path / "memory", inputs())
    module = folder / "python" / LAYOUT.stdlib / "module.py"
    match change:
        case "text":
            module.write_text("import os; \n")
        case "new":
            (module.parent / "new.py").write_text("")
        case "gone":
            module.unlink()
        case "mode":
            module.chmod(0o600)
    again = interpreter.provide(tmp_path / "memory", inputs())
    assert again != folder
    assert (again / "python" / LAYOUT.stdlib / "module.py").read_text() == "import sys\n"


def test_one_of_a_build_that_was_killed_is_not_used(tmp_path, inputs):
    memory = tmp_path / "memory"
    folder = interpreter.provide(memory, inputs())
    (record,) = (memory / "build-interpreters").glob("*.json")
    record.unlink()  # it is written last
    assert interpreter.provide(memory, inputs()) != folder


def test_old_ones_are_removed(tmp_path, inputs):
    memory = tmp_path / "memory"
    folders = [interpreter.provide(memory, inputs("x" * size)) for size in range(1, 7)]
    for folder in folders:
        for path in (folder, *(memory / "build-interpreters").glob("*.json")):
            os.utime(path, (1, 1))
    latest = interpreter.provide(memory, inputs("another one"))
    left = [path for path in (memory / "build-interpreters").iterdir() if path.is_dir()]
    assert latest in left
    assert len(left) == 4
    kept = {records.read(record)["folder"] for record in (memory / "build-interpreters").glob("*.json")}
    assert kept == {path.name for path in left}


def test_bytecode_of_the_project_itself_is_not_kept(tmp_path):
    folder, work = tmp_path / "kept", tmp_path / "work"
    with interpreter.bytecode(folder, work) as variables:
        cache = tmp_path / "kept.bytecode"
        assert variables == {"PYTHONPYCACHEPREFIX": str(cache)}
        for path in (cache / "lib/module.pyc", cache / work.relative_to("/") / "setup.pyc"):
            path.parent.mkdir(parents=True)
            path.write_bytes(b"")
    assert (cache / "lib/module.pyc").is_file()
    assert not (cache / work.relative_to("/")).exists()
