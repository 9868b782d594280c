"""Two images of one build: what runs, and what is needed to compile and link against it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pypack.images.image import ImageBuilder, read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.images.image import Member
    from pypack.pipeline import Context

_LIBRARY = re.compile(r"lib/libpython[^/]*\.so[^/]*$")
_DEV = re.compile(r"include/|lib/pkgconfig/|lib/[^/]+\.a$|lib/python[0-9.]+/config-[^/]+/|python\.json$")


def runtime(context: Context) -> None:
    """Write the runtime image. Inputs: CPython's whole image, then those of its libraries (for their licences)."""
    whole, *libraries = context.inputs
    minor = context.params["minor"]
    leave_out = [f"lib/python{minor}/{name}" for name in context.params["leave_out"]]
    with ImageBuilder("runtime", folder=context.product.parent) as builder:
        for member, stream in read_image(whole):
            if not is_dev(member.path) and not any(_below(member.path, name) for name in leave_out):
                builder.add_member(member, stream)
        _add(builder, libraries, lambda member: member.path.startswith("share/licenses/"))
        builder.write(context.product)


def dev(context: Context) -> None:
    """Write the dev image. Inputs as for :func:`runtime`."""
    whole, *libraries = context.inputs
    with ImageBuilder("dev", folder=context.product.parent) as builder:
        _add(builder, [whole], lambda member: _of_dev(member.path))
        _add(builder, libraries, lambda _: True)
        described: dict[str, Any] = json.loads(builder.read("python.json"))
        described["sources"] = context.params["sources"]
        builder.replace("python.json", (json.dumps(described, indent=1, sort_keys=True) + "\n").encode())
        builder.write(context.product)


def is_dev(path: str) -> bool:
    """Say whether a member of the whole image is of use only to a compiler."""
    return _DEV.match(path) is not None


def _of_dev(path: str) -> bool:
    # libpython is there for both: what is linked against it, and what runs
    return is_dev(path) or path.startswith("share/licenses/") or _LIBRARY.match(path) is not None


def _add(builder: ImageBuilder, images: list[Path], wanted: Callable[[Member], bool]) -> None:
    for image in images:
        for member, stream in read_image(image):
            if wanted(member):
                builder.add_member(member, stream)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
