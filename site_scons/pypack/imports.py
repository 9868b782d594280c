"""Which modules an app's own sources import, and which of them its Python lacks."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from pypack import app, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.project import Project
    from pypack.providers.base import Runtime

_NOT_FOUND = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_NAMED = rb"[\w.]+(?:[ \t]+as[ \t]+\w+)?"
_LINE = re.compile(
    rb"(?m)^[ \t]*(?:import[ \t]+(%b(?:[ \t]*,[ \t]*%b)*)[ \t]*(?:[#;].*)?\r?$|from[ \t]+(\w[\w.]*)[ \t]+import\b)"
    % (_NAMED, _NAMED)
)
_LARGEST = 8 << 20  # more is generated data; parsing takes a hundred times the memory


def modules(project: Project, *, among: Iterable[str] = ()) -> set[str]:
    """Return the names of the top-level modules that the app's own sources import.

    Imports that the program is prepared to miss (``try: … except ImportError``) and those for type checkers do not
    count, nor do modules that the app itself brings. ``among`` limits the answer to some names, and is quicker: only
    files in which one of them stands are parsed. Of a file that cannot be parsed (it may be written for a newer Python
    than this one) every line that is an import counts.
    """
    names = set(among)
    word = re.compile(rb"\b(?:%s)\b" % b"|".join(sorted(re.escape(name.encode()) for name in names))) if names else None
    found, own = set[str](), set[str]()
    for each in app.sources(project):
        own.add(each.inside.split("/", 1)[0].split(".", 1)[0])
        if each.inside.endswith((".py", ".pyw")):
            found.update(_of_file(each.path, word))
    return (found & names if names else found) - own


def lacking(project: Project, runtime: Runtime, *, files: str, memory: Path) -> tuple[str, ...]:
    """Return the modules that the app imports and that ``runtime`` comes without, sorted.

    ``files`` is the app's digest; what was found for it is kept in the JSON file ``memory``, so that an app is read
    again only when it has changed.
    """
    if not runtime.lacks:
        return ()
    known = {key: value for key, value in records.read(memory).items() if key.startswith(f"{files} ")}
    key = f"{files} {' '.join(runtime.lacks)}"
    if key not in known:
        known[key] = sorted(modules(project, among=runtime.lacks))
        records.write(memory, known)
    return tuple(known[key])


def _of_file(path: Path, word: re.Pattern[bytes] | None) -> set[str]:
    if path.stat().st_size > _LARGEST:
        return set()
    data = path.read_bytes()
    if word and not word.search(data):
        return set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a program's odd escapes its author is told elsewhere
            tree = ast.parse(data)
        return set(_names(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(_names_of_lines(data))


def _names_of_lines(data: bytes) -> Iterator[str]:
    """Yield what lines of a source import, at any depth and whatever stands around them."""
    for found in _LINE.finditer(data):
        for name in (found[1] or found[2]).split(b","):
            yield name.split()[0].split(b".", 1)[0].decode("utf-8", "replace")


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield what the statements in ``tree`` import."""
    found: list[ast.AST] = [tree]
    while found:
        node = found.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".", 1)[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from [node.module.split(".", 1)[0]] if node.module and not node.level else []
        else:
            found += _inside(node)


def _inside(node: ast.AST) -> list[ast.AST]:
    """Return the statements in which a missing module would be an error."""
    if isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers):
        return [*node.handlers, *node.orelse, *node.finalbody]
    if isinstance(node, ast.With) and any("suppress(" in ast.unparse(item.context_expr) for item in node.items):
        return []
    if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        return list(node.orelse)
    return list(ast.iter_child_nodes(node))


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _NOT_FOUND for kind in kinds)
