"""CPython and its C libraries, built from pinned source archives with zig."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypack.pipeline import Step
    from pypack.targets import Target


def loader_step(target: Target) -> Step:
    """Return the step of an image that holds nothing but musl's loader for ``target``, and its licence."""
    from pypack.sources import graph, table

    return graph.for_target(table.load(), target).loader()


def loader_path(target: Target) -> str:
    """Return where that image has the loader, e.g. ``lib/ld-musl-x86_64.so.1``."""
    from pypack.sources import loader

    return loader.path(target)


def with_loader(image: Step, target: Target, *, zlib: bool = False) -> Step:
    """Return the step that adds the loader to a runtime image, whoever made that: ours, or PBS's for musl.

    ``zlib``: the library that wheels may ask for comes too. Its source has one address only, in Debian.
    """
    from pypack.sources import graph, loader, table

    more = [graph.for_target(table.load(), target).zlib()] if zlib else []
    return loader.joined(image, loader_step(target), *more)
