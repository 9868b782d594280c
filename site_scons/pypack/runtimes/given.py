"""Provider ``given``: a runtime that the user gives as a folder, an archive or an address."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING

from pypack.download import fetch, urls
from pypack.download.pins import Pin, file_name
from pypack.errors import InputError
from pypack.formats.image import ImageBuilder, add_tree
from pypack.runtimes import given_facts, tree
from pypack.runtimes.base import Runtime
from pypack.steps.step import Context, Settings, Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.runtimes.base import Request
    from pypack.runtimes.given_facts import Facts

_SHA256 = re.compile(r"(?:^|&)sha256=([0-9a-fA-F]{64})(?:&|$)")
_DOCS = "docs/pins.md"


class GivenProvider:
    """A runtime tree of PBS's layout, with or without its leading ``python/``.

    ``where`` is a folder, an archive, or the address of one with its hash (``https://…#sha256=…``). ``memo`` is a JSON
    file that caches the facts about it, so that a second build need not unpack it.
    """

    name = "given"

    def __init__(self, where: str, settings: Settings, memo: Path) -> None:
        self._where, self._settings, self._memo = where, settings, memo

    def unsupported_reason(self, request: Request) -> str:
        """Return why the runtime cannot serve ``request``, in one clause, or ``""``. Fetches an address."""
        facts = self._facts()
        fault = given_facts.mismatch(facts, request.target)
        if fault:
            return fault
        if not request.accepts(facts.version):
            return f"it holds CPython {facts.version}, not {request.wanted}"
        return ""

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Return True: a missing runtime has raised an error by then."""
        del request, settings
        return True

    def runtime(self, request: Request) -> Runtime:
        """Return the runtime with the steps from the archive or folder to its image."""
        facts, target, pin = self._facts(), request.target, self._pin()
        origin = hashlib.sha256(str(pin or urls.path(self._where).absolute()).encode()).hexdigest()[:8]
        output_dir = f"runtime/{target.name}/{self.name}-{facts.version}-{origin}"
        name = f"{output_dir}/runtime"
        archive_image = self._whole(f"{name}.archive.tar", facts, pin)
        patched = tree.patch(f"{name}.tar", archive_image, target, facts.version)
        image, loader = tree.with_loader(patched, target, static=facts.static)
        return Runtime(
            provider=self.name,
            version=facts.version,
            output_dir=output_dir,
            image=image,
            dev=tree.dev(f"{name}.dev.tar", archive_image, target, facts.version) if facts.headers else None,
            static=facts.static,
            loader=loader,
            notes=() if loader else tree.notes(target, static=facts.static),
            pins=(pin,) if pin else (),
            missing_modules=tree.missing_modules(),
        )

    def _whole(self, product: str, facts: Facts, pin: Pin | None) -> Step:
        if pin:
            return tree.extract(product, fetch.step(pin), under=facts.root)
        path = urls.path(self._where).absolute()
        if path.is_dir():
            return _folder_step(product, path / facts.root, facts.content)
        return tree.extract(product, path, under=facts.root)

    def _facts(self) -> Facts:
        pin = self._pin()
        path = fetch.fetch(pin, settings=self._settings) if pin else urls.path(self._where).absolute()
        if not path.exists():
            raise InputError(
                f"the runtime {self._where} does not exist",
                hint="name a provider, a folder, an archive or an address",
                docs=_DOCS,
            )
        return given_facts.find(path, self._memo)

    def _pin(self) -> Pin | None:
        """Return the pin of an address with a hash; None for a path."""
        if urls.kind(self._where) == "local":
            return None
        address, _, fragment = self._where.partition("#")
        match = _SHA256.search(fragment)
        if not match or urls.kind(self._where) != "http":
            raise InputError(
                f"the runtime {urls.shown(self._where)} has no hash to check it by",
                hint=f"add it: {urls.shown(address)}#sha256=<64 hex digits>, as the publisher gives it",
                docs=_DOCS,
            )
        return Pin(file=file_name(address), urls=(address,), sha256=match[1].lower())


def _folder_step(product: str, folder: Path, content: str) -> Step:
    return Step(
        product=product,
        action="gather",
        version=1,
        run=partial(_gather, folder),
        params={"sha256": content},
    )


def _gather(folder: Path, context: Context) -> None:
    with ImageBuilder(folder.name, folder=context.product.parent) as builder:
        add_tree(builder, folder)
        builder.write(context.product)
