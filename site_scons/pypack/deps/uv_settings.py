"""The settings of uv that choose package indexes: environment variables and files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import hosts
from pypack.deps import pip_settings
from pypack.deps.secrets import without_secrets
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypack.deps.pip_settings import PipSettings

_SECRET = re.compile(r"UV_INDEX_.+_(USERNAME|PASSWORD)")
_UV_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_", "UV_FIND_LINKS", "UV_EXTRA_INDEX", "UV_EXCLUDE", "UV_PRERELEASE", "UV_RESOLUTION",
    "UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_CONFIG_FILE", "UV_NO_INDEX", "UV_NO_SOURCES",
    "UV_FORK_STRATEGY", "UV_TORCH_BACKEND", "UV_NO_BUILD", "UV_NO_BINARY",
)  # fmt: skip
"""How the names of variables begin that change what uv resolves to (``uv pip compile --help``)."""
_FILES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE")
"""Variables that name files, with blanks between them."""


def fingerprint(folder: Path) -> str:
    """Return a hash over the settings that tell uv where packages come from, names and passwords left out.

    They are ``UV_*`` variables with the files that they name, ``uv.toml`` files, and ``[tool.uv]`` of the
    ``pyproject.toml`` files above ``folder``.
    """
    texts = (json.dumps(table, sort_keys=True, default=str) for table in tables(folder))
    contents = (file_digest(file) for file in _named_files(folder))
    pip = of_pip(folder)
    chosen = {**variables(folder), **({"no-index": "1"} if pip.no_index else {})}
    relevant = sorted(chosen.items()) + [("file", text) for text in (*texts, *contents)]
    settings = [(key, without_secrets(text)) for key, text in relevant if not _SECRET.fullmatch(key)]
    return hashlib.sha256(repr(settings).encode()).hexdigest() if settings else ""


def variables(folder: Path) -> dict[str, str]:
    """Return the variables that tell uv, when it runs in ``folder``, where packages come from; pip's count too."""
    return {**_uv_variables(), **of_pip(folder).environment}


def _uv_variables() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith(_UV_VARIABLES)}


def of_pip(folder: Path) -> PipSettings:
    """Return pip's settings as they count for uv when it runs in ``folder``."""
    return pip_settings.read(tables(folder))


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for uv when it runs in ``folder``: this process's own, with pip's settings."""
    return {**os.environ, **of_pip(folder).environment}


def _named_files(folder: Path) -> Iterator[Path]:
    """Yield the files that variables name and that exist; uv complains of the others."""
    named = variables(folder)
    for name in _FILES:
        for word in named.get(name, "").split():
            if (folder / word).is_file():
                yield folder / word


def tables(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings that uv reads when it runs in ``folder`` (uv's documentation, "Configuration files")."""
    yield from (table for _, table in found_tables(folder))
    for directory in _config_folders():
        if (directory / "uv" / "uv.toml").is_file():
            yield _table(directory / "uv" / "uv.toml")


def found_tables(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the settings named by ``UV_CONFIG_FILE`` and those in ``folder`` and above, each with its file."""
    named = os.environ.get("UV_CONFIG_FILE")
    if named and Path(named).is_file():
        yield Path(named), _table(Path(named))
    for directory in (folder.absolute(), *folder.absolute().parents):
        if (directory / "uv.toml").is_file():
            yield directory / "uv.toml", _table(directory / "uv.toml")
        elif (directory / "pyproject.toml").is_file():
            table = _table(directory / "pyproject.toml").get("tool", {}).get("uv")
            if table:
                yield directory / "pyproject.toml", table


def _config_folders() -> Iterator[Path]:
    """Yield the user's and the system's folders of settings (uv's documentation, "Storage"); macOS is as Linux here."""
    if hosts.system() == "windows":
        yield from (Path(os.environ[name]) for name in ("APPDATA", "PROGRAMDATA") if os.environ.get(name))
        return
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    yield from (Path(name) for name in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if name)
    yield Path("/etc")


def _table(file: Path) -> dict[str, Any]:
    """Read a file of settings; {} for one that cannot be read, which uv reports itself."""
    with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
        return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}
