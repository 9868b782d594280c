"""Looks for the modules that a program imports and nothing in its bundle provides."""

from __future__ import annotations

import hashlib
import json
import posixpath
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pypack.base import records
from pypack.bytecode import compiler_image
from pypack.errors import StepError
from pypack.formats.image import list_image
from pypack.project import app, import_graph
from pypack.project.entries import Entry, is_for_tests
from pypack.project.import_graph import Conditions, Import

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pypack.project.program import Project
    from pypack.steps.step import Context

_DOCS = "docs/dependencies.md"
_ALWAYS = {"__main__", "__future__", "test", "sitecustomize", "usercustomize", "pypack"}
_SHOWN = 10
_NAMES = "import sys; print(*sys.stdlib_module_names)"
_VERSION = 2
"""Raise it when the same source gives other imports."""


def check(context: Context, inputs: Mapping[str, Path], deps: Mapping[str, Any]) -> list[str]:
    """Return a warning for each module that a source of the app imports and that nothing provides.

    Raises :class:`StepError` where the program cannot start without it, and for an entry point in a module that is
    nowhere. Params and inputs are those of :func:`pypack.project.bundle_check.run_check`.
    """
    params = context.params
    if not params["scan"]:
        return []
    project: Project = context.unhashed["project"]
    markers, version = params["markers"], str(params["markers"]["python_full_version"])
    conditions = Conditions(
        sys_platform=markers["sys_platform"], os_name=markers["os_name"], platform_system=markers["platform_system"],
        version=tuple(int(part) for part in version.split(".")[:2]),
    )  # fmt: skip
    sources = {file.inside: file.path for file in app.sources(project) if file.inside.endswith((".py", ".pyw"))}
    read = _Sources(sources, conditions, project.entry, context.memory)
    provided = {*_ALWAYS, *_standard_library(inputs.get("compiler"), params, context.memory), *deps.get("modules", ())}
    provided |= {
        member.path.split("/")[1].split(".", 1)[0] for member in list_image(inputs["app"]) if "/" in member.path
    }
    if project.entry.kind == "script":
        beside = posixpath.dirname(project.entry.name)
        provided |= (
            {name.removeprefix(f"{beside}/").split("/")[0].split(".", 1)[0] for name in sources} if beside else set()
        )
    missing = list(_missing(read, provided))
    read.remember()
    needed = set(read.needed()) if missing and not params["lenient"] and not deps.get("site") else set[str]()
    fatal = [row for row in missing if row[1].required and row[0] in needed and not _is_own(row[1], sources)]
    if fatal:
        raise _error(fatal, params["origin"], project.root)
    rows = [f"{inside}:{found.line} imports {found.module}" for inside, found in missing]
    more = [f"and {len(rows) - _SHOWN} more imports"] if len(rows) > _SHOWN else []
    return [f"{row}, and nothing in the bundle provides it" for row in (*rows[:_SHOWN], *more)]


def _missing(sources: _Sources, provided: set[str]) -> Iterator[tuple[str, Import]]:
    """Yield file and import for each module that is not provided, once for each file."""
    for inside in sources.files:
        seen = set[str]()
        is_apart = any(is_for_tests(part) for part in inside.split("/"))
        for found in () if is_apart else sources.imports(inside):
            if found.top in provided or found.top in seen:
                continue
            if found.instead and all(name.split(".", 1)[0] in provided for name in found.instead):
                continue
            seen.add(found.top)
            yield inside, found


def _is_own(found: Import, sources: Iterable[str]) -> bool:
    """Say whether a module has the name of a file or folder of the app, which may add folders to ``sys.path``."""
    return any(found.top in {part.removesuffix(".py") for part in inside.split("/")} for inside in sources)


def _error(missing: list[tuple[str, Import]], origin: str, folder: Path) -> StepError:
    details = "".join(f"\n  {inside}:{found.line} imports {found.module}" for inside, found in missing[:_SHOWN])
    tops = list(dict.fromkeys(found.top for _, found in missing))
    beside = [name for top in tops for name in (f"{top}.py", top) if (folder / name).exists()]
    if beside:  # a script alone, or what is excluded
        hint = f"{', '.join(beside)} is in {folder}: build that folder, or name it with --include"
    else:
        hint = (
            f"name the packages that provide {', '.join(tops)} in {origin or 'a requirements.txt'}, or with -r FILE;"
            " or import in a try, if the program does without"
        )
    return StepError(
        f"the program cannot start without modules that nothing in the bundle provides:{details}", hint=hint, docs=_DOCS
    )


class _Sources:
    """The imports of the app's sources, each read once and remembered by its content."""

    def __init__(self, files: Mapping[str, Path], conditions: Conditions, entry: Entry, memory: Path | None) -> None:
        self.files, self._conditions, self._entry = files, conditions, entry
        self._mains = set(import_graph.entry_files(entry, files)) if entry.kind in {"script", "module"} else set[str]()
        self._memory = memory / "imports.json" if memory else None
        self._known = records.read(self._memory) if self._memory else {}
        self._used: dict[str, Any] = {}

    def imports(self, inside: str) -> list[Import]:
        """Return the imports of a source; none of what is no Python."""
        data, package, is_main = self.files[inside].read_bytes(), import_graph.package_of(inside), inside in self._mains
        about = json.dumps([_VERSION, package, is_main, asdict(self._conditions)], sort_keys=True)
        key = hashlib.sha256(data + about.encode()).hexdigest()
        if key not in self._used and key in self._known:
            self._used[key] = self._known[key]
        if key not in self._used:
            found = import_graph.imports(data, package, self._conditions, is_main=is_main)
            self._used[key] = [asdict(each) for each in found or ()]
        return [Import(**{**row, "instead": tuple(row["instead"])}) for row in self._used[key]]

    def needed(self) -> list[str]:
        """Return the files without which the program cannot start; of several commands none is the program."""
        if self._entry.kind == "scripts":
            return []
        return import_graph.needed_files(
            self._entry, self.files, lambda inside: self.files[inside].read_bytes(), self._conditions
        )

    def remember(self) -> None:
        if self._memory and self._used.keys() != self._known.keys():
            records.write(self._memory, self._used)


def _standard_library(compiler: Path | None, params: Mapping[str, Any], memory: Path | None) -> set[str]:
    """Return the names of the standard library's modules, as the target's minor version has them."""
    if compiler is None:
        return set(sys.stdlib_module_names)
    file, minor = memory / "stdlib.json" if memory else None, params["minor"]
    known = records.read(file) if file else {}
    if minor not in known:
        with compiler_image.interpreter(compiler, params["python"]) as python:
            command = [str(python), "-s", "-S", "-E", "-c", _NAMES]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return set(sys.stdlib_module_names)
        known = {**known, minor: done.stdout.split()}
        if file:
            records.write(file, known)
    return set(known[minor])
