"""Which interpreter of this host compiles Python for a target whose own runtime does not start here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pypack import hosts, pins, records, targets
from pypack.providers import choose
from pypack.providers.base import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.pipeline import Settings
    from pypack.providers.base import Provider, Runtime
    from pypack.targets import Target


def compiler(
    version: str, *, settings: Settings, record: Path, user_pins: object = None, base: Path | None = None
) -> tuple[Target, Runtime] | None:
    """Return a runtime that starts on this host and writes bytecode for CPython ``version``, with its target.

    One of the very same version comes first, since bytecode may differ in detail between two of a minor version; None
    where there is none of the minor version either. What was decided is kept in the JSON file ``record``.
    """
    own = pins.of_user(user_pins, targets=targets.load(), where="pyproject.toml", base=base or Path.cwd())
    table, entries = choose.providers(own), records.read(record)
    kept = entries.get(version)
    for target, provider, request in _candidates(version, table):
        word = f"{target.name} {provider.name} {request.version}"
        if kept not in {None, word} or provider.refusal(request):
            continue
        if kept is None and not provider.reachable(request, settings):
            continue
        found = provider.runtime(request)
        if kept is None:
            records.write(record, {**entries, version: word})
            settings.say(f"  bytecode for Python {version} is made by CPython {found.version} from {provider.name}")
        return target, found
    if kept is not None:  # what was decided is gone
        records.write(record, {key: value for key, value in entries.items() if key != version})
        return compiler(version, settings=settings, record=record, user_pins=user_pins, base=base)
    return None


def _candidates(version: str, table: Mapping[str, Provider]) -> Iterator[tuple[Target, Provider, Request]]:
    """Yield what may serve, best first: the same on every host of a kind, whatever else is being built."""
    rows = targets.load()
    names = [(hosts.target_name(), "pbs"), (hosts.target_name(), "host")]
    if hosts.system() == "linux":
        names.insert(1, (f"linux-musl-{hosts.arch()}", "source"))
    for wanted in (version, ".".join(version.split(".")[:2])):
        for name, provider in names:
            if name in rows and provider in table:
                yield rows[name], table[provider], Request(target=rows[name], version=wanted)
