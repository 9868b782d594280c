"""What the providers of pinned archives have in common: which pin serves a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from pypack import pins, targets
from pypack.fetching import urls
from pypack.providers import probe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.pins import RuntimePin
    from pypack.pipeline import Settings
    from pypack.providers.base import Request


class PinnedProvider:
    """Runtimes out of pinned archives: those of ``runtimes/pins/<name>.toml``, and the user's own, which win."""

    name: str

    def __init__(self, user_pins: Iterable[RuntimePin] = ()) -> None:
        table = pins.ours(self.name, targets.load())
        own = [pin for pin in user_pins if pin.provider == self.name]
        self._pins, self._default = pins.merged(own, table.pins), table.default

    def refusal(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if self._pick(request):
            return ""
        there = sorted((pin.version for pin in self._of(request)), key=Version)
        asked = f" {request.version}" if request.version else ""
        return f"no CPython{asked} is pinned for {request.target.name} (there is: {', '.join(there) or 'nothing'})"

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether the archive is in the download cache, or an address of it answers within three seconds."""
        pin = self._pick(request)
        return pin is not None and probe.reachable(pin.pin, settings)

    def address(self, request: Request) -> str:
        """Return where the archive comes from first, for people."""
        return urls.shown(self._chosen(request).pin.urls[0])

    def _chosen(self, request: Request) -> RuntimePin:
        found = self._pick(request)
        if found is None:
            raise ValueError(self.refusal(request))
        return found

    def _of(self, request: Request) -> list[RuntimePin]:
        return [pin for pin in self._pins if pin.target == request.target.name]

    def _pick(self, request: Request) -> RuntimePin | None:
        """Return the newest pin that serves; without a version the user's own first, then our default minor."""
        fitting = [pin for pin in self._of(request) if request.accepts(pin.version)]
        if not request.version:
            own = [pin for pin in fitting if pin.own]
            usual = [pin for pin in fitting if pin.version.startswith(f"{self._default}.")]
            fitting = own or usual or fitting
        return max(fitting, key=lambda pin: Version(pin.version), default=None)
