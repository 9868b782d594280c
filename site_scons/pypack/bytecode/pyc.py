"""Paths of bytecode, and the modules that Python imports before ``site``. Reads no files."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = ("__init__", "aliases", "ascii", "cp1252", "latin_1", "mbcs", "utf_8")


def tag(minor: str) -> str:
    """Return CPython's cache tag for a minor version: ``cpython-313`` for ``3.13``."""
    return f"cpython-{minor.replace('.', '')}"


def cache_path(source: str, minor: str, optimize: int = 0) -> str:
    """Return where the import system looks for the bytecode of ``source`` (PEP 3147, PEP 488)."""
    folder, name = posixpath.split(source)
    level = f".opt-{optimize}" if optimize else ""
    return posixpath.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{tag(minor)}{level}.pyc")


FROZEN_SINCE_3_11 = (
    "stat.py", "posixpath.py", "ntpath.py", "genericpath.py", "_collections_abc.py", "site.py", "_sitebuiltins.py",
)  # fmt: skip
"""Modules that CPython before 3.11 imports from files at each start."""


def before_site(stdlib: str) -> Iterator[str]:
    """Yield the sources that Python may import from files before ``site`` runs.

    Child processes of a program that was built with ``optimize`` run without it. They must find bytecode for these
    modules, since only ``site`` disables writing bytecode into the layer.
    """
    yield from (f"{stdlib}/encodings/{name}.py" for name in _START)
    yield from (f"{stdlib}/{name}.py" for name in ("abc", "codecs", "io", "os"))
    yield from (f"{stdlib}/{name}" for name in FROZEN_SINCE_3_11)
