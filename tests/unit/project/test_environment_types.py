"""Editors and type checkers know what SConstructs and noxfiles call."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pypack
import pypack.nox
from pypack.project import environment_types
from pypack.project.settings import TABLE
from pypack.scons import tool

HERE = Path(__file__).parents[3]
PACKAGE = Path(pypack.__file__).parent
SCONS = "from typing import Any\nEnvironment: Any\nAddOption: Any\nGetOption: Any\nDefault: Any\n"
"""What SCons puts into the names of an SConstruct; it has no types."""
BUNDLE = "import pypack\nenv: pypack.Environment = Environment(tools=[pypack.generate])\n"


def checked(folder: Path, text: str) -> str:
    """Return what mypy says of a file, in strict mode, as of a project that has pypack installed."""
    (folder / "checked.py").write_text(text, encoding="utf-8")
    settings = f"[mypy]\nstrict = True\nmypy_path = {PACKAGE.parent}\nfollow_imports = silent\n[mypy-SCons.*]\n"
    (folder / "mypy.ini").write_text(f"{settings}ignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(folder / "cache"), "checked.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("types")


def test_the_package_says_that_it_has_types():
    assert (PACKAGE / "py.typed").is_file()


def test_the_example_is_sound(folder):
    example = (HERE / "examples/sconstruct/SConstruct").read_text(encoding="utf-8")
    assert "env: pypack.Environment" in example
    assert checked(folder, SCONS + example) == ""


def test_the_noxfile_of_the_docstring_is_sound(folder):
    text = textwrap.dedent(str(pypack.nox.__doc__).partition("::\n")[2])
    assert "pypack.nox.bundle(session" in text
    assert checked(folder, text) == ""


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ('env.PyBundle(app="x", consle=False)', 'Unexpected keyword argument "consle" for "PyBundle"'),
        ('env.PyBundle(profile="relase")', "expected \"Literal['release', 'dev']\""),
        ("env.PyBundle(targets=[1])", "incompatible type"),
        ("reveal_type(env.PyBundle(app='x')[0].abspath)", 'Revealed type is "str"'),
        ("reveal_type(env.PyRuntime(target='host').abspath)", 'Revealed type is "str"'),
        ("reveal_type(env.Install('bin', []))", 'Revealed type is "Any"'),
    ],
)
def test_a_checker_knows_the_builders(call, told, folder):
    assert told in checked(folder, f"{SCONS}{BUNDLE}{call}\n")


def test_the_builders_are_those_that_are_added():
    """Parameters, their order and defaults are the tool's; the others are every setting that a bundle may have."""
    text = environment_types.text()
    for function in (tool.py_runtime, tool.py_step):
        names = [name for name in inspect.signature(function).parameters if name != "env"]
        name = "PyRuntime" if function is tool.py_runtime else "PyStep"
        line = next(line for line in text.splitlines() if f"def {name}(" in line)
        assert all(f"{each}:" in line for each in names)
    own = [name for name in inspect.signature(tool.py_bundle).parameters if name not in ("env", "keywords")]
    bundle = text.partition("def PyBundle(")[2].partition("-> list[Node]")[0]
    names = [line.strip().partition(":")[0] for line in bundle.splitlines() if ":" in line]
    assert names[: len(own)] == own
    assert {*names[len(own) :], "name", "entry"} == {*TABLE, "out", "report", "sizes"}
    assert all(f"{name}: " in text.partition('"""Return the nodes of bundles')[2] for name in names)


def test_the_type_exists_where_annotations_are_evaluated():
    assert pypack.Environment.__name__ == "Environment"
    with pytest.raises(AttributeError, match="no attribute 'Environmet'"):
        _ = pypack.Environmet
