"""Tests whether an archive could be fetched, without fetching it and within three seconds."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from pypack.download import fetch, urls, web

if TYPE_CHECKING:
    from pypack.download.pins import Pin
    from pypack.steps.step import Settings

SECONDS = 3.0


def reachable(pin: Pin, settings: Settings) -> bool:
    """Say whether ``pin`` is in the download cache, on this machine, or behind an address that answers.

    Takes three seconds at most, whatever the network does. Answers are remembered while this process lives.
    """
    if fetch.cached(pin):
        return True
    addresses = [*urls.mirrored(pin), *pin.urls]
    if any(urls.kind(address) == "local" and urls.path(address).is_file() for address in addresses):
        return True
    if settings.offline:
        return False
    if any(urls.kind(address) in {"debian", "pypi"} for address in addresses):
        return True  # the index tells, when the file is fetched
    return any_answers(tuple(address for address in addresses if urls.kind(address) == "http"))


def any_answers(addresses: tuple[str, ...]) -> bool:
    """Ask all addresses in parallel; say whether one of them answers with success in time."""
    memory = _memory()
    new = [url for url in addresses if url not in memory.answers and urls.host(url) not in memory.silent]
    replies: queue.SimpleQueue[tuple[str, bool | None]] = queue.SimpleQueue()
    if new:
        import requests  # noqa: F401 - its import can take seconds on a busy machine, which must not count as the address's time
    for address in new:
        # Resolving a name has no timeout, so the thread is abandoned when the time is over
        threading.Thread(target=_ask, args=(address, replies), daemon=True).start()
    until, waiting = time.monotonic() + SECONDS, set(new)
    while waiting and not any(memory.answers.get(url) for url in addresses):
        try:
            address, answer = replies.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        waiting.discard(address)
        memory.note(address, answer)
    else:
        return any(memory.answers.get(url) for url in addresses)
    for address in waiting:
        memory.note(address, None)
    return False


def _ask(address: str, replies: queue.SimpleQueue[tuple[str, bool | None]]) -> None:
    replies.put((address, web.answers(address, seconds=SECONDS)))


@dataclass(frozen=True)
class _Memory:
    """Answers of addresses in this process, and the hosts that did not answer."""

    answers: dict[str, bool] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)

    def note(self, address: str, answer: bool | None) -> None:
        if answer is None:
            self.silent.add(urls.host(address))
        self.answers[address] = bool(answer)


@cache
def _memory() -> _Memory:
    return _Memory()
