"""The launcher's sources are sorted: folders include downwards only, and no module needs one that needs it."""

from __future__ import annotations

import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from pypack.base import folders, targets
from pypack.launcher import stub

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = folders.data("stubs")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.rglob("*.[ch]") if path.parent.name != "wine"
}
BELOW = {
    "base": (),
    "format": ("base",),
    "unpack": ("base", "format"),
    "cache": ("base", "format", "unpack"),
    "": ("base", "format", "unpack", "cache"),
    "os/posix": ("base", "format"),
    "os/linux": ("base", "format", "os/posix"),
    "os/macos": ("base", "format", "os/posix"),
    "os/windows": ("base", "format"),
    "os/zig": (),
}
"""What each folder may include from, besides itself and ``exit_codes.h``."""
SYSTEMS = {name: targets.load()[name] for name in ("linux-musl-x86_64", "macos-aarch64", "windows-x86_64")}


FAULT = re.compile(r"fault_set\((?:[^;]|;(?=[^;\n]*\"))*;")
TEXT = re.compile(r'"((?:\\.|[^"\\\n])*)"')


def faults() -> list[tuple[str, str, list[str]]]:
    """Return the file, the code and the texts of each call that says what is wrong."""
    return [
        (file, call.split(",")[1].strip(), TEXT.findall(call))
        for file, source in SOURCES.items()
        if file.endswith(".c")
        for call in FAULT.findall(source)
        if not call.startswith("fault_set(struct")
    ]


def test_messages_speak_to_people_who_have_never_heard_of_python():
    """The word of the environment may be typed, and sys.executable is said to those who made the program."""
    told = [(file, text) for file, _, texts in faults() for text in texts]
    assert len(told) > 60
    odd = re.compile(r"\b(python|pypack|libpython|interpreter|dlopen|stub|runtime)\b", re.IGNORECASE)
    assert [(file, text) for file, text in told if odd.search(text.replace("PYPACK_", ""))] == []


def test_each_fault_says_what_to_do():
    """Where a folder cannot be used the next is tried, and one message names them all; damage is told by its finder."""
    silent = [
        (file, texts) for file, code, texts in faults()
        if code not in {"TRY_NEXT_CACHE", "EXIT_DAMAGED"} and texts and texts[0] == ""
    ]  # fmt: skip
    assert silent == []


def folder_of(file: str) -> str:
    return file.rpartition("/")[0]


def module_of(file: str) -> str:
    """A source and the header of its name."""
    return file[:-2]


def code_of(text: str) -> str:
    """Drop comments and what stands in quotes."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


def included(text: str) -> list[str]:
    return re.findall(r'^#include "(.+)"', text, re.MULTILINE)


def defined(code: str) -> set[str]:
    """The functions and constants that a source has for others."""
    function = r"^(?!static\b|typedef\b|#)[A-Za-z_][\w *]*?[ *](\w+)\([^;{}]*\)\s*\{"
    constant = r"^const [\w *]*?[ *](\w+) ="
    return {*re.findall(function, code, re.MULTILINE), *re.findall(constant, code, re.MULTILINE)}


def used(code: str) -> set[str]:
    """Words that are no member of a structure."""
    return set(re.findall(r"(?<![.>\w])[A-Za-z_]\w*", code))


def circle(needs: dict[str, set[str]]) -> Iterable[str]:
    """The modules of a circle, or nothing."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as e:
        return e.args[1]
    return ()


@pytest.mark.parametrize("file", sorted(SOURCES))
def test_folders_include_downwards_only(file):
    own = folder_of(file)
    for name in included(SOURCES[file]):
        assert name in SOURCES, f"{name} is no path from stubs/"
        assert name == "exit_codes.h" or folder_of(name) in {own, *BELOW[own]}, name


def test_no_header_includes_one_that_includes_it():
    needs = {
        module_of(file): {module_of(name) for name in included(text)} - {module_of(file)}
        for file, text in SOURCES.items()
        if file.endswith(".h")
    }
    assert not circle(needs)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("launch", ["exec", "embed"])
def test_no_module_needs_one_that_needs_it(system, launch):
    """By the functions that each defines and uses. What a system's files implement is needed by way of a header."""
    files = [path.relative_to(ROOT).as_posix() for path in stub.c_files(SYSTEMS[system], launch)]
    codes = {file: code_of(SOURCES[file]) for file in files if file.endswith(".c")}
    owners = {name: file for file, code in codes.items() for name in defined(code) - {"main"}}
    needs: dict[str, set[str]] = defaultdict(set)
    for file, code in codes.items():
        for name in used(code) & owners.keys():
            if folder_of(owners[name]).startswith("os/") and not folder_of(file).startswith("os/"):
                continue
            needs[module_of(file)].add(module_of(owners[name]))
        needs[module_of(file)] |= {module_of(name) for name in included(SOURCES[file])}
        needs[module_of(file)].discard(module_of(file))
    assert len(owners) > 200
    assert {"format/trailer", "cache/paths"} <= needs["start"]
    assert not circle(needs)


def test_a_circle_is_found():
    code = "int one(int x)\n{\n    return two(x);\n}\nconst char *const three = 0;\nstatic int four(void)\n{\n}\n"
    assert defined(code) == {"one", "three"}
    assert "two" in used(code_of('/* six */ x->five = two("seven");'))
    assert not {"five", "six", "seven"} & used(code_of('/* six */ x->five = two("seven");'))
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert not circle({"a": {"b", "c"}, "b": {"c"}})


def test_every_source_has_its_own_header_first():
    """So each header is complete: it compiles without what another one has brought."""
    for file, text in SOURCES.items():
        header = file[:-2] + ".h"
        if file.endswith(".c") and header in SOURCES:
            assert re.findall(r"^#include (.+)$", text, re.MULTILINE)[0] == f'"{header}"', file
