"""The rooms of the package: imports go one way, nothing imports in circles, and every room says what lives there."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pypack

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pypack.__file__).parent
ROOMS = (
    "base", "formats", "steps", "bytecode", "bundle", "download", "runtimes", "deps", "project", "launcher", "plan",
    "graph", "scons", "cli",
)  # fmt: skip
"""From the lowest to the highest: a room imports from itself and from those before it."""
APART = {"bootstrap", "data"}
"""Programs that run elsewhere, and what a wheel carries."""
TOP = {"pypack", "pypack.__main__", "pypack.environment", "pypack.errors", "pypack.nox"}


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in APART:
            found[".".join(("pypack", *(part for part in parts if part != "__init__")))] = file
    return found


class _Imports(ast.NodeVisitor):
    """Collects what a module imports when it is imported or run, types alone left out."""

    def __init__(self, known: dict[str, Path]) -> None:
        self.known, self.direct, self.lazy = known, set[str](), set[str]()

    def visit_If(self, node: ast.If) -> None:
        for each in node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else [*node.body, *node.orelse]:
            self.visit(each)

    def visit_Import(self, node: ast.Import) -> None:
        self.direct |= {each.name for each in node.names if each.name.split(".")[0] == "pypack"}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and node.module.split(".")[0] == "pypack":
            whole = [f"{node.module}.{each.name}" for each in node.names]
            self.direct |= {name if name in self.known else node.module for name in whole}

    def visit_Call(self, node: ast.Call) -> None:
        if getattr(node.func, "id", "") == "lazy_import":
            (place,) = node.args
            assert isinstance(place, ast.Constant)
            self.lazy.add(str(place.value).partition(":")[0])
        self.generic_visit(node)


def imports(known: dict[str, Path]) -> dict[str, _Imports]:
    found = {}
    for name, file in known.items():
        visitor = _Imports(known)
        visitor.visit(ast.parse(file.read_text(encoding="utf-8")))
        found[name] = visitor
    return found


def room(name: str) -> str:
    return name.split(".")[1]


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield the sets of nodes that lead to each other (Tarjan)."""
    count, index, low, stack = itertools.count(), dict[str, int](), dict[str, int](), list[str]()

    def visit(node: str) -> Iterator[list[str]]:
        index[node] = low[node] = next(count)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                yield from visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            circle = stack[at:]
            del stack[at:]
            if len(circle) > 1:
                yield circle

    for node in graph:
        if node not in index:
            yield from visit(node)


@pytest.fixture(scope="module")
def found() -> dict[str, _Imports]:
    return imports(modules())


def test_there_are_no_other_rooms():
    folders = {each.name for each in PACKAGE.iterdir() if (each / "__init__.py").is_file()} - APART
    assert folders == set(ROOMS)
    assert {name for name in modules() if name.count(".") < 2} - {f"pypack.{each}" for each in ROOMS} == TOP


def test_every_room_says_in_one_line_what_lives_there():
    for each in (*ROOMS, "bootstrap"):
        text = ast.get_docstring(ast.parse((PACKAGE / each / "__init__.py").read_text(encoding="utf-8")))
        assert text, each
        assert len(text.splitlines()[0]) > 20, each


def test_no_room_imports_from_one_above_it(found):
    wrong = [
        f"{name} imports {other}"
        for name, seen in found.items()
        for other in seen.direct
        if name not in TOP and other not in TOP and ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert wrong == []


def test_what_is_imported_when_a_step_runs_is_not_above_the_step_either(found):
    """A step's function is named by a string, so that most of a build is never imported."""
    wrong = [
        f"{name} runs {other}"
        for name, seen in found.items()
        for other in seen.lazy
        if name not in TOP and ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_circles(found):
    assert list(circles({name: seen.direct for name, seen in found.items()})) == []


def test_scons_is_imported_in_one_room_only():
    users = {
        room(name)
        for name, file in modules().items()
        if name not in TOP and re.search(r"^\s*(from|import) SCons\b", file.read_text(encoding="utf-8"), re.M)
    }
    assert users == {"scons"}


def test_circles_are_found():
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == [["a", "b", "c"]]
    assert list(circles({"a": {"b", "c"}, "b": {"c"}})) == []
