"""What of the packages, and of the standard library, a program does without."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.images import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pypack.images.image import ImageBuilder

STDLIB = "stdlib"
"""What stands for the standard library in the place of a distribution's name."""
_STDLIB_TESTS = (
    "test", "*/test", "*/tests", "idlelib/idle_test", "lib-dynload/_test*", "lib-dynload/_ctypes_test*",
    "lib-dynload/_xxtest*", "../DLLs/_test*", "../DLLs/_ctypes_test*",
)  # fmt: skip
_TEST_FILE = re.compile(r"(?:test_.*|.*_test)\.py")
_NAME = re.compile(r"[A-Za-z0-9*?\[\]!._-]+")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What of one distribution stays out: files that match one of ``drop``, and its own ``tests``.

    ``drop`` are globs over the path as the distribution's RECORD gives it (from site-packages on); a folder that
    matches stays out with all that is in it.
    """

    drop: tuple[str, ...] = ()
    tests: bool = False

    @property
    def params(self) -> dict[str, Any]:
        """What a step's params say of them; nothing where nothing stays out."""
        return {"drop": list(self.drop), "tests": self.tests} if self.drop or self.tests else {}

    @property
    def word(self) -> str:
        """A part of a product's name, so that what was chosen differently has another one."""
        digest = hashlib.sha256(json.dumps(self.params, sort_keys=True).encode()).hexdigest()
        return f"-without-{digest[:8]}" if self.params else ""


def faults(patterns: Iterable[str]) -> list[str]:
    """Return what is wrong with the patterns of ``exclude_packages``, one clause for each fault."""
    found = []
    for pattern in patterns:
        name, colon, glob = pattern.partition(":")
        if not _NAME.fullmatch(name) or (colon and not glob.strip("/")):
            found.append(f"exclude_packages: {pattern!r} is neither NAME nor NAME:GLOB")
        elif not colon and name in {"*", STDLIB}:
            found.append(f"exclude_packages: {pattern!r} would leave nothing; write {name}:GLOB")
    return found


def rules(distribution: str, patterns: Iterable[str], *, tests: bool) -> Rules:
    """Return the rules for one distribution, or for :data:`STDLIB`."""
    drop = [glob for name, glob in _split(patterns) if glob and _is(distribution, name)]
    if distribution == STDLIB and tests:
        return Rules(drop=tuple(sorted({*drop, *_STDLIB_TESTS})))
    return Rules(drop=tuple(sorted(set(drop))), tests=tests)


def is_out(distribution: str, patterns: Iterable[str]) -> bool:
    """Say whether a distribution stays out as a whole."""
    return any(not glob and _is(distribution, name) for name, glob in _split(patterns))


def without(lock: Mapping[str, Any], patterns: Iterable[str]) -> dict[str, Any]:
    """Return a lock without the packages that stay out."""
    patterns = tuple(patterns)
    kept = [each for each in lock.get("packages", []) if not is_out(str(each.get("name", "")), patterns)]
    return {**lock, "packages": kept}


def unmatched(patterns: Iterable[str], distributions: Iterable[str]) -> list[str]:
    """Return the patterns that mean none of some distributions: somebody may have written a name wrongly."""
    known = list(distributions)
    split = zip(patterns, _split(patterns), strict=True)
    return [each for each, (name, _) in split if name != STDLIB and not any(_is(one, name) for one in known)]


def apply(builder: ImageBuilder, params: Mapping[str, Any], *, base: str) -> None:
    """Take out of ``builder`` what a step's params (:attr:`Rules.params`) leave out.

    ``base`` is the folder from which the globs count.
    """
    if not params.get("drop") and not params.get("tests"):
        return
    members = {path: posixpath.relpath(path, base) for path in builder.paths()}
    out = _chooser(params.get("drop", ()), _test_folders(members.values()) if params.get("tests") else frozenset())
    builder.filter(lambda path: not out(members[path]))


def _chooser(globs: Iterable[str], folders: frozenset[str]) -> Callable[[str], bool]:
    """Return a function that says whether a path, or a folder above it, is left out."""
    globs = [each.rstrip("/") for each in globs]
    match = re.compile("|".join(fnmatch.translate(each) for each in globs)).match if globs else None
    known: dict[str, bool] = {}

    def is_named(path: str) -> bool:
        return path in folders or bool(match and match(path))

    def is_left_out(path: str) -> bool:
        folder = posixpath.dirname(path)
        if folder not in known:
            known[folder] = any(is_named(each) for each in (*paths.parents(folder), folder))
        return known[folder] or is_named(path)

    return is_left_out


def _test_folders(members: Iterable[str]) -> frozenset[str]:
    """Return the folders ``tests``, and those called ``test`` that hold tests: ``django/test`` is there to be used."""
    found = set[str]()
    for path in members:
        folder, name = posixpath.split(path)
        found.update(each for each in (*paths.parents(folder), folder) if posixpath.basename(each) == "tests")
        if posixpath.basename(folder) == "test" and _TEST_FILE.fullmatch(name):
            found.add(folder)
    return frozenset(found)


def _split(patterns: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, glob) of each pattern."""
    return [(name, glob) for name, _, glob in (each.partition(":") for each in patterns)]


def _is(distribution: str, name: str) -> bool:
    if distribution == STDLIB:
        return name == STDLIB
    return fnmatch.fnmatchcase(canonicalize_name(distribution), re.sub(r"[-_.]+", "-", name).lower())
