"""What every provider of runtimes offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pypack.base.version import minor_of

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.download.pins import Pin
    from pypack.steps.step import Settings, Step


@dataclass(frozen=True, kw_only=True)
class Request:
    """A runtime that somebody wants: ``version`` is ``3.13``, ``3.13.5`` or ``""`` (the provider's own).

    ``native``: it must load native extension modules, which a static one cannot.
    """

    target: Target
    version: str = ""
    native: bool = False

    def accepts(self, version: str) -> bool:
        """Say whether the full ``version`` (``3.13.5``) is one that was asked for."""
        return not self.version or version == self.version or version.startswith(f"{self.version}.")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime as steps.

    ``output_dir`` is the folder of its products below ``.pypack/``; runtimes of different origins have different ones.

    ``image`` makes a tar image of PBS's ``install_only`` shape without its leading ``python/``: ``bin/``, ``lib/``, …
    at the root (Windows: ``python.exe``, ``Lib/``, …), at the paths of the target's layout. ``dev`` makes the image
    of headers, libraries and ``python.json``, where the provider can. ``static``: no native wheel can be loaded.
    ``loader`` is the dynamic loader that the image brings along (musl's), ``""`` where the system's own is used.
    ``notes`` are warnings for the person who builds, ``missing_modules`` what of the standard library it is without.
    """

    provider: str
    version: str
    output_dir: str
    image: Step
    dev: Step | None = None
    static: bool = False
    loader: str = ""
    notes: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    missing_modules: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return minor_of(self.version)


class Provider(Protocol):
    """A source of runtimes."""

    name: str

    def unsupported_reason(self, request: Request) -> str:
        """Return why this provider cannot serve ``request`` at all, in one clause, or ``""``. No network."""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether all archives are cached or can be fetched; takes three seconds at most."""

    def runtime(self, request: Request) -> Runtime:
        """Return the runtime as steps; called only if :meth:`unsupported_reason` is empty."""
