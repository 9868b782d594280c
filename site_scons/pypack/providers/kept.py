"""The very runtime that a lock pins: the same provider, version and archive, or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pypack.errors import InputError
from pypack.fetching import urls
from pypack.providers import choose

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.packages.locked import LockedRuntime
    from pypack.pipeline import Settings
    from pypack.providers.base import Request, Runtime

_READ = "docs/dependencies.md"
_GIVEN = "given"


def runtime(
    request: Request,
    wanted: str,
    pin: LockedRuntime,
    *,
    where: str,
    settings: Settings,
    record: Path,
    user_pins: object = None,
    base: Path | None = None,
) -> Runtime:
    """Return the runtime that ``pin`` means; ``where`` is what holds the pin, for people.

    ``request`` and ``wanted`` (``auto``, a provider, a path or address) are what the program or the person who builds
    asks for; :func:`choose.choose` explains the rest. Raises :class:`InputError` when the pin is not what is asked for,
    is gone, or means another archive by now.
    """
    what = f"{where} pins CPython {pin.version} of {pin.provider} for {request.target.name}"
    automatic = wanted in {choose.AUTO, ""}
    place = not automatic and choose.is_place(wanted)
    if not request.accepts(pin.version):
        raise _error(f"{what}, and {request.version} is asked for")
    if pin.provider == _GIVEN and not place:
        raise _error(f"{what}, which was given by its path or address", do="name it again (runtime=…)")
    if not automatic and (_GIVEN if place else wanted) != pin.provider:
        raise _error(f"{what}, and {urls.shown(wanted)} is asked for")
    try:
        found = choose.choose(
            replace(request, version=pin.version), wanted if place else pin.provider, settings=settings, record=record,
            user_pins=user_pins, base=base,
        )  # fmt: skip
    except InputError as error:
        raise _error(f"{what}, and that is not to be had: {error.what}") from error
    now = found.pins[0].sha256 if found.pins else ""
    if pin.sha256 and now != pin.sha256:
        raise _error(f"{what}: {pin.file} with sha256 {pin.sha256}, and what is pinned by now has {now or 'none'}")
    return found


def _error(what: str, *, do: str = "run pypack lock, which chooses another one") -> InputError:
    return InputError(what, do=do, see=_READ)
