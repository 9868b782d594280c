"""Provider ``pbs``: pinned archives of python-build-standalone, ours and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import fetch
from pypack.providers import tree
from pypack.providers.base import Runtime
from pypack.providers.pinned import PinnedProvider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.pins import RuntimePin
    from pypack.providers.base import Request


class PbsProvider(PinnedProvider):
    """CPython out of python-build-standalone's ``install_only`` archives.

    ``user_pins`` stand beside ours and win over them. ``tkinter=False`` leaves out tkinter, Tcl and Tk.
    """

    name = "pbs"

    def __init__(self, user_pins: Iterable[RuntimePin] = (), *, tkinter: bool = True) -> None:
        super().__init__(user_pins)
        self._tkinter = tkinter

    def runtime(self, request: Request) -> Runtime:
        """Describe fetch, extract and patch of the pinned archive."""
        found, target = self._chosen(request), request.target
        pin = found.pin
        place = f"runtime/{target.name}/{self.name}-{found.version}-{pin.sha256[:8]}"
        name = f"{place}/runtime"
        whole = tree.extract(f"{name}.archive.tar", fetch.step(pin), under="python")
        patched = tree.patch(f"{name}.tar", whole, target, found.version, tkinter=self._tkinter)
        image, loader = tree.with_loader(patched, target)
        return Runtime(
            provider=self.name,
            version=found.version,
            place=place,
            image=image,
            dev=tree.dev(f"{name}.dev.tar", whole, target, found.version),
            loader=loader,
            notes=() if loader else tree.notes(target),
            pins=(pin,),
            lacks=tree.lacks(tkinter=self._tkinter),
        )
