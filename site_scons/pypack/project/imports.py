"""Which modules an app's own sources import, and which of them its Python lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pypack.base import records
from pypack.project import app, import_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime

_NAMED = rb"[\w.]+(?:[ \t]+as[ \t]+\w+)?"
_LINE = re.compile(
    rb"(?m)^[ \t]*(?:import[ \t]+(%b(?:[ \t]*,[ \t]*%b)*)[ \t]*(?:[#;].*)?\r?$|from[ \t]+(\w[\w.]*)[ \t]+import\b)"
    % (_NAMED, _NAMED)
)


def modules(project: Project, *, among: Iterable[str] = ()) -> set[str]:
    """Return the names of the top-level modules that the app's own sources import.

    Optional imports (``try: … except ImportError``) and those for type checkers do not count, nor do modules of the app
    itself. ``among`` limits the result to some names, and is faster: only files that contain one of them are parsed. If
    a file cannot be parsed (it may need a newer Python), every import line counts.
    """
    names = set(among)
    word = re.compile(rb"\b(?:%s)\b" % b"|".join(sorted(re.escape(name.encode()) for name in names))) if names else None
    imported, app_modules = set[str](), set[str]()
    for file in app.sources(project):
        app_modules.add(file.inside.split("/", 1)[0].split(".", 1)[0])
        if file.inside.endswith((".py", ".pyw")):
            imported.update(_file_imports(file.path, word))
    return (imported & names if names else imported) - app_modules


def missing_modules(project: Project, runtime: Runtime, *, files: str, memory: Path) -> tuple[str, ...]:
    """Return the modules that the app imports and ``runtime`` lacks, sorted.

    ``files`` is the app's digest; the JSON file ``memory`` caches the result for it.
    """
    if not runtime.missing_modules:
        return ()
    results = {key: value for key, value in records.read(memory).items() if key.startswith(f"{files} ")}
    key = f"{files} {' '.join(runtime.missing_modules)}"
    if key not in results:
        results[key] = sorted(modules(project, among=runtime.missing_modules))
        records.write(memory, results)
    return tuple(results[key])


def _file_imports(path: Path, word: re.Pattern[bytes] | None) -> set[str]:
    if path.stat().st_size > import_graph.LARGEST:
        return set()
    data = path.read_bytes()
    if word and not word.search(data):
        return set()
    found = import_graph.imports(data, "", None, is_main=True)
    return set(_imported_names_of_lines(data)) if found is None else {each.top for each in found}


def _imported_names_of_lines(data: bytes) -> Iterator[str]:
    """Yield the modules that lines of a source import, at any depth and in any context."""
    for match in _LINE.finditer(data):
        for name in (match[1] or match[2]).split(b","):
            yield name.split()[0].split(b".", 1)[0].decode("utf-8", "replace")
