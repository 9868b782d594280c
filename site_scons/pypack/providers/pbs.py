"""Provider ``pbs``: pinned archives of python-build-standalone, ours and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from pypack import fetch, pins, targets
from pypack.providers import probe, tree
from pypack.providers.base import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.pins import RuntimePin
    from pypack.pipeline import Settings
    from pypack.providers.base import Request


class PbsProvider:
    """CPython out of python-build-standalone's ``install_only`` archives.

    ``user_pins`` stand beside ours and win over them. ``tkinter=False`` leaves out tkinter, Tcl and Tk.
    """

    name = "pbs"

    def __init__(self, user_pins: Iterable[RuntimePin] = (), *, tkinter: bool = True) -> None:
        table = pins.ours(self.name, targets.load())
        own = [pin for pin in user_pins if pin.provider == self.name]
        self._pins, self._default, self._tkinter = pins.merged(own, table.pins), table.default, tkinter

    def refusal(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if self._pick(request):
            return ""
        there = sorted((pin.version for pin in self._of(request)), key=Version)
        asked = f"CPython {request.version} " if request.version else ""
        return f"no {asked}is pinned for {request.target.name} (there is: {', '.join(there) or 'nothing'})"

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say whether the archive is in the download cache, or an address of it answers within three seconds."""
        pin = self._pick(request)
        return pin is not None and probe.reachable(pin.pin, settings)

    def runtime(self, request: Request) -> Runtime:
        """Describe fetch, extract and patch of the pinned archive."""
        found = self._pick(request)
        if found is None:
            raise ValueError(self.refusal(request))
        target, pin = request.target, found.pin
        place = f"runtime/{target.name}/{self.name}-{found.version}-{pin.sha256[:8]}"
        name = f"{place}/runtime"
        whole = tree.extract(f"{name}.archive.tar", fetch.step(pin), under="python")
        image = tree.patch(f"{name}.tar", whole, target, found.version, tkinter=self._tkinter)
        return Runtime(
            provider=self.name,
            version=found.version,
            place=place,
            image=image,
            dev=tree.dev(f"{name}.dev.tar", whole, target, found.version),
            notes=tree.notes(target),
            pins=(pin,),
        )

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
