"""Make a runtime's libraries find each other wherever the runtime is.

Libraries name each other by the paths of the machine they were made for (``/install/lib/…``,
``/Library/Frameworks/…``). Here every such name becomes one that counts from the file that holds it, and what
changed is signed anew. Libraries of the system (``/usr/lib``, ``/System``) keep their names.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats import paths
from pypack.formats.binaries.reader import container
from pypack.formats.macho import constants as c
from pypack.formats.macho import read
from pypack.formats.macho.rewrite import Changes, Names, names, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypack.formats.image import ImageBuilder

_SYSTEM = ("/usr/lib/", "/System/")
_LOADED = frozenset({c.MH_EXECUTE, c.MH_DYLIB, c.MH_BUNDLE})


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """The Mach-O files of a tree by their path, the places of libraries by install name and by file name."""

    builder: ImageBuilder
    files: dict[str, list[Names]]
    python: str
    libpython: str
    by_own: dict[str, str]
    by_file: dict[str, list[str]]


def fix(builder: ImageBuilder, *, python: str, libpython: str) -> list[str]:
    """Rewrite the names of all libraries in a runtime's tree; return the paths of what changed, sorted.

    ``python`` and ``libpython`` are where the interpreter and its library are. The latter is called
    ``@rpath/libpython3.X.dylib`` afterwards, and the former, if it needs it, looks for it beside itself. Folders of
    other machines are no longer searched. A library that is needed and that neither the tree nor the system has is an
    :class:`ArchiveError`; all of them are told at once.
    """
    tree = _tree(builder, python, libpython)
    faults: list[str] = []
    changes = {path: _changes(tree, path, programs, faults) for path, programs in tree.files.items()}
    if faults:
        details = "\n".join(f"  {fault}" for fault in dict.fromkeys(faults))
        raise ArchiveError(f"libraries are missing from this runtime:\n{details}", hint="use another runtime")
    changed = []
    for path, change in changes.items():
        old = builder.read(path)
        new = _rewritten(path, old, change)
        if new != old:
            builder.replace(path, new)
            changed.append(path)
    return changed


def _tree(builder: ImageBuilder, python: str, libpython: str) -> _Tree:
    files = dict(_files(builder))
    libraries = {path: programs for path, programs in files.items() if programs[0].kind == c.MH_DYLIB}
    by_file: dict[str, list[str]] = {}
    for path in builder.paths():
        real = builder.real(path)
        if real in libraries and real not in by_file.setdefault(posixpath.basename(path), []):
            by_file[posixpath.basename(path)].append(real)
    by_own = {name.own: path for path, programs in libraries.items() for name in programs}
    return _Tree(
        builder=builder, files=files, python=builder.real(python), libpython=builder.real(libpython),
        by_own=by_own, by_file=by_file,
    )  # fmt: skip


def _files(builder: ImageBuilder) -> Iterator[tuple[str, list[Names]]]:
    for path in builder.paths():
        if builder.member(path).kind != "file":
            continue
        data = builder.read(path)
        if container(data[:64]) != "macho":
            continue
        try:
            programs = [program for program in names(data) if program.kind in _LOADED]
        except ArchiveError as error:
            raise read.named(path, error) from error
        if programs:
            yield path, programs


def _changes(tree: _Tree, path: str, programs: list[Names], faults: list[str]) -> Changes:
    needed, install_name, rpaths = {}, "", tuple[str, ...]()
    for program in programs:
        for name in program.needed:
            new = _new_name(tree, path, program, name)
            if new is None and name not in program.optional:
                faults.append(f"{path} needs {name}")
            elif new and new != name:
                needed[name] = new
        if program.own and (path == tree.libpython or _is_foreign(program.own)):
            install_name = f"@rpath/{posixpath.basename(path)}"
    by_rpath = any(needed.get(name, name).startswith("@rpath/") for program in programs for name in program.needed)
    if (
        path == tree.python
        and tree.libpython
        and by_rpath
        and not all(_finds(tree, path, program) for program in programs)
    ):
        rpaths = (f"@executable_path/{_relative(posixpath.dirname(tree.libpython), path)}",)
    dropped = {folder for program in programs for folder in program.rpaths if _is_foreign(f"{folder}/")}
    return Changes(own=install_name, needed=needed, rpaths=rpaths, dropped=frozenset(dropped))


def _new_name(tree: _Tree, path: str, program: Names, name: str) -> str | None:
    """Return what ``path`` shall call the library ``name``: the same if it finds it, None if there is none."""
    if name.startswith(_SYSTEM):
        return name
    executable = program.kind == c.MH_EXECUTE
    if any(tree.builder.real(candidate) for candidate in _places(path, program, name)):
        return name
    candidates = [tree.by_own[name]] if name in tree.by_own else tree.by_file.get(posixpath.basename(name), [])
    if len(candidates) != 1:
        return None
    if executable and path == tree.python and candidates[0] == tree.libpython:
        return f"@rpath/{posixpath.basename(tree.libpython)}"
    return f"@loader_path/{_relative(candidates[0], path)}"


def _places(path: str, program: Names, name: str) -> list[str]:
    """Return where a name leads to, in the tree, without help of the program that loads ``path``."""
    if name.startswith("@rpath/"):
        return [
            posixpath.normpath(posixpath.join(base, name.removeprefix("@rpath/")))
            for folder in program.rpaths
            for base in _places(path, program, f"{folder}/" if not folder.startswith("@rpath/") else "")
        ]
    kinds = ("@loader_path/", "@executable_path/") if program.kind == c.MH_EXECUTE else ("@loader_path/",)
    for kind in kinds:
        if name.startswith(kind):
            return [paths.linked(path, name.removeprefix(kind))]
    return []


def _finds(tree: _Tree, path: str, program: Names) -> bool:
    """Say whether a program looks for ``@rpath`` libraries where libpython is."""
    return tree.libpython in _places(path, program, f"@rpath/{posixpath.basename(tree.libpython)}")


def _is_foreign(name: str) -> bool:
    return name.startswith("/") and not name.startswith(_SYSTEM)


def _relative(target: str, path: str) -> str:
    return posixpath.relpath(target or ".", posixpath.dirname(path) or ".")


def _rewritten(path: str, data: bytes, change: Changes) -> bytes:
    stem = posixpath.basename(path).rsplit(".", 1)[0] or posixpath.basename(path)
    try:
        return rewrite(data, change, identifier=stem)
    except ArchiveError as error:
        raise ArchiveError(
            f"the library names in {path} cannot be changed: {error.what}", hint=error.hint or "use another runtime"
        ) from error
