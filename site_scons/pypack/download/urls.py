"""Classify addresses, find a file on a mirror, and make addresses fit for messages."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pypack.errors import InputError

if TYPE_CHECKING:
    from pypack.download.pins import Pin

Kind = Literal["http", "local", "debian", "pypi", "git"]

MIRROR = "PYPACK_MIRROR"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_COMMIT = re.compile(r"git\+(?!-)\S+@([0-9a-f]{40}|[0-9a-f]{64})")
_IN_TEXT = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def kind(address: str) -> Kind:
    """Return what sort of address this is; a word without a scheme (or a drive letter) is a plain path."""
    match = _SCHEME.match(address)
    scheme = match[1].lower() if match else ""
    if scheme in {"http", "https"} and _is_whole(address):
        return "http"
    if scheme in {"", "file"} and not address.startswith("git+"):
        return "local"
    if scheme == "debian":
        return "debian"
    if scheme == "pypi":
        return "pypi"
    if _COMMIT.fullmatch(address):
        return "git"
    raise InputError(
        f"pypack cannot fetch from the address {shown(address)}",
        hint="use https:, http:, file:, a plain path, debian:SUITE/PACKAGE or pypi:NAME==VERSION",
        docs="docs/pins.md",
    )


def _is_whole(address: str) -> bool:
    try:
        return bool(urlsplit(address).hostname)
    except ValueError:
        return False


def path(address: str) -> Path:
    """Return the path that a ``file:`` address or a plain path means."""
    if address[:5].lower() != "file:":
        return Path(address).expanduser()
    parts = urlsplit(address)
    host = "" if parts.netloc in {"", "localhost"} else f"//{parts.netloc}"
    from urllib.request import url2pathname  # 15 ms, and few addresses are of this machine

    return Path(url2pathname(host + parts.path))


def mirrored(pin: Pin) -> list[str]:
    """Return where the mirror ``$PYPACK_MIRROR`` would have the file: under its name, else under its hash."""
    base = os.environ.get(MIRROR, "").strip().rstrip("/")
    if not base:
        return []
    plain = kind(base) == "local" and base[:5].lower() != "file:"
    return [f"{base}/{pin.file if plain else quote(pin.file)}", f"{base}/sha256/{pin.sha256}"]


def host(address: str) -> str:
    """Return host and port of an address, e.g. ``example.org:8080``; ``""`` for a path."""
    return urlsplit(address).netloc.rsplit("@", 1)[-1] if kind(address) == "http" else ""


def shown(address: str) -> str:
    """Return the address without user, password, query and fragment, fit for a message."""
    if "://" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{address.split(':', 1)[0]}://…"
    netloc = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, netloc, parts.path, "…" if parts.query else "", ""))


def cleaned(text: str) -> str:
    """Return ``text`` with every address in it as :func:`shown` gives it."""
    return _IN_TEXT.sub(lambda match: shown(match[0]), text)
