"""Every error says what to do and where to read, and every word that can be mistyped has near names."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pypack
from pypack import errors
from pypack.errors import PypackError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pypack.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(PACKAGE.rglob("*.py"))}


def named(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def error_classes() -> dict[str, ast.ClassDef]:
    """Return every class of errors for people, by name; the first is the one that all derive from."""
    known = {"PypackError"}
    found: dict[str, ast.ClassDef] = {}
    while True:
        more = {
            node.name: node
            for tree in TREES.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            and node.name not in found
            and (node.name == "PypackError" or known & {named(base) for base in node.bases})
        }
        if not more:
            return found
        found |= more
        known |= more.keys()


CLASSES = error_classes()


def has_text(keywords: dict[str | None, ast.expr], name: str) -> bool:
    """Say whether a keyword is given, and is no empty text."""
    value = keywords.get(name)
    return value is not None and not (isinstance(value, ast.Constant) and not value.value)


def is_complete(node: ast.ClassDef) -> bool:
    """Say whether errors of a class have a remedy and a page without being given one."""
    names = {
        target.id
        for item in node.body
        if isinstance(item, ast.Assign) and not (isinstance(item.value, ast.Constant) and not item.value.value)
        for target in item.targets
        if isinstance(target, ast.Name)
    }
    calls = [
        {keyword.arg: keyword.value for keyword in call.keywords}
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and named(call.func) == "__init__"
    ]
    by_call = any(has_text(keywords, "hint") and has_text(keywords, "docs") for keywords in calls)
    by_base = any(base in CLASSES and is_complete(CLASSES[base]) for base in map(named, node.bases))
    return {"usual_hint", "usual_docs"} <= names or by_call or by_base


def raised() -> Iterator[tuple[str, str, dict[str | None, ast.expr]]]:
    """Yield the place, the class and the keywords of each call that makes an error for people."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and named(node.func) in CLASSES and (node.args or node.keywords):
                keywords = {keyword.arg: keyword.value for keyword in node.keywords}
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", named(node.func), keywords


def test_the_walk_finds_the_errors():
    assert {"InputError", "StepError", "ArchiveError", "FolderError", "UnusableError"} <= CLASSES.keys()
    assert len([*raised()]) > 300


@pytest.mark.parametrize("part", ["hint", "docs"])
def test_each_error_says_what_to_do_and_where_to_read(part):
    lacking = [
        place for place, name, keywords in raised()
        if not (has_text(keywords, part) or is_complete(CLASSES[name]))
    ]  # fmt: skip
    assert lacking == []


def test_each_page_that_an_error_names_is_there():
    pages = {
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"docs/\S+\.md", node.value)
    }
    assert len(pages) > 8
    assert [page for page in sorted(pages) if not (DOCS.parent / page).is_file()] == []


def test_an_error_is_one_message_in_three_parts():
    error = errors.unknown("target", "linux-musl-x86", ["linux-musl-x86_64", "windows-x86_64"])
    assert str(error).splitlines() == [
        "unknown target 'linux-musl-x86' (did you mean linux-musl-x86_64 or windows-x86_64?)",
        "  -> choose from: linux-musl-x86_64, windows-x86_64",
        "  see docs/settings.md",
    ]


def subclasses(of: type[PypackError]) -> Iterator[type[PypackError]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def test_classes_with_a_remedy_of_their_own_give_it():
    error = errors.ArchiveError("it is damaged")
    assert (error.hint, error.docs) == (errors.ArchiveError.usual_hint, errors.ArchiveError.usual_docs)
    assert errors.ArchiveError("it is damaged", hint="look").hint == "look"
    assert all(each.exit_code in {1, 2, 3} for each in subclasses(PypackError))
