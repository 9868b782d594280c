"""CPython and its C libraries, built from pinned source archives with zig."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.steps.step import Step


def loader_step(target: Target) -> Step:
    """Return the step of an image of musl's loader for ``target``, and its licence."""
    from pypack.runtimes.cpython import graph, table

    return graph.for_target(table.load(), target).loader()


def loader_path(target: Target) -> str:
    """Return the path of the loader in that image, e.g. ``lib/ld-musl-x86_64.so.1``."""
    from pypack.runtimes.cpython import loader

    return loader.path(target)


def with_loader(image: Step, target: Target, *, zlib: bool = False) -> Step:
    """Return the step that adds the loader to a runtime image, ours or PBS's for musl.

    ``zlib`` also adds the shared library that wheels may need. Its source has one address only, in Debian.
    """
    from pypack.runtimes.cpython import graph, loader, table

    more = [graph.for_target(table.load(), target).zlib()] if zlib else []
    return loader.joined(image, loader_step(target), *more)
