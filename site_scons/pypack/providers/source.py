"""The provider that builds CPython from source archives with zig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import hosts
from pypack.providers import probe
from pypack.providers.base import Runtime
from pypack.sources import table
from pypack.sources.graph import Graph

if TYPE_CHECKING:
    from pypack.pins import Pin
    from pypack.pipeline import Settings
    from pypack.providers.base import Request
    from pypack.sources.table import Table

_STATIC = "this Python is static: it runs on any Linux without a C library, and can load no native wheel"


class SourceProvider:
    """CPython and its C libraries from pinned source archives."""

    name = "source"

    def refusal(self, request: Request) -> str:
        """Return why ``request`` cannot be built from source, in one clause, or ``""``."""
        known = table.load()
        if request.target.name not in known.variants:
            built = ", ".join(known.variants)
            return f"{request.target.name} cannot be built from source yet (only {built})"
        if not request.accepts(known.cpython.version):
            return f"the pinned source is CPython {known.cpython.version}, not {request.version}"
        arch = request.target.arch
        if (hosts.system(), hosts.arch()) != ("linux", arch):
            return f"it is built on Linux {arch} only, because the build runs what it makes"
        return ""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether every archive is here or one of its addresses answers."""
        return all(probe.reachable(pin, settings) for pin in self.pins(table.load()))

    def runtime(self, request: Request) -> Runtime:
        """Describe the runtime: one step for each archive and library, CPython, runtime image, dev image."""
        known = table.load()
        variant = known.variants[request.target.name]
        image, dev = Graph(table=known, variant=variant, target=request.target).images()
        left_out = ", ".join(known.cpython.recipe["leave_out"])
        return Runtime(
            provider=self.name,
            version=known.cpython.version,
            place=f"runtime/{request.target.name}/{self.name}-{known.cpython.version}",
            image=image,
            dev=dev,
            static=variant.kind == "static",
            notes=(_STATIC, f"this Python comes without {left_out}"),
            pins=self.pins(known),
        )

    @staticmethod
    def pins(known: Table) -> tuple[Pin, ...]:
        """Return the pins of everything that is fetched."""
        return tuple(source.pin for source in (known.cpython, *known.order()))
