"""Names the places where a program writes beside its own files, which a bundle keeps in a read-only cache."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from pypack.project.import_graph import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIKELY = re.compile(rb"__file__|\bsys\.(?:exec_)?prefix\b")
_PREFIXES = {"sys.prefix", "sys.exec_prefix"}
_PATH_METHODS = {"write_text", "write_bytes", "mkdir", "touch"}
_FUNCTIONS = {"os.makedirs", "os.mkdir", "sqlite3.connect", "shelve.open", "dbm.open", "logging.FileHandler"}


def lines(source: bytes) -> list[int]:
    """Return the lines of a source that write to a path made from ``__file__`` or ``sys.prefix``.

    Names that such a path is assigned to are followed within the file; what a function is given is not.
    """
    if len(source) > LARGEST or not _LIKELY.search(source):
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    nodes = sorted((node for node in ast.walk(tree) if isinstance(node, ast.stmt)), key=lambda node: node.lineno)
    names = set[str]()
    for node in nodes:
        if isinstance(node, ast.Assign) and _is_beside(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sorted({call.lineno for call in calls if _writes(call, names)})


def _is_beside(node: ast.AST, names: Iterable[str]) -> bool:
    """Say whether an expression has a path beside the program's files in it."""
    return any(
        (isinstance(part, ast.Name) and (part.id == "__file__" or part.id in names))
        or (isinstance(part, ast.Attribute) and ast.unparse(part) in _PREFIXES)
        for part in ast.walk(node)
    )


def _writes(call: ast.Call, names: Iterable[str]) -> bool:
    function, first = call.func, call.args[:1]
    if isinstance(function, ast.Name):
        return function.id == "open" and _is_written(call, 1) and any(_is_beside(node, names) for node in first)
    if not isinstance(function, ast.Attribute):
        return False
    if ast.unparse(function) in _FUNCTIONS:
        return any(_is_beside(node, names) for node in first)
    is_written = function.attr in _PATH_METHODS or (function.attr == "open" and _is_written(call, 0))
    return is_written and _is_beside(function.value, names)


def _is_written(call: ast.Call, position: int) -> bool:
    """Say whether the mode of a call of ``open`` is one for writing; ``position`` is that of its argument."""
    modes = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and set("wax+") & set(str(mode.value)) for mode in modes)
