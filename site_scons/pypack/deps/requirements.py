"""Parse requirements: lines of requirements files and of metadata, and the files that such files include."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement

_DOCS = "docs/dependencies.md"

_NESTED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]+(.+?)\s*(?:#.*)?$")
_INCLUDES = re.compile(r"-[rc]|--requirement\b|--constraint\b")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_CONTINUED = re.compile(r"\\\r?\n")
_OPTIONS = re.compile(r"(^|\s+)--?[a-zA-Z].*$")


def files(path: Path) -> list[Path]:
    """Return a requirements file and every file that it includes by ``-r`` or ``-c``, each once."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a requirements file", docs=_DOCS)
    paths: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in paths:
            continue
        if not file.is_file():
            raise InputError(
                f"requirements file {file} does not exist",
                hint=f"it is included by {paths[-1]}" if paths else "check the path after -r / requirements=",
                docs=_DOCS,
            )
        paths.append(file)
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(Path(os.path.normpath(file.parent / nested[1].strip("\"'"))))
    return paths


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a requirements file and of those that it includes, joined and without comments."""
    for file in files(path):
        yield from lines_of(file.read_text(encoding="utf-8", errors="replace"))


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a requirements file's text, joined and without comments and includes."""
    for line in _CONTINUED.sub(" ", text).splitlines():
        bare = " ".join(_COMMENT.sub("", line).split())
        if bare and not _INCLUDES.match(bare):
            yield bare


def uv_arguments(bare_lines: Iterable[str]) -> list[str]:
    """Return uv's arguments for the options of pip that uv warns of and passes over in a requirements file.

    ``--require-hashes`` is for :mod:`pypack.deps.hashes`; wheels are preferred in any case. Raises
    :class:`InputError` for an option that nothing heeds.
    """
    arguments: list[str] = []
    for line in bare_lines:
        option, _, value = line.replace("=", " ", 1).partition(" ")
        if option == "--pre":
            arguments.append("--prerelease=allow")
        elif option == "--trusted-host":
            arguments.append(f"--allow-insecure-host={value.strip()}")
        elif option == "--use-feature":
            raise InputError(
                f"the requirements files have {line}, a feature of pip that is not heeded",
                hint="remove the line",
                docs=_DOCS,
            )
    return list(dict.fromkeys(arguments))


def parsed(text: str) -> Requirement | None:
    """Return a requirement as PEP 508 writes it; None for what cannot be read, as old metadata has it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def of_line(line: str) -> Requirement | None:
    """Return the requirement of a line of a requirements file; None for options, folders, archives and addresses.

    Options after it (``--hash``) are ignored. A wheel that is named by its path or address counts as the
    distribution that its name says.
    """
    text = _OPTIONS.sub("", _COMMENT.sub("", line)).strip()
    if distribution := wheel_distribution(text):
        return parsed(distribution)
    return parsed(text)


def wheel_distribution(location: str) -> str:
    """Return the distribution, normalised, of a wheel at a path or address; "" for anything else."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    bare = location.partition("#")[0].replace("\\", "/")
    if not bare.endswith(".whl") or " @ " in location:
        return ""
    try:
        return parse_wheel_filename(bare.rsplit("/", 1)[-1])[0]
    except InvalidWheelFilename:
        return ""
