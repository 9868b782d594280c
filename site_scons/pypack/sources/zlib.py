"""``libz.so.1`` for wheels: the one library that a musllinux wheel may take from its system besides the C library.

A wheel leaves it out for that (pillow's does), and no musl system stands below a bundle that brings its own loader.
The list is auditwheel's policy for musllinux (PEP 656 itself names none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import zig
from pypack.images.image import ImageBuilder, unpack

if TYPE_CHECKING:
    from pypack.pipeline import Context

NAME = "libz.so.1"


def build(context: Context) -> None:
    """The step's function: link the archive of the library's image. Params: ``zig_target``."""
    with zig.workshop(context.params["zig_target"]) as tool:
        unpack(context.inputs[0], tool.work / "built")
        whole = ("-Wl,--whole-archive", "built/lib/libz.a", "-Wl,--no-whole-archive")
        tool.cc(context, ["-dynamic", "-shared", "-s", f"-Wl,-soname,{NAME}", *whole, "-o", NAME])
        with ImageBuilder("zlib", folder=context.product.parent) as builder:
            builder.add(f"lib/{NAME}", (tool.work / NAME).read_bytes(), executable=True)
            builder.write(context.product)
