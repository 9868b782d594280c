"""The settings of uv that tell where packages come from: variables of the environment and files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET = re.compile(r"UV_INDEX_.+_(USERNAME|PASSWORD)")
_UV_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_", "UV_FIND_LINKS", "UV_EXTRA_INDEX", "UV_EXCLUDE_NEWER", "UV_PRERELEASE",
    "UV_RESOLUTION", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_CONFIG_FILE", "UV_NO_INDEX",
)  # fmt: skip


def fingerprint(folder: Path) -> str:
    """Return a hash over the settings that tell uv where packages come from, names and passwords left out.

    They are ``UV_*`` variables, ``uv.toml`` files, and ``[tool.uv]`` of the ``pyproject.toml`` files above ``folder``.
    """
    found = (json.dumps(table, sort_keys=True, default=str) for table in tables(folder))
    relevant = sorted(variables().items()) + [("file", text) for text in found]
    told = [(key, without_secrets(text)) for key, text in relevant if not _SECRET.fullmatch(key)]
    return hashlib.sha256(repr(told).encode()).hexdigest() if told else ""


def variables() -> dict[str, str]:
    """Return the variables of the environment that tell uv where packages come from."""
    return {key: value for key, value in os.environ.items() if key.startswith(_UV_VARIABLES)}


def tables(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings that uv reads when it runs in ``folder`` (uv's documentation, "Configuration files")."""
    import platformdirs

    named = os.environ.get("UV_CONFIG_FILE")
    if named and Path(named).is_file():
        yield _table(Path(named))
    for place in (folder.absolute(), *folder.absolute().parents):
        if (place / "uv.toml").is_file():
            yield _table(place / "uv.toml")
        elif (place / "pyproject.toml").is_file():
            table = _table(place / "pyproject.toml").get("tool", {}).get("uv")
            if table:
                yield table
    for place in (platformdirs.user_config_path("uv"), Path("/etc/uv")):
        if (place / "uv.toml").is_file():
            yield _table(place / "uv.toml")


def _table(file: Path) -> dict[str, Any]:
    """Read a file of settings; one that cannot be read is uv's to complain about."""
    with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
        return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}
