"""The provider that builds CPython from source archives with zig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.base import hosts
from pypack.base.notes import Note
from pypack.runtimes import cpython, probe
from pypack.runtimes.base import Runtime
from pypack.runtimes.cpython import graph, table

if TYPE_CHECKING:
    from pypack.download.pins import Pin
    from pypack.runtimes.base import Request
    from pypack.runtimes.cpython.table import Table, Variant
    from pypack.steps.step import Settings

_STATIC = Note(
    "runtime-static", "this Python is static: it runs on any Linux without a C library, and can load no native wheel"
)
_HOSTS = ("x86_64", "aarch64")


class SourceProvider:
    """CPython and its C libraries from pinned source archives."""

    name = "source"

    def unsupported_reason(self, request: Request) -> str:
        """Return why ``request`` cannot be built from source, in one clause, or ``""``."""
        sources = table.load()
        if _variant(sources, request) is None:
            return f"{request.target.name} cannot be built from source (only {', '.join(sources.variants)})"
        if not request.accepts(sources.cpython.version):
            return f"the pinned source is CPython {sources.cpython.version}, not {request.wanted}"
        if hosts.system() != "linux" or hosts.arch() not in _HOSTS:
            return (
                f"it is built on Linux {' or '.join(_HOSTS)} only, because the sources' own build scripts run programs"
                f" that they have made for Linux; this machine is {hosts.system()} {hosts.arch()}"
            )
        return ""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether every archive is cached or has an address that answers."""
        sources = table.load()
        return all(probe.reachable(pin, settings) for pin in self.pins(sources, _variant(sources, request)))

    def runtime(self, request: Request) -> Runtime:
        """Describe the runtime: one step for each archive and library, CPython, runtime image, dev image."""
        sources = table.load()
        variant = _variant(sources, request)
        if variant is None:
            raise ValueError(self.unsupported_reason(request))
        image, dev = graph.for_target(sources, request.target, variant.kind).images()
        suffix = "" if variant.usual else f"-{variant.kind}"
        bundled = _has_loader(variant)
        left_out = ", ".join(sources.cpython.recipe["leave_out"])
        static = variant.kind == "static"
        return Runtime(
            provider=self.name,
            version=sources.cpython.version,
            output_dir=f"runtime/{request.target.name}/{self.name}-{sources.cpython.version}{suffix}",
            image=cpython.with_loader(image, request.target, zlib=True) if bundled else image,
            dev=dev,
            static=static,
            loader=cpython.loader_path(request.target) if bundled else "",
            notes=(*([_STATIC] if static else []), Note("runtime-modules", f"this Python comes without {left_out}")),
            pins=self.pins(sources, variant),
            missing_modules=tuple(sorted(name.removesuffix(".py") for name in sources.cpython.recipe["leave_out"])),
        )

    @staticmethod
    def pins(sources: Table, variant: Variant | None = None) -> tuple[Pin, ...]:
        """Return the pins of all archives that the build fetches."""
        archives = [sources.cpython, *sources.order()]
        if sources.loader and variant and _has_loader(variant):
            archives.append(sources.loader)
        return tuple(source.pin for source in archives)


def _variant(sources: Table, request: Request) -> Variant | None:
    """Return the variant for a request: native wheels need a shared build, anything else the usual one."""
    return sources.variant(request.target.name, "shared" if request.native else None)


def _has_loader(variant: Variant) -> bool:
    """Say whether the bundle includes a loader: a static Python needs none, and glibc's belongs to the system."""
    return variant.kind == "shared" and "-musl-" in variant.target
