"""Where bytecode stands, and which files of a runtime have to do with it: names alone, nothing is read."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.targets import Layout

_START = ("__init__", "aliases", "ascii", "cp1252", "latin_1", "mbcs", "utf_8")


def tag(minor: str) -> str:
    """Return CPython's cache tag for a minor version: ``cpython-313`` for ``3.13``."""
    return f"cpython-{minor.replace('.', '')}"


def cache_path(source: str, minor: str, optimize: int = 0) -> str:
    """Return where the import system looks for the bytecode of ``source`` (PEP 3147, PEP 488)."""
    folder, name = posixpath.split(source)
    level = f".opt-{optimize}" if optimize else ""
    return posixpath.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{tag(minor)}{level}.pyc")


_FROZEN_SINCE_3_11 = (
    "stat.py", "posixpath.py", "ntpath.py", "genericpath.py", "_collections_abc.py", "site.py", "_sitebuiltins.py",
)  # fmt: skip
"""What CPython imports from files at each start before 3.11."""


def before_site(stdlib: str) -> Iterator[str]:
    """Yield the sources that Python imports from files before ``site`` runs, or may.

    A child of a program that was built with ``optimize`` is started without it; it must find bytecode for these, since
    only ``site`` tells it to write none into the layer.
    """
    yield from (f"{stdlib}/encodings/{name}.py" for name in _START)
    yield from (f"{stdlib}/{name}.py" for name in ("abc", "codecs", "io", "os"))
    yield from (f"{stdlib}/{name}" for name in _FROZEN_SINCE_3_11)


_MODULES = ("unicodedata", "_multibytecodec", "_codecs_")
"""Modules with files of their own that compiling may take: names beyond ASCII, sources in East Asian encodings."""


def kit_members(layout: Layout) -> Iterable[str]:
    """Return the beginnings of the paths that an interpreter needs in order to start and compile."""
    stdlib = layout.stdlib
    return (
        layout.python,
        posixpath.dirname(layout.libpython) + "/lib" if "/" in layout.libpython else layout.libpython,
        f"{stdlib}/encodings/",
        *(f"{stdlib}/{name}" for name in _FROZEN_SINCE_3_11),
        f"{stdlib}/os.py",
        f"{stdlib}/codecs.py",
        f"{stdlib}/io.py",
        f"{stdlib}/abc.py",
        *(f"{stdlib}/lib-dynload/{name}" for name in _MODULES),
        # Windows: what python3XX.dll itself needs, and where such modules are
        *(() if "/" in layout.libpython else ("vcruntime", *(f"DLLs/{name}" for name in _MODULES))),
    )
