"""Checks that entry points exist, by reading the app's sources before anything is built."""

from __future__ import annotations

import ast
import sys
import warnings
from typing import TYPE_CHECKING

from pypack.errors import InputError, did_you_mean
from pypack.project import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.project.program import Project

_READ = "docs/settings.md"


def check(project: Project) -> None:
    """Refuse an entry point that does not exist in the app; the faults of several commands are one error.

    An entry point in a dependency cannot be checked yet; a missing one is an error when the program starts.
    """
    files = {file.inside: file.path for file in app.sources(project)}
    entry = project.entry
    if entry.kind == "script":
        if entry.name not in files:
            raise InputError(
                f"entry {entry.name} is not among the app's files", hint="check include and exclude", docs=_READ
            )
        return
    points = [point for _, point in entry.scripts]
    if entry.kind != "scripts":
        points = [f"{entry.name}:{entry.function}"]
    faults = [fault for point in points for fault in _entry_faults(project, files, point)]
    if faults:
        message = "\n".join(faults)
        raise InputError(message, hint="check the entry point: module, or module:function", docs=_READ)


def _entry_faults(project: Project, files: dict[str, Path], point: str) -> Iterator[str]:
    module, _, function = point.partition(":")
    path = module.replace(".", "/")
    source = next((files[name] for name in (f"{path}.py", f"{path}/__init__.py") if name in files), None)
    top = module.split(".", maxsplit=1)[0]
    if source is not None:
        bound = _bound_names(source)
        if function and bound is not None and not bound & {function.split(".", maxsplit=1)[0], "*", "__getattr__"}:
            yield f"entry point {point}: {source} has no {function}{did_you_mean(function, bound)}"
    elif any(name.startswith((f"{path}/", f"{path}.")) for name in files):  # a namespace, or native code
        return
    elif any(name.startswith((f"{top}/", f"{top}.")) for name in files):
        yield f"entry point {point}: the app's {top} has no module {module}"
    elif project.dependencies is None and top not in sys.stdlib_module_names:
        modules = {name.split("/")[0].removesuffix(".py") for name in files if name.endswith(".py")}
        yield f"entry point {point}: there is no module {top}{did_you_mean(top, modules)}"


def _bound_names(source: Path) -> set[str] | None:
    """Return the names that a module binds at any depth, with ``*`` for a star import; None if it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return {name for node in ast.walk(tree) for name in _names(node)}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".", maxsplit=1)[0] for alias in node.names)
