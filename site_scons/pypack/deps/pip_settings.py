"""The settings of pip that decide which packages are taken: they count under the names that uv has for them.

Variables of the environment count, and of pip.conf the address of the index that takes PyPI's place. What is added for
one machine in its pip.conf, and what uv has no name for, does not count and is named.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BY_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "pre": "UV_PRERELEASE",
    "constraint": "UV_CONSTRAINT",
    "build-constraint": "UV_BUILD_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "uploaded-prior-to": "UV_EXCLUDE_NEWER",
}
"""uv's variables for settings of pip."""
_BY_OPTION = "no-index"
"""A setting for which uv has an option only."""
_NOT_HEEDED = ("no-binary", "only-binary", "require-hashes")
_OF_INDEXES = ("index-url", "extra-index-url", "find-links", "no-index")
_COUNT_IN_FILES = ("index-url", "no-index")
_UV_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_KEYS_OF_INDEXES = ("index", "index-url", "extra-index-url", "find-links", "no-index")
_OFF = {"", "0", "false", "no", "off", "f", "n"}


@dataclass(frozen=True, kw_only=True)
class PipSettings:
    """``environment`` holds variables for uv, ``no_index``: nothing is asked; ``note`` is a line for the user or ""."""

    environment: Mapping[str, str] = field(default_factory=dict)
    no_index: bool = False
    note: str = ""


def read(uv_tables: Iterable[Mapping[str, Any]]) -> PipSettings:
    """Return pip's settings as far as uv's own (its variables, ``uv_tables``) say nothing about the same."""
    uv_names_indexes = any(os.environ.get(name) for name in _UV_INDEXES) or any(
        key in table or key in table.get("pip", {}) for table in uv_tables for key in _KEYS_OF_INDEXES
    )
    environment: dict[str, str] = {}
    heeded, passed_over, no_index = [], [], False
    for key, (value, source) in {**_from_files(), **_from_variables()}.items():
        shadowed = uv_names_indexes and key in _OF_INDEXES
        if shadowed or key in _NOT_HEEDED or (source != _variable(key) and key not in _COUNT_IN_FILES):
            passed_over.append(source)
        elif key == _BY_OPTION:
            no_index = True
            heeded.append(source)
        elif not os.environ.get(_BY_UV[key]):
            environment[_BY_UV[key]] = _as_uv_writes(key, value)
            heeded.append(f"{source} (as {_BY_UV[key]})")
        else:
            passed_over.append(source)
    return PipSettings(environment=environment, no_index=no_index, note=_note(heeded, passed_over))


def _note(heeded: list[str], passed_over: list[str]) -> str:
    """Return the line that names what counts and what does not."""
    clauses = [f"{', '.join(heeded)} counts"] if heeded else []
    if passed_over:
        clauses.append(f"{', '.join(passed_over)} is ignored: say it with uv's settings, or in the requirements")
    return f"of pip's settings, {'; '.join(clauses)}" if clauses else ""


def _variable(key: str) -> str:
    return f"PIP_{key.replace('-', '_').upper()}"


def _known_keys() -> tuple[str, ...]:
    return (*_BY_UV, _BY_OPTION, *_NOT_HEEDED)


def _from_variables() -> dict[str, tuple[str, str]]:
    values = ((key, os.environ.get(_variable(key), "")) for key in _known_keys())
    return {key: (value, _variable(key)) for key, value in values if not _is_off(key, value)}


def _is_off(key: str, value: str) -> bool:
    is_switch = key in {"pre", "no-index", "require-hashes"}
    return not value.strip() or (is_switch and value.strip().lower() in _OFF)


def _as_uv_writes(key: str, value: str) -> str:
    """Return a value of pip, whose lists have blanks between them, as uv reads it."""
    words = value.split()
    if key == "pre":
        return "allow"
    return (",".join if key == "find-links" else " ".join)(words)


def _from_files() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for path in _files():
        for key, value in _settings_in(path).items():
            if not _is_off(key, value):
                found[key] = value, f"{key} in {path}"
    return found


@cache
def _settings_in(path: Path) -> Mapping[str, str]:
    """Return the settings in a pip.conf that are known here; {} for a file that cannot be read, as pip would say."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    pairs = [(re.sub("_", "-", key.lower()), value) for section in sections for key, value in parser.items(section)]
    return {key: value for key, value in pairs if key in _known_keys()}


def _files() -> Iterator[Path]:
    """Yield the files that pip reads, later ones win (pip's documentation, "Configuration")."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    name = "pip.ini" if hosts.system() == "windows" else "pip.conf"
    if hosts.system() == "windows":
        candidates = [Path(os.environ[key]) / "pip" / name for key in ("PROGRAMDATA", "APPDATA") if key in os.environ]
    else:
        shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        candidates = [*(Path(folder) / "pip" / name for folder in shared if folder), Path("/etc") / name]
        candidates += [Path.home() / ".pip" / name, user / "pip" / name]
    candidates.append(Path(os.environ.get("VIRTUAL_ENV") or sys.prefix) / name)
    yield from (path for path in (*candidates, *([Path(named)] if named else [])) if path.is_file())
