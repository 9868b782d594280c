"""Chooses the provider of a runtime: the named one, else the first of the target's row that can serve."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import records, targets
from pypack.base.notes import Note
from pypack.download import pins, urls
from pypack.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeGuard

    from pypack.download.pins import RuntimePin
    from pypack.runtimes.base import Provider, Request, Runtime
    from pypack.runtimes.pinned import PinnedProvider
    from pypack.steps.step import Settings

AUTO = "auto"
_PROVIDERS = {"pbs": "PbsProvider", "embed": "EmbedProvider", "host": "HostProvider", "source": "SourceProvider"}
"""Class of each provider, by the name of the provider and of its module."""
_PINNED = {"pbs", "embed"}
_DOCS = "docs/pins.md"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".zip")


def choose(
    request: Request,
    choice: str,
    *,
    settings: Settings,
    record: Path,
    user_pins: object = None,
    base: Path | None = None,
    decided_by: str = "",
) -> Runtime:
    """Return the runtime that serves ``request``; ``decided_by`` says what asks for its version, for the message.

    ``choice`` is ``auto``, a provider's name, or the path or address of a runtime. What ``auto`` decides is kept in the
    JSON file ``record`` (one entry for each target and version asked for) until that file is removed or the provider
    no longer serves. ``user_pins`` is the raw value of ``[tool.pypack] pins``, ``base`` the folder
    that relative paths in it count from. Raises :class:`InputError` with each provider's reason when there is none.
    """
    runtime_pins = pins.of_user(user_pins, targets=targets.load(), where="pyproject.toml", base=base or Path.cwd())
    table = providers(runtime_pins)
    if choice in {AUTO, ""}:
        return _choose_automatically(request, table, settings, record, decided_by)
    if choice in table:
        return _runtime_of(table[choice], request)
    if not is_path_or_url(choice):
        raise unknown("runtime", choice, [AUTO, *table, "or a path or address"])
    from pypack.runtimes.given import GivenProvider

    return _runtime_of(GivenProvider(choice, settings, record.with_name(f"{record.stem}-given.json")), request, choice)


def providers(user_pins: Iterable[RuntimePin] = ()) -> Mapping[str, Provider]:
    """Return all providers by name."""
    return _Providers(user_pins)


class _Providers(Mapping[str, "Provider"]):
    """Creates a provider on first access: a build uses one or two of them."""

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
            kind = getattr(importlib.import_module(f"pypack.runtimes.{name}"), _PROVIDERS[name])
            self._made[name] = kind(self._pins) if name in _PINNED else kind()
        return self._made[name]


def is_path_or_url(choice: str) -> bool:
    """Say whether ``choice`` is a path or an address rather than a provider's name."""
    return any(character in choice for character in "/\\:") or choice.endswith(_ARCHIVES) or urls.path(choice).is_dir()


def _runtime_of(provider: Provider, request: Request, where: str = "") -> Runtime:
    unsupported_reason = provider.unsupported_reason(request)
    if unsupported_reason:
        name = urls.shown(where) if where else provider.name
        raise InputError(
            f"the runtime {name} cannot serve {request.target.name}: {unsupported_reason}",
            hint="ask for another --python or --runtime",
            docs=_DOCS,
        )
    return provider.runtime(request)


