"""Which provider a runtime comes from: the one that was named, else the first of the target's row that can serve."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import pins, records, targets
from pypack.errors import InputError, unknown
from pypack.fetching import urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.pins import RuntimePin
    from pypack.pipeline import Settings
    from pypack.providers.base import Provider, Request, Runtime

AUTO = "auto"
_PROVIDERS = {"pbs": "PbsProvider", "embed": "EmbedProvider", "host": "HostProvider", "source": "SourceProvider"}
"""Class of each provider, by the name of the provider and of its module."""
_PINNED = {"pbs", "embed"}
_SEE = "docs/pins.md"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".zip")


def choose(
    request: Request,
    wanted: str,
    *,
    settings: Settings,
    record: Path,
    user_pins: object = None,
    base: Path | None = None,
) -> Runtime:
    """Return the runtime that serves ``request``.

    ``wanted`` is ``auto``, a provider's name, or the path or address of a runtime. What ``auto`` decides is kept in the
    JSON file ``record`` (one entry for each target and version asked for) until that file is removed or the provider
    no longer serves. ``user_pins`` is the value of ``[tool.pypack] pins`` as it stands in the file, ``base`` the folder
    that relative paths in it count from. Raises :class:`InputError` with each provider's reason when there is none.
    """
    own = pins.of_user(user_pins, targets=targets.load(), where="pyproject.toml", base=base or Path.cwd())
    table = providers(own)
    if wanted in {AUTO, ""}:
        return _auto(request, table, settings, record)
    if wanted in table:
        return _served(table[wanted], request)
    if not is_place(wanted):
        raise unknown("runtime", wanted, [AUTO, *table, "or a path or address"])
    from pypack.providers.given import GivenProvider

    return _served(GivenProvider(wanted, settings, record.with_name(f"{record.stem}-given.json")), request, wanted)


def providers(user_pins: Iterable[RuntimePin] = ()) -> Mapping[str, Provider]:
    """Return the providers that exist, by name."""
    return _Providers(user_pins)


class _Providers(Mapping[str, "Provider"]):
    """Makes a provider when it is asked for: a build takes one or two of them."""

    def __init__(self, user_pins: Iterable[RuntimePin]) -> None:
        self._pins = tuple(user_pins)
        self._made: dict[str, Provider] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(_PROVIDERS)

    def __len__(self) -> int:
        return len(_PROVIDERS)

    def __contains__(self, name: object) -> bool:
        return name in _PROVIDERS

    def __getitem__(self, name: str) -> Provider:
        if name not in _PROVIDERS:
            raise KeyError(name)
        if name not in self._made:
            kind = getattr(importlib.import_module(f"pypack.providers.{name}"), _PROVIDERS[name])
            self._made[name] = kind(self._pins) if name in _PINNED else kind()
        return self._made[name]


def is_place(wanted: str) -> bool:
    """Say whether the word is meant as a path or an address rather than a provider's name."""
    return any(sign in wanted for sign in "/\\:") or wanted.endswith(_ARCHIVES) or urls.path(wanted).is_dir()


def _served(provider: Provider, request: Request, where: str = "") -> Runtime:
    refusal = provider.refusal(request)
    if refusal:
        shown = urls.shown(where) if where else provider.name
        raise InputError(
            f"the runtime {shown} cannot serve {request.target.name}: {refusal}",
            do="ask for another --python or --runtime",
            see=_SEE,
        )
    return provider.runtime(request)


def _auto(request: Request, table: Mapping[str, Provider], settings: Settings, record: Path) -> Runtime:
    entries, key = records.read(record), f"{request.target.name} {request.version}".strip()
    kept = table.get(str(entries.get(key)))
    if kept is not None and kept.name in request.target.providers and not kept.refusal(request):
        return kept.runtime(request)
    provider, reasons = _decide(request, table, settings)
    if provider is None:
        raise _none(request, reasons)
    runtime = provider.runtime(request)
    records.write(record, {**entries, key: provider.name})
    why = "".join(f"; not {name}: {reason}" for name, reason in reasons.items())
    settings.say(f"  runtime for {request.target.name}: CPython {runtime.version} from {provider.name}{why}")
    return runtime


def _decide(
    request: Request, table: Mapping[str, Provider], settings: Settings
) -> tuple[Provider | None, dict[str, str]]:
    """Return the first provider of the target's row that can serve, and why those before it cannot."""
    reasons: dict[str, str] = {}
    for name in request.target.providers:
        provider = table.get(name)
        reasons[name] = "not built yet" if provider is None else provider.refusal(request)
        if provider is not None and not reasons[name]:
            if provider.reachable(request, settings):
                del reasons[name]
                return provider, reasons
            reasons[name] = _unreached(settings) + _wanted(provider, request)
    return None, reasons


def _wanted(provider: Provider, request: Request) -> str:
    """Return the address that did not answer, where there is one."""
    address = getattr(provider, "address", None)
    return f" ({address(request)})" if address else ""


def _unreached(settings: Settings) -> str:
    return "not in the download cache, and the build is offline" if settings.offline else "cannot be reached"


def _none(request: Request, reasons: Mapping[str, str]) -> InputError:
    told = "".join(f"\n  {name}: {reason}" for name, reason in reasons.items())
    return InputError(
        f"no provider has CPython{f' {request.version}' if request.version else ''} for {request.target.name}:{told}",
        do=f"set {urls.MIRROR} to a mirror that has it, or fetch an archive elsewhere and name it with --runtime FILE",
        see=_SEE,
    )
