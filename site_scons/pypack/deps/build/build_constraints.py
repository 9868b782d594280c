"""Constraints on the versions of build requirements: uv's setting, uv's variable and pip's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pypack.deps import uv_settings
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DOCS = "docs/dependencies.md"

_VARIABLES = ("UV_BUILD_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
"""Variables that name requirements files, with blanks between them."""


def read(folder: Path) -> tuple[str, ...]:
    """Return the lines that limit what is taken to build the project in ``folder``, sorted; comments are left out."""
    return tuple(sorted({*_of_settings(folder), *_of_variables(folder)}))


def _of_settings(folder: Path) -> list[str]:
    for table in uv_settings.tables(folder):
        lines = table.get("build-constraint-dependencies")
        if isinstance(lines, list):
            return [str(line) for line in lines]
    return []


def _of_variables(folder: Path) -> Iterator[str]:
    for variable in _VARIABLES:
        for word in os.environ.get(variable, "").split():
            try:
                text = (folder / word).read_text(encoding="utf-8")
            except OSError as error:
                raise InputError(
                    f"{variable} names {word}, which cannot be read: {error}", hint="mend it", docs=_DOCS
                ) from error
            yield from (
                line for row in text.splitlines() if (line := row.partition(" #")[0].strip()) and line[0] != "#"
            )