def _choose_automatically(
    request: Request, table: Mapping[str, Provider], settings: Settings, record: Path, decided_by: str
) -> Runtime:
    entries, key = records.read(record), f"{request.target.name} {request.wanted}".strip()
    name, _, version = str(entries.get(key)).partition(" ")  # the version where it is not the provider's usual one
    recorded, recorded_request = table.get(name), replace(request, version=version) if version else request
    if (
        recorded is not None
        and recorded.name in request.target.providers
        and not recorded.unsupported_reason(recorded_request)
    ):
        return recorded.runtime(recorded_request)
    provider, reasons = _first_usable(request, table, settings)
    if provider is None:
        raise _no_provider_error(request, reasons, table, settings)
    runtime = provider.runtime(request)
    rejected = "".join(f"; not {name}: {reason}" for name, reason in reasons.items())
    chosen = provider.name
    if usual := _passed_over(provider, request):
        chosen, rejected = f"{chosen} {runtime.version}", f", by your own pin; not {usual}: cannot be reached{rejected}"
    records.write(record, {**entries, key: chosen})
    reason = f" by {decided_by}" if decided_by else ""
    text = f"runtime for {request.target.name}: CPython {runtime.version} from {provider.name}{reason}{rejected}"
    settings.say(Note("runtime", text))
    return runtime


def _passed_over(provider: Provider, request: Request) -> str:
    """Return the version that a provider has usually, where a pin of the user's own is taken instead; else ``""``."""
    return provider.passed_over(request) if _is_pinned(provider) else ""


def _is_pinned(provider: object) -> TypeGuard[PinnedProvider]:
    from pypack.runtimes.pinned import PinnedProvider

    return isinstance(provider, PinnedProvider)


def _first_usable(
    request: Request, table: Mapping[str, Provider], settings: Settings
) -> tuple[Provider | None, dict[str, str]]:
    """Return the first provider of the target's row that can serve, and for each one before it why it cannot."""
    reasons: dict[str, str] = {}
    for name in _order(request):
        provider = table.get(name)
        reasons[name] = "not built yet" if provider is None else provider.unsupported_reason(request)
        if provider is not None and not reasons[name]:
            if provider.reachable(request, settings):
                del reasons[name]
                return provider, reasons
            reasons[name] = _unreachable_reason(settings)
    return None, reasons


def _order(request: Request) -> list[str]:
    """Return the names of the providers of the target's row in the order in which they are asked."""
    return sorted(request.target.providers, key=lambda name: not (request.prefer_host and name == "host"))


def _address(provider: Provider | None, request: Request) -> str:
    """Return the address that did not answer in brackets, or ``""``."""
    address = getattr(provider, "address", None)
    return f" ({address(request)})" if address else ""


def _unreachable_reason(settings: Settings) -> str:
    return "not in the download cache, and the build is offline" if settings.offline else "cannot be reached"


def _no_provider_error(
    request: Request, reasons: Mapping[str, str], table: Mapping[str, Provider], settings: Settings
) -> InputError:
    unreachable = _unreachable_reason(settings)
    addresses = {name: _address(table.get(name), request) for name, reason in reasons.items() if reason == unreachable}
    why = "".join(f"\n  {name}: {reason}{addresses.get(name, '')}" for name, reason in reasons.items())
    others = _versions_to_be_had(request, table, settings)
    listed = f"\nto be had for {request.target.name}: {', '.join(others)}" if others else ""
    ask = "ask for one of these with --python, or " if others else ""
    wanted = f"CPython {request.wanted}".strip()
    return InputError(
        f"no provider has {wanted} for {request.target.name}:{why}{listed}",
        hint=f"{ask}set {urls.MIRROR} to a mirror that has it, or fetch an archive elsewhere and name it with"
        f" --runtime FILE, or with pins of your own ({pins.USER_FILE})",
        docs=_DOCS,
    )


def _versions_to_be_had(request: Request, table: Mapping[str, Provider], settings: Settings) -> list[str]:
    """Return the versions of CPython that the providers of a target's row can serve now, each with its provider."""
    versions: list[str] = []
    for name in request.target.providers:
        provider = table.get(name)
        if _is_pinned(provider):
            versions += [f"{version} ({name})" for version in provider.versions(request.target, settings)]
        elif provider is not None:
            anything = replace(request, version="", python_range="")
            if not provider.unsupported_reason(anything) and provider.reachable(anything, settings):
                versions.append(f"{provider.runtime(anything).version} ({name})")
    return versions
