"""Names and passwords for the files of package indexes, found where uv finds them and kept in memory alone.

The order is uv's own ("HTTP credentials" in its documentation): the address, ~/.netrc (which the HTTP library reads
by itself), what ``uv auth login`` has stored, a keyring where one is switched on. A login goes to the index's own
scheme, host and port, and nowhere else.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pypack.packages import requirements, uv_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.fetching.web import Login
    from pypack.packages.inputs import Dependencies

_ADDRESS = re.compile(r"https?://[^\s\"'<>,;]+")
_NAMED = re.compile(r"([A-Za-z0-9._-]+)=(https?://\S+)")
_EXPANDED = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Index:
    """An address that packages come from, with the name and the password that are known for it."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def realm(self) -> tuple[str, str, int | None]:
        """Scheme, host and port: a login is good for these."""
        return _realm(self.url)


def logins(dependencies: Dependencies) -> Login:
    """Return a function from an address to the ``(name, password)`` for it, or None. Nothing is read until then."""

    @cache
    def known() -> tuple[Index, ...]:
        return tuple(_found(dependencies))

    @cache
    def stored(index: Index) -> tuple[str, str] | None:
        return _stored(index) or _keyring(index, dependencies.base)

    def login(url: str) -> tuple[str, str] | None:
        from requests.utils import get_netrc_auth

        fitting = [each for each in known() if each.realm == _realm(url)]
        fitting.sort(key=lambda each: (bool(each.password), _shared(each.url, url)), reverse=True)
        if not fitting:
            return None
        if fitting[0].password:
            return fitting[0].user, fitting[0].password
        return None if get_netrc_auth(url) else next(filter(None, map(stored, fitting)), None)

    return login


def _found(dependencies: Dependencies) -> Iterator[Index]:
    """Yield the indexes that the settings of uv and the program's own files name."""
    variables, tables = uv_settings.variables(), list(uv_settings.tables(dependencies.base))
    texts = [*variables.values(), *_strings(tables), *_own(dependencies)]
    named = {name: url for value in variables.values() for name, url in _NAMED.findall(value)}
    for table in tables:
        rows = [row for row in table.get("index", []) if isinstance(row, dict)]
        named |= {str(row["name"]): str(row["url"]) for row in rows if {"name", "url"} <= row.keys()}
    for name, url in named.items():
        word = re.sub(r"[^A-Z0-9]", "_", name.upper())
        user, password = (os.environ.get(f"UV_INDEX_{word}_{key}", "") for key in ("USERNAME", "PASSWORD"))
        if user or password:
            yield Index(url=_parts(url).url, user=user, password=password)
    for text in texts:
        yield from (_parts(address) for address in _ADDRESS.findall(_EXPANDED.sub(_value, text)))


def _own(dependencies: Dependencies) -> Iterator[str]:
    for each in (dependencies, dependencies.origin):
        if each and each.kind == "requirements":
            yield from (file.read_text(encoding="utf-8", errors="replace") for file in requirements.files(each.file))
        elif each and each.kind in {"pylock", "uv-lock"}:
            yield from re.findall(r"https?://[^/\s\"']+@[^\s\"']+", each.file.read_text(encoding="utf-8"))
        if each:
            yield from each.asked


def _value(found: re.Match[str]) -> str:
    return os.environ.get(found[1], found[0])


def _strings(value: object) -> Iterator[str]:
    """Yield every string in a table of settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _parts(address: str) -> Index:
    """Take name and password out of an address."""
    parts = urlsplit(address)
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    bare = urlunsplit(SplitResult(parts.scheme, host, parts.path, parts.query, ""))
    return Index(url=bare, user=unquote(user), password=unquote(password))


def _realm(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None


def _shared(index: str, url: str) -> int:
    """Count the parts with which both paths begin."""
    pairs = zip(urlsplit(index).path.split("/"), urlsplit(url).path.split("/"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _stored(index: Index) -> tuple[str, str] | None:
    """Return what ``uv auth login`` has stored for the host."""
    import uv

    told = _told([uv.find_uv_bin(), "auth", "dir"])
    try:
        rows: list[dict[str, Any]] = tomllib.loads((Path(told.strip()) / "credentials.toml").read_text("utf-8"))[
            "credential"
        ]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None
    for row in rows:
        user, service = str(row.get("username", "")), str(row.get("service", ""))
        service = service if "://" in service else f"https://{service}"
        fits = _realm(service) == index.realm and urlsplit(index.url).path.startswith(
            urlsplit(service).path.rstrip("/")
        )
        if fits and index.user in {"", user} and row.get("password"):
            return user, str(row["password"])
    return None


def _keyring(index: Index, folder: Path) -> tuple[str, str] | None:
    """Ask the command ``keyring`` as uv does, where its use is switched on."""
    if not _uses_keyring(folder):
        return None
    host = urlsplit(index.url).netloc
    for service in (index.url, host):
        if index.user:
            password = _told(["keyring", "get", service, index.user]).strip("\r\n")
            if password:
                return index.user, password
        else:
            user, _, password = _told(["keyring", "--mode", "creds", "get", service]).strip("\r\n").partition("\n")
            if password:
                return user, password
    return None


def _uses_keyring(folder: Path) -> bool:
    named = os.environ.get("UV_KEYRING_PROVIDER")
    if named is not None:
        return named == "subprocess"
    tables = (each for table in uv_settings.tables(folder) for each in (table, table.get("pip", {})))
    return any(table.get("keyring-provider") == "subprocess" for table in tables)


def _told(command: Iterable[str]) -> str:
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
