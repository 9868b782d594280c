"""Splits a build into two images: the runtime, and the files to compile and link against it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pypack.formats.image import ImageBuilder, read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.formats.image import Member
    from pypack.steps.step import Context

_LIBRARY = re.compile(r"lib/libpython[^/]*\.so[^/]*$")
_DEV = re.compile(r"include/|lib/pkgconfig/|lib/[^/]+\.a$|lib/python[0-9.]+/config-[^/]+/|python\.json$")


def runtime(context: Context) -> None:
    """Write the runtime image. Inputs: CPython's complete image, then those of its libraries (for their licences)."""
    cpython_image, *libraries = context.inputs
    minor = context.params["minor"]
    leave_out = [f"lib/python{minor}/{name}" for name in context.params["leave_out"]]
    with ImageBuilder("runtime", folder=context.product.parent) as builder:
        for member, stream in read_image(cpython_image):
            if not is_dev(member.path) and not any(_is_below(member.path, name) for name in leave_out):
                builder.add_member(member, stream)
        _add_members(builder, libraries, lambda member: member.path.startswith("share/licenses/"))
        builder.write(context.product)


def dev(context: Context) -> None:
    """Write the dev image. Inputs as for :func:`runtime`."""
    cpython_image, *libraries = context.inputs
    with ImageBuilder("dev", folder=context.product.parent) as builder:
        _add_members(builder, [cpython_image], lambda member: _in_dev_image(member.path))
        _add_members(builder, libraries, lambda _: True)
        description: dict[str, Any] = json.loads(builder.read("python.json"))
        description["sources"] = context.params["sources"]
        builder.replace("python.json", (json.dumps(description, indent=1, sort_keys=True) + "\n").encode())
        builder.write(context.product)


def is_dev(path: str) -> bool:
    """Say whether a member of the complete image is useful to a compiler only."""
    return _DEV.match(path) is not None


def _in_dev_image(path: str) -> bool:
    # both images have libpython: one to link against, the other to run
    return is_dev(path) or path.startswith("share/licenses/") or _LIBRARY.match(path) is not None


def _add_members(builder: ImageBuilder, images: list[Path], selects: Callable[[Member], bool]) -> None:
    for image in images:
        for member, stream in read_image(image):
            if selects(member):
                builder.add_member(member, stream)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
