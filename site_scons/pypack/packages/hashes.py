"""Hashes in a requirements file: uv's resolution passes them over, so what it writes is held against them here."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.packages.manifests import normal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_GIVEN = re.compile(r"--hash[= ](\w+):([0-9a-fA-F]+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WHEEL = re.compile(r"\s*\{ [^{}]*hashes = \{ [^{}]*\} \},?")
_SDIST = re.compile(r"\nsdist = \{ [^{}]*hashes = \{ [^{}]*\} \}")
_SHA256 = re.compile(r'sha256 = "([0-9a-f]{64})"')
_BEGIN = "\n[[packages]]\n"
_READ = "docs/dependencies.md"


def held_to(text: str, file: Path, lines: Iterable[str]) -> str:
    """Return a lock of uv's making without the files whose hashes are not among those that the requirements give.

    ``lines`` are the requirements, ``file`` is where they stand. Packages that no hash is given for stay as they are.
    Raises :class:`StepError` that names every package of which no file is left.
    """
    given = _given(lines)
    if not given:
        return text
    head, *blocks = text.split(_BEGIN)
    faults: list[str] = []
    kept = [_block(block, given, faults) for block in blocks]
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise StepError(
            f"the hashes in {file} are not those of the files that the index has:\n{told}",
            do="find out why before you change them: it may be somebody else's file",
            see=_READ,
        )
    return _BEGIN.join([head, *kept])


def _given(lines: Iterable[str]) -> dict[str, set[str]]:
    """Return the sha256 hashes that are given, by package."""
    found: dict[str, set[str]] = {}
    for line in lines:
        hashes, name = _GIVEN.findall(line), _NAME.match(line)
        if hashes and name:
            found.setdefault(normal(name[0]), set()).update(value.lower() for kind, value in hashes if kind == "sha256")
    return found


def _block(block: str, given: dict[str, set[str]], faults: list[str]) -> str:
    package = tomllib.loads(block)
    allowed = given.get(normal(str(package.get("name", ""))))
    if allowed is None:
        return block

    def keep(found: re.Match[str]) -> str:
        digest = _SHA256.search(found[0])
        return found[0] if digest and digest[1] in allowed else ""

    if "archive" in package:
        short = block if package["archive"].get("hashes", {}).get("sha256") in allowed else ""
    else:
        sdists = "".join(keep(found) for found in _SDIST.finditer(block))
        short = _WHEEL.sub(keep, _SDIST.sub("", block)).rstrip("\n") + sdists + "\n"
    if not _SHA256.search(short):
        faults.append(f"{package['name']} {package.get('version', '')}".strip())
    return short
