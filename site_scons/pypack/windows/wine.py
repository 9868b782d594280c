"""What every Windows has and an old wine lacks, made for the Windows machine that we keep for wine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pypack import folders, zig
from pypack.pipeline import Context, Settings

if TYPE_CHECKING:
    from pathlib import Path

_SYSTEM = "drive_c/windows/system32"
_WARNINGS = ("-Wall", "-Wextra", "-Werror")


def complete(prefix: Path, target: str) -> None:
    """Put into wine's folder ``prefix`` what its system lacks; ``target`` is zig's name for the system's programs.

    It is ``bcryptprimitives.dll``, which Rust's standard library asks for random bytes. A newer wine has its own.
    A compiler that fails is a :class:`pypack.errors.StepError`.
    """
    place = prefix / _SYSTEM / "bcryptprimitives.dll"
    if place.exists() or not place.parent.is_dir():
        return
    part = place.with_name(f"{place.name}.{os.getpid()}")  # others may do the same at once
    source = folders.data("stubs") / "wine" / "bcryptprimitives.c"
    context = Context(product=part, inputs=(source,), extra=(), params={}, settings=Settings())
    with zig.workshop(target) as tool:
        made = tool.work / place.name
        words = ("-s", "-Os", *_WARNINGS, "-nostdlib", "-shared", "-Wl,--entry=DllMain", "-ladvapi32")
        tool.cc(context, ["-o", made, source, *words], hidden=(source.parent,))
        part.write_bytes(made.read_bytes())
    part.replace(place)
