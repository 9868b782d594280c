"""Keeps setuptools from writing ``*.egg-info`` into the folder of a project whose metadata is asked for."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "DIST_EXTRA_CONFIG"
"""Names a file of settings that setuptools reads after those of the project. Source: setuptools/dist.py."""


@contextlib.contextmanager
def outside_projects() -> Iterator[dict[str, str]]:
    """Yield the variables with which setuptools writes metadata into a temporary folder; {} where a user has his own.

    Its hook for build requirements takes no output folder, unlike the one for metadata.
    """
    if os.environ.get(_VARIABLE):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="pypack-egg-info-", ignore_cleanup_errors=True) as folder:
        settings = Path(folder) / "settings.cfg"
        settings.write_text(f"[egg_info]\negg_base = {folder}\n", encoding="utf-8")
        yield {_VARIABLE: str(settings)}
