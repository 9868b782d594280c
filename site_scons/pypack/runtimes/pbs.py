"""Provider ``pbs``: pinned archives of python-build-standalone, ours and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.download import fetch
from pypack.runtimes import tree
from pypack.runtimes.base import Runtime
from pypack.runtimes.pinned import PinnedProvider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.download.pins import RuntimePin
    from pypack.runtimes.base import Request


class PbsProvider(PinnedProvider):
    """CPython from python-build-standalone's ``install_only`` archives.

    ``user_pins`` override ours. ``tkinter=False`` leaves out tkinter, Tcl and Tk.
    """

    name = "pbs"

    def __init__(self, user_pins: Iterable[RuntimePin] = (), *, tkinter: bool = True) -> None:
        super().__init__(user_pins)
        self._tkinter = tkinter

    def runtime(self, request: Request) -> Runtime:
        """Describe fetch, extract and patch of the pinned archive."""
        runtime_pin, target = self._chosen(request), request.target
        pin = runtime_pin.pin
        output_dir = f"runtime/{target.name}/{self.name}-{runtime_pin.version}-{pin.sha256[:8]}"
        name = f"{output_dir}/runtime"
        archive_image = tree.extract(f"{name}.archive.tar", fetch.step(pin), under="python")
        patched = tree.patch(f"{name}.tar", archive_image, target, runtime_pin.version, tkinter=self._tkinter)
        image, loader = tree.with_loader(patched, target)
        return Runtime(
            provider=self.name,
            version=runtime_pin.version,
            output_dir=output_dir,
            image=image,
            dev=tree.dev(f"{name}.dev.tar", archive_image, target, runtime_pin.version),
            loader=loader,
            notes=() if loader else tree.notes(target),
            pins=(pin,),
            missing_modules=tree.missing_modules(tkinter=self._tkinter),
        )
