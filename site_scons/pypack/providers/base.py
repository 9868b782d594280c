"""What every provider of runtimes offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pypack.pins import Pin
    from pypack.pipeline import Settings, Step
    from pypack.targets import Target


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
    """A runtime as steps. ``place`` is the folder below ``build/`` for what is made of it, another for each origin.

    ``image`` makes a tar image of PBS's ``install_only`` shape without its leading ``python/``: ``bin/``, ``lib/``, …
    at the root (Windows: ``python.exe``, ``Lib/``, …), at the paths of the target's layout. ``dev`` makes the image
    of headers, libraries and ``python.json``, where the provider can. ``static``: no native wheel can be loaded.
    ``loader`` is the dynamic loader that the image brings along (musl's), ``""`` where the system's own is used.
    ``notes`` are warnings for the person who builds, ``lacks`` the modules of the standard library that it is without.
    """

    provider: str
    version: str
    place: str
    image: Step
    dev: Step | None = None
    static: bool = False
    loader: str = ""
    notes: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return ".".join(self.version.split(".")[:2])


class Provider(Protocol):
    """A place where runtimes come from."""

    name: str

    def refusal(self, request: Request) -> str:
        """Return why this provider cannot serve ``request`` at all, in one clause, or ``""``. No network."""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether what is needed is here already or can be fetched; takes three seconds at most."""

    def runtime(self, request: Request) -> Runtime:
        """Describe the runtime; called only when :meth:`refusal` is empty."""
