"""The provider that builds CPython from source archives with zig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import hosts, sources
from pypack.providers import probe
from pypack.providers.base import Runtime
from pypack.sources import graph, table

if TYPE_CHECKING:
    from pypack.pins import Pin
    from pypack.pipeline import Settings
    from pypack.providers.base import Request
    from pypack.sources.table import Table, Variant

_STATIC = "this Python is static: it runs on any Linux without a C library, and can load no native wheel"
_HOSTS = ("x86_64", "aarch64")


class SourceProvider:
    """CPython and its C libraries from pinned source archives."""

    name = "source"

    def refusal(self, request: Request) -> str:
        """Return why ``request`` cannot be built from source, in one clause, or ``""``."""
        known = table.load()
        if _variant(known, request) is None:
            return f"{request.target.name} cannot be built from source (only {', '.join(known.variants)})"
        if not request.accepts(known.cpython.version):
            return f"the pinned source is CPython {known.cpython.version}, not {request.version}"
        if hosts.system() != "linux" or hosts.arch() not in _HOSTS:
            return (
                f"it is built on Linux {' or '.join(_HOSTS)} only, because the sources' own build scripts run programs"
                f" that they have made for Linux; this machine is {hosts.system()} {hosts.arch()}"
            )
        return ""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether every archive is here or one of its addresses answers."""
        known = table.load()
        return all(probe.reachable(pin, settings) for pin in self.pins(known, _variant(known, request)))

    def runtime(self, request: Request) -> Runtime:
        """Describe the runtime: one step for each archive and library, CPython, runtime image, dev image."""
        known = table.load()
        variant = _variant(known, request)
        if variant is None:
            raise ValueError(self.refusal(request))
        image, dev = graph.for_target(known, request.target, variant.kind).images()
        suffix = "" if variant.usual else f"-{variant.kind}"
        bundled = _has_loader(variant)
        left_out = ", ".join(known.cpython.recipe["leave_out"])
        static = variant.kind == "static"
        return Runtime(
            provider=self.name,
            version=known.cpython.version,
            place=f"runtime/{request.target.name}/{self.name}-{known.cpython.version}{suffix}",
            image=sources.with_loader(image, request.target, zlib=True) if bundled else image,
            dev=dev,
            static=static,
            loader=sources.loader_path(request.target) if bundled else "",
            notes=(*([_STATIC] if static else []), f"this Python comes without {left_out}"),
            pins=self.pins(known, variant),
            lacks=tuple(sorted(name.removesuffix(".py") for name in known.cpython.recipe["leave_out"])),
        )

    @staticmethod
    def pins(known: Table, variant: Variant | None = None) -> tuple[Pin, ...]:
        """Return the pins of everything that is fetched."""
        archives = [known.cpython, *known.order()]
        if known.loader and variant and _has_loader(variant):
            archives.append(known.loader)
        return tuple(source.pin for source in archives)


def _variant(known: Table, request: Request) -> Variant | None:
    """Return what serves a request: native wheels take a shared build, anything else the usual one."""
    return known.variant(request.target.name, "shared" if request.native else None)


def _has_loader(variant: Variant) -> bool:
    """Say whether a loader travels along: a static Python needs none, and glibc's belongs to the system."""
    return variant.kind == "shared" and "-musl-" in variant.target
