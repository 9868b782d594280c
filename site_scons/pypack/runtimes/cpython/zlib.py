"""``libz.so.1`` for wheels: the only library besides the C library that a musllinux wheel may expect of its system.

Such wheels do not include it (pillow's does not), and a bundle with its own loader does not run on a musl system.
The list of such libraries is auditwheel's policy for musllinux (PEP 656 has none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.formats.image import ImageBuilder, unpack
from pypack.steps import zig

if TYPE_CHECKING:
    from pypack.steps.step import Context

NAME = "libz.so.1"


def build(context: Context) -> None:
    """Step: image of zlib's archive -> image of the shared library. Params: ``zig_target``."""
    with zig.workshop(context.params["zig_target"]) as tool:
        unpack(context.inputs[0], tool.work / "built")
        whole_archive = ("-Wl,--whole-archive", "built/lib/libz.a", "-Wl,--no-whole-archive")
        tool.cc(context, ["-dynamic", "-shared", "-s", f"-Wl,-soname,{NAME}", *whole_archive, "-o", NAME])
        with ImageBuilder("zlib", folder=context.product.parent) as builder:
            builder.add(f"lib/{NAME}", (tool.work / NAME).read_bytes(), executable=True)
            builder.write(context.product)
