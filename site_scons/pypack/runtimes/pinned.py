"""Base of the providers of pinned archives: picks the pin for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from pypack.base import targets
from pypack.download import pins, urls
from pypack.runtimes import probe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.download.pins import RuntimePin
    from pypack.runtimes.base import Request
    from pypack.steps.step import Settings


class PinnedProvider:
    """Runtimes from pinned archives: those of ``runtimes/pins/<name>.toml``, and the user's own, which win."""

    name: str

    def __init__(self, user_pins: Iterable[RuntimePin] = ()) -> None:
        table = pins.ours(self.name, targets.load())
        own_pins = [pin for pin in user_pins if pin.provider == self.name]
        self._pins, self._default = pins.merged(own_pins, table.pins), table.default

    def unsupported_reason(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if self._pick(request):
            return ""
        versions = sorted((pin.version for pin in self._of(request)), key=Version)
        version = f" {request.version}" if request.version else ""
        return f"no CPython{version} is pinned for {request.target.name} (there is: {', '.join(versions) or 'nothing'})"

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether the archive is in the download cache, or an address of it answers within three seconds."""
        pin = self._pick(request)
        return pin is not None and probe.reachable(pin.pin, settings)

    def address(self, request: Request) -> str:
        """Return the first address of the archive, without credentials."""
        return urls.shown(self._chosen(request).pin.urls[0])

    def _chosen(self, request: Request) -> RuntimePin:
        pin = self._pick(request)
        if pin is None:
            raise ValueError(self.unsupported_reason(request))
        return pin

    def _of(self, request: Request) -> list[RuntimePin]:
        return [pin for pin in self._pins if pin.target == request.target.name]

    def _pick(self, request: Request) -> RuntimePin | None:
        """Return the newest matching pin; without a version, the user's pins and then our default minor version win."""
        candidates = [pin for pin in self._of(request) if request.accepts(pin.version)]
        if not request.version:
            own_pins = [pin for pin in candidates if pin.own]
            default_pins = [pin for pin in candidates if pin.version.startswith(f"{self._default}.")]
            candidates = own_pins or default_pins or candidates
        return max(candidates, key=lambda pin: Version(pin.version), default=None)
