"""Returns exactly the runtime that a lock pins: the same provider, version and archive, or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pypack.download import urls
from pypack.errors import InputError
from pypack.runtimes import choose

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.deps.lock_metadata import LockedRuntime
    from pypack.runtimes.base import Request, Runtime
    from pypack.steps.step import Settings

_DOCS = "docs/dependencies.md"
_GIVEN = "given"


def runtime(
    request: Request,
    choice: str,
    pin: LockedRuntime,
    *,
    where: str,
    settings: Settings,
    record: Path,
    user_pins: object = None,
    base: Path | None = None,
) -> Runtime:
    """Return the runtime that ``pin`` names; ``where`` names the file with the pin, for messages.

    ``request`` and ``choice`` (``auto``, a provider, a path or address) are the settings of the program or the
    command; :func:`choose.choose` explains the rest. Raises :class:`InputError` if the pin does not fit the request,
    is no longer available, or has another archive now.
    """
    pin_text = f"{where} pins CPython {pin.version} of {pin.provider} for {request.target.name}"
    automatic = choice in {choose.AUTO, ""}
    is_path = not automatic and choose.is_path_or_url(choice)
    if not request.accepts(pin.version):
        raise _error(f"{pin_text}, and {request.version} is asked for")
    if pin.provider == _GIVEN and not is_path:
        raise _error(f"{pin_text}, which was given by its path or address", hint="name it again (runtime=…)")
    if not automatic and (_GIVEN if is_path else choice) != pin.provider:
        raise _error(f"{pin_text}, and {urls.shown(choice)} is asked for")
    try:
        chosen = choose.choose(
            replace(request, version=pin.version), choice if is_path else pin.provider, settings=settings,
            record=record, user_pins=user_pins, base=base,
        )  # fmt: skip
    except InputError as error:
        raise _error(f"{pin_text}, and that is not to be had: {error.what}") from error
    sha256 = chosen.pins[0].sha256 if chosen.pins else ""
    if pin.sha256 and sha256 != pin.sha256:
        raise _error(
            f"{pin_text}: {pin.file} with sha256 {pin.sha256}, and what is pinned by now has {sha256 or 'none'}"
        )
    return chosen


def _error(what: str, *, hint: str = "run pypack lock, which chooses another one") -> InputError:
    return InputError(what, hint=hint, docs=_DOCS)
