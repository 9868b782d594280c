"""Which modules an app imports, and which of them its Python lacks."""

from __future__ import annotations

import pytest

from pypack.project import imports, program
from pypack.runtimes.base import Runtime
from pypack.steps.step import Step


@pytest.fixture
def found(tmp_path):
    """Scan an app made of some files."""

    def found(main: str, *, among: tuple[str, ...] = (), **files: str) -> set[str]:
        (tmp_path / "main.py").write_text(main, encoding="utf-8")
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return imports.modules(program.load(tmp_path), among=among)

    return found


def test_imports_of_every_kind_and_place(found):
    text = (
        "import os.path, sys as s\nfrom json import loads\nfrom . import x\nfrom .y import z\ndef f():\n  import csv\n"
    )
    assert found(text, pkg__a_py="class A:\n    from xml.dom import minidom\n") == {"os", "sys", "json", "csv", "xml"}


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import tkinter\nexcept ImportError:\n    tkinter = None\n",
        "try:\n    import tkinter\nexcept (OSError, ModuleNotFoundError):\n    pass\n",
        "try:\n    import tkinter\nexcept:\n    pass\n",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import tkinter\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tkinter\n",
        "'import tkinter'\n# import tkinter\n",
        "import tkinter_not\n",
        "import tkinter (\n",
        "\0import tkinter\n",
    ],
)
def test_what_the_program_can_do_without(found, text):
    assert "tkinter" not in found(text)
    assert found(text, among=("tkinter",)) == set()


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import tkinter\nexcept OSError:\n    pass\n",
        "try:\n    import x\nexcept ImportError:\n    import tkinter\n",
        "try:\n    import x\nexcept ImportError:\n    pass\nelse:\n    import tkinter\n",
        "if x:\n    import tkinter.ttk\n",
        "# -*- coding: latin-1 -*-\nfrom tkinter import ttk\n",
    ],
)
def test_what_the_program_needs(found, text):
    assert found(text, among=("tkinter", "venv")) == {"tkinter"}


def test_modules_of_the_app_itself_do_not_count(found):
    assert found("import test, turtle, venv\n", test__x_py="", turtle_py="") == {"venv"}


def test_odd_escapes_are_not_our_business(found):
    assert found("import re\nx = '\\d'\n") == {"re"}


def test_lacking(tmp_path):
    (tmp_path / "main.py").write_text("import tkinter, venv, json\n")
    app = program.load(tmp_path)
    step = Step(product="p", action="a", version=1, run=lambda _: None)
    runtime = Runtime(provider="embed", version="3.13.2", output_dir="runtime/x", image=step)
    assert imports.missing_modules(app, runtime, files="f", memory=tmp_path / "m.json") == ()
    whole = Runtime(
        provider="x", version="3.13.2", output_dir="r", image=step, missing_modules=("venv", "tkinter", "turtle")
    )
    assert imports.missing_modules(app, whole, files="f", memory=tmp_path / "m.json") == ("tkinter", "venv")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("import idlelib", {"idlelib"}),
        ("  import os.path as p, tkinter.ttk , test as t  # why", {"os", "tkinter", "test"}),
        ("\tfrom lib2to3.pgen2 import (driver,", {"lib2to3"}),
        ("import csv; import json\r", {"csv"}),
        ("from . import tkinter", set()),
        ("from .tkinter import x", set()),
        ("# import tkinter", set()),
        ("x = 'import tkinter'", set()),
        ("importing tkinter", set()),
        ("import tkinter (", set()),
    ],
)
def test_a_file_of_newer_syntax_than_the_host_knows_is_read_line_by_line(found, line, names):
    assert found(f"type X[T] = no ?! syntax of today\n{line}\n") == names
