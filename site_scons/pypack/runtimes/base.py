"""What every provider of runtimes offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pypack.base.version import minor_of

if TYPE_CHECKING:
    from pypack.base.notes import Note
    from pypack.base.targets import Target
    from pypack.download.pins import Pin
    from pypack.steps.step import Settings, Step


@dataclass(frozen=True, kw_only=True)
class Request:
    """A runtime that somebody wants: ``version`` is ``3.13``, ``3.13.5`` or ``""`` (the provider's own).

    ``python_range`` is a specifier that a version must fit if none is asked for, e.g. ``>=3.12``. ``native``: it must
    load native extension modules, which a static one cannot. ``prefer_host``: this machine's own Python is asked first.
    """

    target: Target
    version: str = ""
    python_range: str = ""
    native: bool = False
    prefer_host: bool = False

    def accepts(self, version: str) -> bool:
        """Say whether the full ``version`` (``3.13.5``) is one that was asked for."""
        if self.version:
            return version == self.version or version.startswith(f"{self.version}.")
        return not self.python_range or _is_in(version, self.python_range)

    @property
    def wanted(self) -> str:
        """The version or the range that is asked for, for messages; ``""`` where any version will do."""
        return self.version or self.python_range


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime as steps.

    ``output_dir`` is the folder of its products below ``.pypack/``; runtimes of different origins have different ones.

    ``image`` makes a tar image of PBS's ``install_only`` shape without its leading ``python/``: ``bin/``, ``lib/``, …
    at the root (Windows: ``python.exe``, ``Lib/``, …), at the paths of the target's layout. ``dev`` makes the image
    of headers, libraries and ``python.json``, where the provider can. ``static``: no native wheel can be loaded.
    ``loader`` is the dynamic loader that the image brings along (musl's), ``""`` where the system's own is used.
    ``notes`` are warnings for the person who builds, ``missing_modules`` what of the standard library it is without.
    ``floor`` is the glibc that it needs where that is more than its target's floor.
    """

    provider: str
    version: str
    output_dir: str
    image: Step
    dev: Step | None = None
    static: bool = False
    loader: str = ""
    notes: tuple[Note, ...] = ()
    pins: tuple[Pin, ...] = ()
    missing_modules: tuple[str, ...] = ()
    floor: str = ""

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return minor_of(self.version)


def _is_in(version: str, python_range: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(python_range).contains(version, prereleases=True)
    except InvalidSpecifier:  # refused by the check of requires-python, which names the file
        return True


class Provider(Protocol):
    """A source of runtimes."""

    name: str

    def unsupported_reason(self, request: Request) -> str:
        """Return why this provider cannot serve ``request`` at all, in one clause, or ``""``. No network."""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether all archives are cached or can be fetched; takes three seconds at most."""

    def runtime(self, request: Request) -> Runtime:
        """Return the runtime as steps; called only if :meth:`unsupported_reason` is empty."""
