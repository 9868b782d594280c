"""What of packages and of the standard library stays out."""

from __future__ import annotations

import pytest

from pypack.formats import selection
from pypack.formats.image import ImageBuilder


def left(paths, rules, base="site-packages"):
    with ImageBuilder("tree") as builder:
        for path in paths:
            builder.add(path, b"")
        selection.apply(builder, rules.params, base=base)
        return builder.paths()


PATHS = [
    "bin/tool.py", "data/share/doc/x", "site-packages/django/test/client.py",
    "site-packages/numpy/core/tests/data/a.bin", "site-packages/numpy/core/x.py",
    "site-packages/numpy/testing/x.py", "site-packages/tests.py",
    "site-packages/tests/conftest.py", "site-packages/twisted/test/test_a.py", "site-packages/twisted/test/iosim.py",
]  # fmt: skip


def test_tests_are_folders_of_that_name_that_hold_tests():
    kept = left(PATHS, selection.rules("any", (), tests=True))
    assert kept == [
        "bin/tool.py", "data/share/doc/x", "site-packages/django/test/client.py", "site-packages/numpy/core/x.py",
        "site-packages/numpy/testing/x.py", "site-packages/tests.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "gone"),
    [
        ("numpy", 3), ("numpy/", 3), ("numpy/*/tests", 1), ("*.py", 8), ("../bin", 1), ("../data/share/doc", 1),
        ("nump", 0), ("*/test", 3), ("django/test/client.py", 1), ("numpy/core/[xy].py", 1),
    ],
)  # fmt: skip
def test_globs_count_from_site_packages_and_take_folders_whole(glob, gone):
    assert len(PATHS) - len(left(PATHS, selection.rules("any", [f"*:{glob}"], tests=False))) == gone


def test_names_of_distributions_are_compared_as_installers_do():
    patterns = ["Foo.Bar", "types-*", "foo_bar:x/*", "*:y"]
    assert selection.is_out("foo-bar", patterns)
    assert selection.is_out("types_requests", patterns)
    assert not selection.is_out("foo", patterns)
    assert selection.rules("FOO-bar", patterns, tests=False).drop == ("x/*", "y")
    assert selection.rules("foo", patterns, tests=False).drop == ("y",)
    lock = {"packages": [{"name": "foo-bar"}, {"name": "foo"}], "lock-version": "1.0"}
    assert selection.without(lock, patterns) == {"packages": [{"name": "foo"}], "lock-version": "1.0"}


def test_patterns_that_mean_no_package_are_found():
    patterns = ["Foo.Bar", "types-*", "nmupy:tests", "*:x", "stdlib:test"]
    assert selection.unmatched(patterns, ["foo_bar", "numpy"]) == ["types-*", "nmupy:tests"]
    assert selection.unmatched(patterns, []) == ["Foo.Bar", "types-*", "nmupy:tests", "*:x"]


def test_the_standard_library_is_meant_by_its_own_name_only():
    rules = selection.rules("stdlib", ["*:json", "stdlib:tkinter", "stdlib:idlelib"], tests=True)
    paths = [f"lib/python3.13/{name}" for name in (
        "json/__init__.py", "tkinter/__init__.py", "idlelib/a.py", "test/b.py", "unittest/test/c.py",
        "lib2to3/tests/d.py", "lib-dynload/_testcapi.so", "lib-dynload/_socket.so", "unittest/case.py",
    )]  # fmt: skip
    paths += ["bin/python3.13"]
    assert left(paths, rules, "lib/python3.13") == [
        "bin/python3.13", "lib/python3.13/json/__init__.py", "lib/python3.13/lib-dynload/_socket.so",
        "lib/python3.13/unittest/case.py",
    ]  # fmt: skip


def test_what_was_chosen_differently_has_another_name():
    words = {
        selection.rules("a", patterns, tests=tests).word
        for patterns in ((), ["a:x"], ["a:y"], ["a:x", "a:y"])
        for tests in (False, True)
    }
    assert len(words) == 8
    assert "" in words
    assert selection.rules("b", ["a:x"], tests=False).params == {}


@pytest.mark.parametrize("pattern", ["", "a b", "a:", "*", "stdlib", ":x", "a:/"])
def test_senseless_patterns_are_told(pattern):
    (fault,) = selection.faults([pattern])
    assert repr(pattern) in fault
    assert selection.faults(["numpy", "types-*", "*:x", "stdlib:test", "a.b_c:d/*.so"]) == []
