"""Pins: which file is meant, where it is to be had, and the hash that it must have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One file from outside.

    ``file`` is its name, ``urls`` where it may be fetched, in order (``https:``, ``http:``, ``file:``, a plain
    path, or an address that a resolver of :mod:`pypack.addresses` understands: ``debian:SUITE/PACKAGE``,
    ``pypi:NAME==VERSION``), ``sha256`` is required, ``size`` (bytes) is 0 where it is not known.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str
    size: int = 0
    version: str = ""


def from_row(where: str, row: Mapping[str, Any], faults: list[str]) -> Pin | None:
    """Read one row of a pin file; what is wrong with it is appended to ``faults``."""
    before = len(faults)
    urls = row.get("urls", [row["url"]] if "url" in row else [])
    sha256 = str(row.get("sha256", ""))
    if not urls:
        faults.append(f"{where}: has no address")
    if not _SHA256.fullmatch(sha256):
        faults.append(f"{where}: sha256 must be 64 lower-case hex digits, is {sha256!r}")
    size = row.get("size", 0)
    if not isinstance(size, int) or size < 0:
        faults.append(f"{where}: size must be a number of bytes, is {size!r}")
    if len(faults) != before:
        return None
    file = str(row.get("file") or str(urls[0]).rsplit("/", 1)[-1].replace("%2B", "+"))
    return Pin(file=file, urls=tuple(urls), sha256=sha256, size=size, version=str(row.get("version", "")))


def raise_for(where: str, faults: list[str]) -> None:
    """Report all faults of a pin file at once, if there are any."""
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{where} cannot be used:\n{told}", do="complete the pins", see="docs/pins.md")
