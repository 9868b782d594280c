"""Remove the folders of a build from what build scripts write down."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TREE = "/usr/src/python"
_PREFIX = re.compile(rb"^prefix=/install$", re.MULTILINE)
_DEPS = re.compile(rb"\s*-[IL](?:\.\./|/usr/src/)deps/(?:include|lib)\b")


def text(data: bytes, root: Path) -> bytes:
    """Return a Makefile, script or .pc file without paths below ``root`` and without flags for the step's libraries."""
    data = data.replace(str(root / "tree").encode(), _TREE.encode())
    data = data.replace(str(root).encode(), b"/usr/src")
    data = _DEPS.sub(b"", data)
    return _PREFIX.sub(b"prefix=${pcfiledir}/../..", data)


def sysconfig(data: bytes, root: Path) -> bytes:
    """Return ``_sysconfigdata_….py`` cleaned. Values are broken over several literals there; parsing joins them."""
    import ast
    from pprint import pformat

    values = next(
        ast.literal_eval(node.value) for node in ast.parse(data).body if isinstance(node, ast.Assign)
    )  # its only statement: build_time_vars = {…}
    clean = {key: _value(value, root) for key, value in values.items()}
    head = b"# system configuration generated and used by the sysconfig module\nbuild_time_vars = "
    return head + pformat(clean, width=160).encode() + b"\n"


def _value(value: object, root: Path) -> object:
    return text(value.encode(), root).decode().strip() if isinstance(value, str) else value
