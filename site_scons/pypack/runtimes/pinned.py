"""Base of the providers of pinned archives: picks the pin for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from pypack.base import targets
from pypack.download import pins, urls
from pypack.runtimes import probe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.base.targets import Target
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
        self._reached: dict[tuple[str, ...], RuntimePin] = {}

    def unsupported_reason(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if self._pick(request):
            return ""
        versions = sorted((pin.version for pin in self._of(request)), key=Version)
        version = f" {request.wanted}" if request.wanted else ""
        return f"no CPython{version} is pinned for {request.target.name} (there is: {', '.join(versions) or 'nothing'})"

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether the archive is in the download cache, or an address of it answers within three seconds.

        Where it is one of ours that cannot be had, the newest of the user's own that fits is taken instead.
        """
        pin = self._pick(request)
        if pin is None or probe.reachable(pin.pin, settings):
            return pin is not None
        own_pins = [own for own in self._of(request) if own.own and own != pin and request.accepts(own.version)]
        for own in sorted(own_pins, key=lambda own: Version(own.version), reverse=True):
            if probe.reachable(own.pin, settings):
                self._reached[_key(request)] = own
                return True
        return False

    def passed_over(self, request: Request) -> str:
        """Return the version of the usual pin, where :meth:`reachable` has taken another; else ``""``."""
        usual = self._usual(request)
        return usual.version if usual and _key(request) in self._reached else ""

    def versions(self, target: Target, settings: Settings) -> list[str]:
        """Return the versions for a target whose archives can be had, in order."""
        pins_of_target = [pin for pin in self._pins if pin.target == target.name]
        reachable = [pin.version for pin in pins_of_target if probe.reachable(pin.pin, settings)]
        return sorted(set(reachable), key=Version)

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
        """Return the pin that :meth:`reachable` has taken instead of the usual one, else that."""
        return self._reached.get(_key(request)) or self._usual(request)

    def _usual(self, request: Request) -> RuntimePin | None:
        """Return the newest matching pin; without a version, the user's pins and then our default minor version win."""
        fitting = [pin for pin in self._of(request) if request.accepts(pin.version)]
        candidates = [pin for pin in fitting if not Version(pin.version).is_prerelease] or fitting
        if not request.version:
            own_pins = [pin for pin in candidates if pin.own]
            default_pins = [pin for pin in candidates if pin.version.startswith(f"{self._default}.")]
            candidates = own_pins or default_pins or candidates
        return max(candidates, key=lambda pin: Version(pin.version), default=None)


def _key(request: Request) -> tuple[str, ...]:
    return request.target.name, request.version, request.python_range
