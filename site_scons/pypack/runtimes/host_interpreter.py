"""Describes the interpreter that runs the build, and its files."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base.version import minor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# modules that a CPython usually has, by the extension module that a distribution may omit
_EXPECTED = {
    "_ssl": "ssl", "_sqlite3": "sqlite3", "_ctypes": "ctypes", "_lzma": "lzma", "_bz2": "bz2", "zlib": "zlib",
    "readline": "readline", "_curses": "curses", "_decimal": "decimal", "_uuid": "uuid", "_tkinter": "tkinter",
}  # fmt: skip

_EVERYWHERE = {"__pycache__", "test", "tests"}
_TOP = {"idlelib", "turtledemo", "lib2to3", "site-packages", "dist-packages", "lib-dynload"}
_FILES = {"EXTERNALLY-MANAGED", "sitecustomize.py", "usercustomize.py"}
_SUFFIXES = (".pyc", ".pyo", ".a", ".o")
_TESTING = ("_test", "_xxtest", "xxlimited", "_ctypes_test", "xxsubtype")


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython on this machine. ``prefix`` is where it is installed, also when it runs in a virtual environment.

    ``build_folders`` are the folders it was compiled in, which its files may still mention.
    """

    version: str
    python: Path
    prefix: Path
    stdlib: Path
    dynload: Path
    platlibdir: str
    multiarch: str
    build_folders: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return minor_of(self.version)


def running() -> Interpreter:
    """Describe the interpreter that runs this code."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    variables = sysconfig.get_config_vars("abs_srcdir", "abs_builddir", "MULTIARCH")
    prefix = Path(sys.base_prefix).resolve()
    return Interpreter(
        version=platform.python_version(),
        python=_program(prefix, minor),
        prefix=prefix,
        stdlib=Path(os.__file__).resolve().parent,
        dynload=Path(sys.base_exec_prefix).resolve() / sys.platlibdir / f"python{minor}" / "lib-dynload",
        platlibdir=sys.platlibdir,
        multiarch=variables[2] or "",
        build_folders=tuple(dict.fromkeys(str(folder) for folder in variables[:2] if folder)),
    )


def unsupported_reason() -> str:
    """Return why the running interpreter cannot be copied, in one clause, or ``""``."""
    if sys.implementation.name != "cpython":
        return f"the build runs on {sys.implementation.name}, which is no CPython"
    if sys.abiflags:
        return f"the build runs on a special CPython (ABI flags {sys.abiflags!r})"
    interpreter = running()
    if not (interpreter.stdlib / "encodings").is_dir() or not interpreter.python.is_file():
        return f"the Python below {interpreter.prefix} has no program or no standard library in a folder of its own"
    return ""


def lacking() -> list[str]:
    """Return the usual modules of a CPython that this one does not have."""
    builtin = set(sys.builtin_module_names)
    absent = [name for name in _EXPECTED if name not in builtin and importlib.util.find_spec(name) is None]
    wheels = Path(os.__file__).parent / "ensurepip" / "_bundled"
    return [_EXPECTED[name] for name in absent] + ([] if any(wheels.glob("pip-*.whl")) else ["ensurepip"])


def stdlib_files(interpreter: Interpreter) -> Iterator[tuple[str, Path]]:
    """Yield the files of the standard library that a program may need, as path below the stdlib and source.

    Tests, IDLE, demos, the distribution's own settings and compiled files are skipped. Extension modules
    (``lib-dynload/…``) come last.
    """
    stdlib = str(interpreter.stdlib)
    for folder, names, files in os.walk(stdlib):
        relative = os.path.relpath(folder, stdlib)
        top = relative == "."
        names[:] = sorted(name for name in names if _wanted_folder(name, Path(folder), top=top))
        for name in sorted(files):
            if not name.endswith(_SUFFIXES) and not (top and name in _FILES):
                yield name if top else f"{relative}/{name}", Path(folder, name)
    if interpreter.dynload.is_dir():
        for path in sorted(interpreter.dynload.glob("*.so")):
            if not path.name.startswith(_TESTING):
                yield f"lib-dynload/{path.name}", path


def _wanted_folder(name: str, parent: Path, *, top: bool) -> bool:
    if name in _EVERYWHERE or (top and (name in _TOP or name.startswith("config-"))):
        return False
    # Debian keeps pip's wheels elsewhere and makes ensurepip refuse to work.
    return not (top and name == "ensurepip") or any((parent / name / "_bundled").glob("pip-*.whl"))


def _program(prefix: Path, minor: str) -> Path:
    base = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    beside = prefix / "bin" / f"python{minor}"
    return beside.resolve() if beside.is_file() else base
