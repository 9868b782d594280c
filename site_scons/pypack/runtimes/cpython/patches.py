"""Patches for source archives: unified diffs below ``runtimes/patches``, applied exactly or not at all."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pypack.errors import StepError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from whatthepatch.patch import diffobj

_HEADER = re.compile(r"^--- \S.*\n\+\+\+ \S", re.MULTILINE)
_GIT = re.compile(r"(diff --git|index) ")
_FIELDS = frozenset({"file", "source", "since", "before", "reason", "ends"})
_OPTIONAL = frozenset({"only"})


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One diff. It is meant for versions of ``source`` from ``since`` on and below ``before``.

    ``reason`` says what it is for, ``ends`` when it can be thrown away, ``only`` the one kind of build that takes it
    (else every one does).
    """

    name: str
    file: Path
    source: str
    since: str
    before: str
    reason: str
    ends: str
    only: str = ""

    @property
    def bounds(self) -> str:
        """The versions it is meant for, for people."""
        return f"{self.source} >= {self.since}, < {self.before}"


def load(folder: Path, faults: list[str]) -> tuple[Patch, ...]:
    """Return the patches of ``patches.toml`` in ``folder``; its faults are appended to ``faults``."""
    table = folder / "patches.toml"
    if not table.is_file():
        return ()
    rows = tomllib.loads(table.read_text(encoding="utf-8")).get("patch", [])
    rows_read = [_patch(folder, row, faults) for row in rows]
    patches = tuple(patch for patch in rows_read if patch is not None)
    listed = {patch.file for patch in patches}
    strays = sorted(set(folder.rglob("*.patch")) - listed)
    faults += [f"patch {stray.relative_to(folder).as_posix()} is not in patches.toml" for stray in strays]
    return patches


def select(known_patches: tuple[Patch, ...], source: str, version: str, faults: list[str]) -> tuple[Patch, ...]:
    """Return the patches of ``source``; one that is not meant for ``version`` is a fault."""
    from packaging.version import Version

    selected = tuple(patch for patch in known_patches if patch.source == source)
    faults += [
        f"patch {patch.name} is meant for {patch.bounds}, but the pin is {source} {version}"
        for patch in selected
        if not Version(patch.since) <= Version(version) < Version(patch.before)
    ]
    return selected


def apply(patch: Patch, tree: Path, version: str) -> None:
    """Apply ``patch`` to the files in ``tree``. Every context line must match exactly."""
    import whatthepatch
    from whatthepatch.exceptions import HunkApplyException, ParseException

    try:
        diffs = [diff for piece in _pieces(patch.file) for diff in whatthepatch.parse_patch(piece)]
        if not diffs:
            raise _misfit_error(patch, version, "it holds no diff")
        for diff in diffs:
            _apply_one(patch, diff, tree, version)
    except (HunkApplyException, ParseException) as e:
        raise _misfit_error(patch, version, str(e)) from e


def _pieces(file: Path) -> list[str]:
    """Cut a patch into the diffs of single files: the library takes several without git's headers for one."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if not _GIT.match(line)]
    text = "".join(lines)
    cuts = [*(match.start() for match in _HEADER.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _apply_one(patch: Patch, diff: diffobj, tree: Path, version: str) -> None:
    import whatthepatch

    old, new = (_inside(path) for path in (diff.header.old_path, diff.header.new_path))
    path = tree / new
    if old == "/dev/null":
        if path.exists():
            raise _misfit_error(patch, version, f"{new} is there already")
        lines = []
    elif not path.is_file():
        raise _misfit_error(patch, version, f"{new} does not exist")
    else:
        lines = path.read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    changed = whatthepatch.apply_diff(diff, lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(changed) + "\n").encode("utf-8", "surrogateescape"))


def _inside(path: str) -> str:
    return path[2:] if path.startswith(("a/", "b/")) else path


def _misfit_error(patch: Patch, version: str, why: str) -> StepError:
    return StepError(
        f"patch {patch.name} (meant for {patch.bounds}) does not fit {patch.source} {version}: {why}",
        hint="make it anew for this version, or narrow its bounds in runtimes/patches/patches.toml",
        docs="docs/source-runtime.md",
    )


def _patch(folder: Path, row: Mapping[str, Any], faults: list[str]) -> Patch | None:
    name = str(row.get("file", "without a file"))
    missing = sorted(_FIELDS - {key for key, value in row.items() if value})
    extra = sorted(row.keys() - _FIELDS - _OPTIONAL)
    if missing:
        faults.append(f"patch {name}: {', '.join(missing)} missing")
    if extra:
        near = "".join(did_you_mean(key, _FIELDS | _OPTIONAL) for key in extra)
        faults.append(f"patch {name}: {', '.join(extra)} not known{near}")
    if missing or extra:
        return None
    file = folder / name
    if not file.is_file():
        faults.append(f"patch {name}: the file does not exist")
        return None
    values = {key: str(row.get(key, "")) for key in (_FIELDS | _OPTIONAL) - {"file"}}
    return Patch(name=name, file=file, **values)
