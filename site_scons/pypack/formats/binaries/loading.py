"""Find the native code that a program's Python can load, and the libraries that it needs.

Each file of native code becomes a row of plain values, written as JSON with the other facts of an image. A file
that an ``import`` can reach, by its name and by what it exports, is an extension module; libraries that modules
need are needed too. No import depends on the rest: programs, plugins, libraries that a package opens by itself.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.formats import paths
from pypack.formats.binaries import windows_dlls
from pypack.formats.binaries.model import is_glibc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pypack.base.targets import Target
    from pypack.formats.binaries.model import Binary, Container
    from pypack.formats.binaries.survey import Native, Survey

    Row = Mapping[str, Any]

_MACOS = ("/usr/lib/", "/System/Library/")  # what every Mac has
_CUT: dict[Container, tuple[str, ...]] = {"pe": (".pyd", ".dll"), "macho": (".so", ".dylib"), "elf": ()}
"""By container, names of files that are damaged where nothing can be read: others may look like one by chance."""
_DAMAGED = "it is cut short or damaged"
_BESIDE = (".libs", ".dylibs")  # where auditwheel, delvewheel and delocate put libraries
_GNU_NAMED = (3, 10)
"""The last Python that is called ``-linux-gnu`` with musl too (CPython's issue 87278)."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine that native code must be compiled for; ``libc`` is ``""`` except on Linux."""

    container: Container
    arch: str
    libc: str


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Names of libraries that no layer has: those that an import needs, and those of ``optional`` parts only."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]


def suffixes(target: Target, minor: str, *, static: bool = False) -> tuple[str, ...]:
    """Return the suffixes of extension modules that a Python ``minor`` imports on ``target``.

    These are ``importlib.machinery.EXTENSION_SUFFIXES``; a static Python has none.
    """
    nodot = minor.replace(".", "")
    if static:
        return ()
    if target.container == "pe":
        arch = {"x86_64": "win_amd64", "aarch64": "win_arm64"}.get(target.arch, "win32")
        return (f".cp{nodot}-{arch}.pyd", ".pyd")
    if target.container == "macho":
        return (f".cpython-{nodot}-darwin.so", ".abi3.so", ".so")
    old = tuple(int(part) for part in minor.split(".")[:2]) <= _GNU_NAMED
    libcs = ("gnu", "musl") if target.libc == "musl" and old else (target.libc,)
    return (*(f".cpython-{nodot}-{target.arch}-linux-{libc}.so" for libc in libcs), ".abi3.so", ".so")


def rows(survey: Survey, machine: Machine) -> list[dict[str, Any]]:
    """Return a row for each file of native code, of other machines too.

    ``path``; ``names`` by which others ask for it, its links among them; ``needs``, libraries that not every system
    has; ``folders`` where it looks for them, below the image; ``init``, whether it exports the function that an import
    calls; ``foreign``, why the machine cannot load it, or ``""``; ``floor``, the oldest glibc or macOS that can load
    it, e.g. ``2.17``, or ``""``.
    """
    by_path = {row["path"]: row for native in survey.natives if (row := _row(native, machine))}
    for link in (member for member in survey.members if member.kind == "link"):
        target = paths.linked(link.path, link.link)
        if target in by_path:
            by_path[target]["names"].append(posixpath.basename(link.path))
    return [{**row, "names": sorted({*row["names"]})} for row in by_path.values()]


def _row(native: Native, machine: Machine) -> dict[str, Any] | None:
    """Return the row of a file; None for object files, and for files that only begin like native code."""
    binary, name = native.binary, posixpath.basename(native.path)
    if binary is None and not (native.kind == machine.container and name.lower().endswith(_CUT[native.kind])):
        return None
    if binary is not None and not binary.loadable:
        return None
    names = [name, *([posixpath.basename(binary.soname)] if binary and binary.soname else [])]
    return {
        "path": native.path,
        "names": [name.lower() for name in names] if native.kind == "pe" else names,
        "needs": _needs(binary) if binary else [],
        "folders": list(_folders(native.path, binary)) if binary else [],
        "init": native.init,
        "foreign": foreign(binary, machine) if binary else _DAMAGED,
        "floor": _floor(binary, machine) if binary else "",
    }


def foreign(binary: Binary, machine: Machine) -> str:
    """Say why a machine cannot load a file, in one clause; ``""`` where it can."""
    if binary.container != machine.container:
        return f"it is made for {binary.container} systems"
    if machine.arch not in binary.machines:
        return f"it is made for {'+'.join(binary.machines)}"
    if binary.libc and machine.libc and binary.libc != machine.libc:
        return f"it is linked with {'glibc' if binary.libc == 'gnu' else 'musl'}"
    return ""


def _needs(binary: Binary) -> list[str]:
    if binary.container == "pe":
        return [name for name in binary.needed if not windows_dlls.is_system(name)]
    if binary.container == "macho":
        return [posixpath.basename(name) for name in binary.needed if not name.startswith(_MACOS)]
    return [name for name in binary.needed if not is_glibc(name)]


def _floor(binary: Binary, machine: Machine) -> str:
    """Return the floor of a file. For musl it is no glibc, though wheels' libgcc for it names versions of one."""
    version = None if machine.libc == "musl" else binary.glibc or binary.macos.get(machine.arch)
    return ".".join(map(str, version)) if version else ""


def _folders(path: str, binary: Binary) -> Iterator[str]:
    """Yield the folders of the image in which a loader looks for what a file needs."""
    folder = posixpath.dirname(path)
    yield folder
    for text in (*binary.rpath, *binary.runpath):
        for token in ("$ORIGIN", "${ORIGIN}", "@loader_path"):
            if text == token or text.startswith(f"{token}/"):
                yield posixpath.normpath(posixpath.join(folder, text[len(token) + 1 :]))
    for name in binary.needed if binary.container == "macho" else ():
        if name.startswith("@loader_path/"):
            yield posixpath.normpath(posixpath.join(folder, posixpath.dirname(name[len("@loader_path/") :])))


def is_module(row: Row, endings: Iterable[str], folders: Iterable[str]) -> bool:
    """Say whether an import can reach a file: its name ends in one of ``endings``, and each folder is a package's.

    ``folders`` are folders on ``sys.path``, below the image's root.
    """
    path = row["path"]
    stems = [path.removesuffix(ending) for ending in endings if path.endswith(ending)]
    inside = [stem[len(folder) + 1 :] for stem in stems for folder in folders if stem.startswith(f"{folder}/")]
    reached = any(all(part.isidentifier() for part in stem.split("/")) for stem in inside)
    return reached and (row["init"] or row["foreign"] == _DAMAGED)


def faults(rows: Sequence[Row], runtime: Iterable[Row]) -> list[tuple[str, str]]:
    """Return path and reason of modules among ``rows`` (with the key ``module``) that an import would fail to load.

    Either they are for another machine themselves, or a library that they need is there for another machine only.
    ``runtime`` are the rows of what else there is.
    """
    by_name = _by_name([*rows, *runtime])
    modules = [row for row in rows if row["module"]]
    reasons = {row["path"]: row["foreign"] for row in modules if row["foreign"]}
    for row in _reached(modules, by_name):
        for name in row["needs"]:
            if name not in by_name and (other := _unfit(name, row, rows)):
                reasons[other["path"]] = f"{other['foreign']}, and {posixpath.basename(row['path'])} needs it"
    return sorted(reasons.items())


def floor(rows: Iterable[Row]) -> tuple[str, str]:
    """Return the oldest glibc or macOS that can load all of ``rows``, and the path of one that needs it, or ``""``."""
    usable = [row for row in rows if row["floor"] and not row["foreign"]]
    highest = max(usable, key=lambda row: [int(part) for part in row["floor"].split(".")], default=None)
    return (highest["floor"], highest["path"]) if highest else ("", "")


def loaded(rows: Iterable[Row]) -> set[str]:
    """Return the paths of the modules that can be loaded, and of all that is loaded with them."""
    usable = [row for row in rows if not row["foreign"]]
    return {row["path"] for row in _reached([row for row in usable if row["module"]], _by_name(usable))}


def _unfit(name: str, row: Row, rows: Iterable[Row]) -> Row | None:
    """Return the file of that name that a loader would find although it is for another machine, or None."""
    for other in rows:
        folder = posixpath.dirname(other["path"])
        is_found = folder in row["folders"] or folder.endswith(_BESIDE)
        if is_found and other["foreign"] and name in other["names"]:
            return other
    return None


def expected(rows: Iterable[Row]) -> Expected:
    """Return the libraries that the system must have; ``rows`` are those of all layers, with the key ``module``."""
    usable = [row for row in rows if not row["foreign"]]
    by_name, reached = _by_name(usable), loaded(usable)
    missing = [(row["path"] in reached, name) for row in usable for name in row["needs"] if name not in by_name]
    needed, rest = ({name for by_import, name in missing if by_import is is_needed} for is_needed in (True, False))
    return Expected(needed=tuple(sorted(needed)), optional=tuple(sorted(rest - needed)))


def _by_name(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the files that the machine can load, by each name under which another may ask for them."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        for name in () if row["foreign"] else row["names"]:
            by_name.setdefault(name, []).append(row)
    return by_name


def _reached(first: Iterable[Row], by_name: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the rows of ``first`` that can be loaded, and those of all libraries that they need, transitively."""
    waiting = [row for row in first if not row["foreign"]]
    reached: dict[str, Row] = {}
    while waiting:
        row = waiting.pop()
        if row["path"] not in reached:
            reached[row["path"]] = row
            waiting += [library for name in row["needs"] for library in by_name.get(name, ())]
    return list(reached.values())
