"""Entry points: what a file names, and what one means."""

from __future__ import annotations

import pytest

from pypack.formats import entry_points

TEXT = """
before = any.section
[console_scripts]
# a comment
run-it = pkg.mod : App.run [x, y]
Odd.Name=pkg:main
[gui_scripts]
window = pkg.ui:run
[other.group]
run-it = pkg.other
percent = a:%(b)s
"""


def test_groups_are_read_apart_and_without_extras():
    assert entry_points.read(TEXT, "console_scripts") == {"run-it": "pkg.mod : App.run", "Odd.Name": "pkg:main"}
    assert entry_points.read(TEXT, "gui_scripts") == {"window": "pkg.ui:run"}


@pytest.mark.parametrize("text", ["", "no ini file", "[console_scripts]\nno equals sign\n", "[gui_scripts]\na = b:c\n"])
def test_what_names_no_command_is_empty(text):
    assert entry_points.read(text, "console_scripts") == {}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("a.b : C.d", "a.b:C.d"), (" a:b ", "a:b"), ("ä:ö", "ä:ö"), ("a", ""), ("a:", ""), (":b", ""), ("a:b:c", ""),
        ("a..b:c", ""), ("1a:b", ""), ("a:b-c", ""), ("a:b [x]", "a:b"), ("a:b[x, y]", "a:b"), ("a:b [x", ""),
        ("", ""), (3, ""), (None, ""),
    ],
)  # fmt: skip
def test_a_reference_is_a_module_and_an_object(value, meant):
    assert entry_points.reference(value) == meant


def test_each_that_is_none_is_a_fault():
    faults: list[str] = []
    assert entry_points.checked({"good": "a : b", "bad": "a", "worse": 3}, "project.scripts", faults) == {"good": "a:b"}
    assert faults == [
        "project.scripts.bad: must be module:function, is 'a'",
        "project.scripts.worse: must be module:function, is 3",
    ]
