"""Enforce the hashes of a requirements file on uv's lock: uv's resolution ignores them."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.deps import requirements
from pypack.errors import InputError, StepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_GIVEN = re.compile(r"--hash[= ](\w+):([0-9a-fA-F]+)")
_BEGIN = "\n[[packages]]\n"
_READ = "docs/dependencies.md"


def enforce_hashes(text: str, file: Path, lines: Iterable[str]) -> str:
    """Return uv's lock without the files whose hashes are not among those of the requirements.

    ``lines`` are the requirements of ``file``. Packages without a hash in them are unchanged. Raises :class:`StepError`
    that names every package of which no file is left.
    """
    lines = list(lines)
    given = _hashes_by_package(lines)
    if "--require-hashes" in lines:
        _refuse_unhashed(text, file, given)
    if not given:
        return text
    head, *blocks = text.split(_BEGIN)
    faults: list[str] = []
    kept = [_filter_block(block, given, faults) for block in blocks]
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise StepError(
            f"the hashes in {file} are not those of the files that the index has:\n{details}",
            hint="find out why before you change them: it may be somebody else's file",
            docs=_READ,
        )
    return _BEGIN.join([head, *kept])


def _refuse_unhashed(text: str, file: Path, given: Mapping[str, set[str]]) -> None:
    """Raise :class:`InputError` for packages without a hash where ``--require-hashes`` asks for all of them."""
    packages = tomllib.loads(text).get("packages", [])
    missing = [name for row in packages if (name := str(row.get("name", ""))) and canonicalize_name(name) not in given]
    if missing:
        raise InputError(
            f"{file} has --require-hashes, and no hash of {', '.join(missing)}",
            hint="add the hashes (uv pip compile --generate-hashes, pip-compile --generate-hashes), or remove the line",
            docs=_READ,
        )


def _hashes_by_package(lines: Iterable[str]) -> dict[str, set[str]]:
    """Return the sha256 hashes in the requirements, by normalised name of the package."""
    hashes_by_package: dict[str, set[str]] = {}
    for line in lines:
        hashes, requirement = _GIVEN.findall(line), requirements.of_line(line)
        if hashes and requirement:
            package_hashes = hashes_by_package.setdefault(canonicalize_name(requirement.name), set())
            package_hashes.update(value.lower() for kind, value in hashes if kind == "sha256")
    return hashes_by_package


def _filter_block(block: str, given: dict[str, set[str]], faults: list[str]) -> str:
    """Return a package's table without the files whose hashes are not given; the rest is unchanged."""
    import tomlkit

    package = tomlkit.parse(block)
    allowed = given.get(canonicalize_name(str(package.get("name", ""))))
    if allowed is None:
        return block
    wheels = package.get("wheels", [])
    for number in reversed(range(len(wheels))):
        if not _is_given(wheels[number], allowed):
            del wheels[number]
    for key in ("sdist", "archive"):
        if key in package and not _is_given(package[key], allowed):
            del package[key]
    if not wheels and not {"sdist", "archive"} & package.keys():
        faults.append(f"{package['name']} {package.get('version', '')}".strip())
    return tomlkit.dumps(package)


def _is_given(file: Mapping[str, Any], allowed: set[str]) -> bool:
    return file.get("hashes", {}).get("sha256") in allowed
