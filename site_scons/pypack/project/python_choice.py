"""Which Python a project asks for where no option does: ``.python-version``, ``requires-python``, uv's preference."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.deps import uv_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.deps.manifests import Manifest

_VERSION = re.compile(r"(?:cpython-?|python-?|py)?(\d+\.\d+(?:\.\d+)?)(?:-.*)?", re.IGNORECASE)
_FILE = ".python-version"
_PREFERENCE = "python-preference"
_SYSTEM_FIRST = {"system", "only-system"}


@dataclass(frozen=True, kw_only=True)
class PythonChoice:
    """What the project's files ask for.

    ``version`` is that of ``.python-version`` (``""``: none), ``python_range`` the specifier of all
    ``requires-python``, ``prefer_host`` says that this machine's own Python is asked first. ``sources`` are the
    names of the files and keys that decide, for messages.
    """

    version: str = ""
    python_range: str = ""
    prefer_host: bool = False
    sources: tuple[str, ...] = ()


def read(folder: Path | None, manifests: Iterable[Manifest | None]) -> PythonChoice:
    """Return what the files in ``folder`` (None: a script alone) and the manifests ask for."""
    stated = {manifest.requires_python: manifest.file.name for manifest in manifests if manifest}
    stated.pop("", None)
    version = _pinned_version(folder) if folder else ""
    prefer_host = _preference(folder) in _SYSTEM_FIRST if folder else False
    sources = [f"{_FILE} ({version})"] if version else []
    sources += [f"requires-python {text} in {name}" for text, name in stated.items() if not version]
    return PythonChoice(
        version=version, python_range=",".join(stated), prefer_host=prefer_host,
        sources=(*sources, *(["uv's python-preference"] if prefer_host else [])),
    )  # fmt: skip


def _pinned_version(folder: Path) -> str:
    """Return the first version of CPython in ``.python-version``, which pyenv and uv write; ``""`` for any other."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in (folder / _FILE).read_text(encoding="utf-8").splitlines():
            text = line.partition("#")[0].strip()
            if match := _VERSION.fullmatch(text):
                return match[1]
    return ""


def _preference(folder: Path) -> str:
    """Return uv's setting ``python-preference``; the nearest file counts."""
    return next((str(table[_PREFERENCE]) for table in uv_settings.tables(folder) if _PREFERENCE in table), "")
