"""Chooses an interpreter of this host that compiles for a target whose own runtime does not start here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import hosts, records, targets
from pypack.base.notes import Note
from pypack.base.version import minor_of
from pypack.download import pins
from pypack.runtimes import choose
from pypack.runtimes.base import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.base.targets import Target
    from pypack.runtimes.base import Provider, Runtime
    from pypack.steps.step import Settings


def compiler(
    version: str, *, settings: Settings, record: Path, user_pins: object = None, base: Path | None = None
) -> tuple[Target, Runtime] | None:
    """Return a runtime that starts on this host and writes bytecode for CPython ``version``, with its target.

    The same full version is preferred, since bytecode may differ in detail within a minor version. None if no
    runtime of the minor version is available. The JSON file ``record`` keeps the choice.
    """
    runtime_pins = pins.of_user(user_pins, targets=targets.load(), where="pyproject.toml", base=base or Path.cwd())
    table, entries = choose.providers(runtime_pins), records.read(record)
    recorded = entries.get(version)
    for target, provider, request in _candidates(version, table):
        choice = f"{target.name} {provider.name} {request.version}"
        if recorded not in {None, choice} or provider.unsupported_reason(request):
            continue
        if recorded is None and not provider.reachable(request, settings):
            continue
        runtime = provider.runtime(request)
        if recorded is None:
            records.write(record, {**entries, version: choice})
            text = f"bytecode for Python {version} is made by CPython {runtime.version} from {provider.name}"
            settings.say(Note("bytecode", text))
        return target, runtime
    if recorded is not None:  # the recorded choice is no longer available
        records.write(record, {key: value for key, value in entries.items() if key != version})
        return compiler(version, settings=settings, record=record, user_pins=user_pins, base=base)
    return None


def _candidates(version: str, table: Mapping[str, Provider]) -> Iterator[tuple[Target, Provider, Request]]:
    """Yield the candidates, best first; the order depends on the host's system and processor alone."""
    rows = targets.load()
    names = [(hosts.target_name(), "pbs"), (hosts.target_name(), "host")]
    if hosts.system() == "linux":
        names.insert(1, (f"linux-musl-{hosts.arch()}", "source"))
    for wanted_version in (version, minor_of(version)):
        for name, provider in names:
            if name in rows and provider in table:
                yield rows[name], table[provider], Request(target=rows[name], version=wanted_version)
