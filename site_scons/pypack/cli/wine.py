"""Builds a DLL that every Windows has and an old wine lacks, for our wine prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.base import files, folders
from pypack.steps import zig
from pypack.steps.step import Context, Settings

if TYPE_CHECKING:
    from pathlib import Path

_SYSTEM = "drive_c/windows/system32"
_WARNINGS = ("-Wall", "-Wextra", "-Werror")


def complete(prefix: Path, target: str) -> None:
    """Add the missing DLL to the wine prefix ``prefix``; ``target`` is zig's target for it.

    Rust's standard library gets random bytes from ``bcryptprimitives.dll``. A newer wine has its own.
    Raises :class:`pypack.errors.StepError` if compiling fails.
    """
    dll = prefix / _SYSTEM / "bcryptprimitives.dll"
    if dll.exists() or not dll.parent.is_dir():
        return
    source = folders.data("stubs") / "wine" / "bcryptprimitives.c"
    context = Context(product=dll, inputs=(source,), params={}, settings=Settings())
    with files.replaced(dll) as partial, zig.workshop(target) as tool:  # another process may do the same
        compiled = tool.work / dll.name
        flags = ("-s", "-Os", *_WARNINGS, "-nostdlib", "-shared", "-Wl,--entry=DllMain", "-ladvapi32")
        tool.cc(context, ["-o", compiled, source, *flags], hidden=(source.parent,))
        partial.write_bytes(compiled.read_bytes())
