"""Select the packages and files, also of the standard library, that are left out of a bundle."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.formats import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pypack.formats.image import ImageBuilder

STDLIB = "stdlib"
"""The name for the standard library in patterns, in place of a distribution's."""
_STDLIB_TESTS = (
    "test", "*/test", "*/tests", "idlelib/idle_test", "lib-dynload/_test*", "lib-dynload/_ctypes_test*",
    "lib-dynload/_xxtest*", "../DLLs/_test*", "../DLLs/_ctypes_test*",
)  # fmt: skip
_TEST_FILE = re.compile(r"(?:test_.*|.*_test)\.py")
_NAME = re.compile(r"[A-Za-z0-9*?\[\]!._-]+")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The files of one distribution that are left out: those that match one of ``drop``, and its ``tests``.

    ``drop`` are globs over the path as the distribution's RECORD gives it (from site-packages on); a folder that
    matches is left out with its contents.
    """

    drop: tuple[str, ...] = ()
    tests: bool = False

    @property
    def params(self) -> dict[str, Any]:
        """The rules as params of a step; {} where nothing is left out."""
        return {"drop": list(self.drop), "tests": self.tests} if self.drop or self.tests else {}

    @property
    def word(self) -> str:
        """A part of a product's name that is different for other rules."""
        digest = hashlib.sha256(json.dumps(self.params, sort_keys=True).encode()).hexdigest()
        return f"-without-{digest[:8]}" if self.params else ""


def faults(patterns: Iterable[str]) -> list[str]:
    """Return what is wrong with the patterns of ``exclude_packages``, one clause for each fault."""
    messages = []
    for pattern in patterns:
        name, colon, glob = pattern.partition(":")
        if not _NAME.fullmatch(name) or (colon and not glob.strip("/")):
            messages.append(f"exclude_packages: {pattern!r} is neither NAME nor NAME:GLOB")
        elif not colon and name in {"*", STDLIB}:
            messages.append(f"exclude_packages: {pattern!r} would leave nothing; write {name}:GLOB")
    return messages


def rules(distribution: str, patterns: Iterable[str], *, tests: bool) -> Rules:
    """Return the rules for one distribution, or for :data:`STDLIB`."""
    drop = [glob for name, glob in _split(patterns) if glob and _is_named_by(distribution, name)]
    if distribution == STDLIB and tests:
        return Rules(drop=tuple(sorted({*drop, *_STDLIB_TESTS})))
    return Rules(drop=tuple(sorted(set(drop))), tests=tests)


def is_out(distribution: str, patterns: Iterable[str]) -> bool:
    """Say whether a whole distribution is left out."""
    return any(not glob and _is_named_by(distribution, name) for name, glob in _split(patterns))


def without(lock: Mapping[str, Any], patterns: Iterable[str]) -> dict[str, Any]:
    """Return a lock without the packages that are left out."""
    patterns = tuple(patterns)
    kept = [package for package in lock.get("packages", []) if not is_out(str(package.get("name", "")), patterns)]
    return {**lock, "packages": kept}


def unmatched(patterns: Iterable[str], distributions: Iterable[str]) -> list[str]:
    """Return the patterns that match none of the distributions, perhaps by a misspelt name."""
    known = list(distributions)
    split = zip(patterns, _split(patterns), strict=True)
    return [
        pattern
        for pattern, (name, _) in split
        if name != STDLIB and not any(_is_named_by(distribution, name) for distribution in known)
    ]


def apply(builder: ImageBuilder, params: Mapping[str, Any], *, base: str) -> None:
    """Remove the files from ``builder`` that a step's params (:attr:`Rules.params`) exclude.

    ``base`` is the folder from which the globs count.
    """
    if not params.get("drop") and not params.get("tests"):
        return
    members = {path: posixpath.relpath(path, base) for path in builder.paths()}
    out = _chooser(params.get("drop", ()), _test_folders(members.values()) if params.get("tests") else frozenset())
    builder.filter(lambda path: not out(members[path]))


def _chooser(globs: Iterable[str], folders: frozenset[str]) -> Callable[[str], bool]:
    """Return a function that says whether a path, or a folder above it, is left out."""
    globs = [glob.rstrip("/") for glob in globs]
    match = re.compile("|".join(fnmatch.translate(glob) for glob in globs)).match if globs else None
    known: dict[str, bool] = {}

    def is_named(path: str) -> bool:
        return path in folders or bool(match and match(path))

    def is_left_out(path: str) -> bool:
        folder = posixpath.dirname(path)
        if folder not in known:
            known[folder] = any(is_named(parent) for parent in (*paths.parents(folder), folder))
        return known[folder] or is_named(path)

    return is_left_out


def _test_folders(members: Iterable[str]) -> frozenset[str]:
    """Return the folders ``tests``, and those called ``test`` that hold tests: ``django/test`` is there to be used."""
    folders = set[str]()
    for path in members:
        folder, name = posixpath.split(path)
        folders.update(parent for parent in (*paths.parents(folder), folder) if posixpath.basename(parent) == "tests")
        if posixpath.basename(folder) == "test" and _TEST_FILE.fullmatch(name):
            folders.add(folder)
    return frozenset(folders)


def _split(patterns: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, glob) of each pattern."""
    return [(name, glob) for name, _, glob in (pattern.partition(":") for pattern in patterns)]


def _is_named_by(distribution: str, name: str) -> bool:
    if distribution == STDLIB:
        return name == STDLIB
    return fnmatch.fnmatchcase(canonicalize_name(distribution), canonicalize_name(name))
