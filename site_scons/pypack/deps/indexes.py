"""Logins for the files of package indexes, read where uv reads them and kept in memory only.

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

from pypack.deps import requirements, uv_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.deps.inputs import Dependencies
    from pypack.download.web import Login

_ADDRESS = re.compile(r"https?://[^\s\"'<>,;]+")
_NAMED = re.compile(r"([A-Za-z0-9._-]+)=(https?://\S+)")
_EXPANDED = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Index:
    """The address of a package index, with its user name and password where they are known."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def realm(self) -> tuple[str, str, int | None]:
        """Scheme, host and port, for which a login is valid."""
        return _realm(self.url)


def logins(dependencies: Dependencies) -> Login:
    """Return a function from an address to its ``(name, password)`` or None; settings are read at its first call."""

    @cache
    def known() -> tuple[Index, ...]:
        return tuple(_configured_indexes(dependencies))

    @cache
    def stored(index: Index) -> tuple[str, str] | None:
        return _read_stored_login(index) or _ask_keyring(index, dependencies.base)

    def login(url: str) -> tuple[str, str] | None:
        from requests.utils import get_netrc_auth

        candidates = [index for index in known() if index.realm == _realm(url)]
        candidates.sort(key=lambda index: (bool(index.password), _count_shared_segments(index.url, url)), reverse=True)
        if not candidates:
            return None
        if candidates[0].password:
            return candidates[0].user, candidates[0].password
        return None if get_netrc_auth(url) else next(filter(None, map(stored, candidates)), None)

    return login


def _configured_indexes(dependencies: Dependencies) -> Iterator[Index]:
    """Yield the indexes in the settings of uv and in the program's own files."""
    variables, tables = uv_settings.variables(dependencies.base), list(uv_settings.tables(dependencies.base))
    texts = [*variables.values(), *_strings(tables), *_dependency_texts(dependencies)]
    named = {name: url for value in variables.values() for name, url in _NAMED.findall(value)}
    for table in tables:
        entries = [entry for entry in table.get("index", []) if isinstance(entry, dict)]
        named |= {str(entry["name"]): str(entry["url"]) for entry in entries if {"name", "url"} <= entry.keys()}
    for name, url in named.items():
        variable = re.sub(r"[^A-Z0-9]", "_", name.upper())
        user, password = (os.environ.get(f"UV_INDEX_{variable}_{key}", "") for key in ("USERNAME", "PASSWORD"))
        if user or password:
            yield Index(url=_split_login(url).url, user=user, password=password)
    for text in texts:
        yield from (_split_login(address) for address in _ADDRESS.findall(_EXPANDED.sub(_expand_variable, text)))


def _dependency_texts(dependencies: Dependencies) -> Iterator[str]:
    for source in (dependencies, dependencies.origin):
        if source and source.kind == "requirements":
            yield from (file.read_text(encoding="utf-8", errors="replace") for file in requirements.files(source.file))
        elif source and source.kind in {"pylock", "uv-lock"}:
            yield from re.findall(r"https?://[^/\s\"']+@[^\s\"']+", source.file.read_text(encoding="utf-8"))
        if source:
            yield from source.requirements


def _expand_variable(match: re.Match[str]) -> str:
    return os.environ.get(match[1], match[0])


def _strings(value: object) -> Iterator[str]:
    """Yield every string in a table of settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _split_login(address: str) -> Index:
    """Return the index at an address, with the login taken out of the address."""
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


def _count_shared_segments(index: str, url: str) -> int:
    """Count the leading path segments that both addresses have in common."""
    pairs = zip(urlsplit(index).path.split("/"), urlsplit(url).path.split("/"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _read_stored_login(index: Index) -> tuple[str, str] | None:
    """Return the login that ``uv auth login`` has stored for the host, or None."""
    import uv

    folder = _run_command([uv.find_uv_bin(), "auth", "dir"])
    try:
        credentials: list[dict[str, Any]] = tomllib.loads(
            (Path(folder.strip()) / "credentials.toml").read_text("utf-8")
        )["credential"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None
    for credential in credentials:
        user, service = str(credential.get("username", "")), str(credential.get("service", ""))
        service = service if "://" in service else f"https://{service}"
        fits = _realm(service) == index.realm and urlsplit(index.url).path.startswith(
            urlsplit(service).path.rstrip("/")
        )
        if fits and index.user in {"", user} and credential.get("password"):
            return user, str(credential["password"])
    return None


def _ask_keyring(index: Index, folder: Path) -> tuple[str, str] | None:
    """Return the login that the command ``keyring`` knows, where uv's settings switch its use on."""
    if not _uses_keyring(folder):
        return None
    host = urlsplit(index.url).netloc
    for service in (index.url, host):
        if index.user:
            password = _run_command(["keyring", "get", service, index.user]).strip("\r\n")
            if password:
                return index.user, password
        else:
            user, _, password = (
                _run_command(["keyring", "--mode", "creds", "get", service]).strip("\r\n").partition("\n")
            )
            if password:
                return user, password
    return None


def _uses_keyring(folder: Path) -> bool:
    named = os.environ.get("UV_KEYRING_PROVIDER")
    if named is not None:
        return named == "subprocess"
    tables = (settings for table in uv_settings.tables(folder) for settings in (table, table.get("pip", {})))
    return any(table.get("keyring-provider") == "subprocess" for table in tables)


def _run_command(command: Iterable[str]) -> str:
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
