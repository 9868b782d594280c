"""Names that ``ctypes`` finds in a static program: the C API, and functions of the C library that the table lists."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_THERE = frozenset({"HAVE_FORK", "PY_HAVE_THREAD_NATIVE_ID"})


def write(tree: Path, extra: Iterable[str]) -> None:
    """Write ``static_symbols.h`` for our ``static_symbols.c`` beside it, from CPython's own list of its stable ABI."""
    with (tree / "Misc" / "stable_abi.toml").open("rb") as stream:
        names = sorted({*stable_names(tomllib.load(stream)), *extra})
    lines = "\n".join(f"SYMBOL({name})" for name in names)
    (tree / "Modules" / "_ctypes" / "static_symbols.h").write_text(lines + "\n", encoding="utf-8")


def stable_names(abi: dict[str, Any]) -> list[str]:
    """Return functions and data of the stable ABI that a Linux build without debugging options has."""
    rows = [*abi.get("function", {}).items(), *abi.get("data", {}).items()]
    return [name for name, row in rows if row.get("ifdef", "HAVE_FORK") in _THERE]
