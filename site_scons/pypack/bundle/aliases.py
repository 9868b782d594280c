"""Links beside a bundle of several commands: each starts the bundle under a command's name, which selects it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import records
from pypack.bundle import trailer
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOCS = "docs/settings.md"


def write(bundle: Path, commands: Iterable[str], record: Path, *, suffix: str = "") -> list[str]:
    """Write a link for each command beside ``bundle``, remove those of earlier builds, and return lines about both.

    On POSIX systems they are symbolic links, which stay valid when the bundle is built anew. With a ``suffix``
    (``.exe``) they are hard links, or copies where the file system has none: Windows lets few users make other links.
    The JSON file ``record`` keeps what was written. Raises :class:`InputError` for a file of another origin.
    """
    recorded = {Path(path) for path in records.read(record).get("links", ())}
    wanted = [bundle.with_name(f"{name}{suffix}") for name in commands]
    wanted = [path for path in wanted if path.name.casefold() != bundle.name.casefold()]
    for path in wanted:
        if os.path.lexists(path) and not _is_link(path, bundle, recorded):
            raise InputError(
                f"{path} is there already, and is no link to {bundle.name}", hint="rename or remove it", docs=_DOCS
            )
    stale = sorted(path for path in recorded.difference(wanted) if _is_link(path, bundle, recorded))
    for path in stale:
        path.unlink()
    for path in wanted:
        _link(path, bundle, hard=bool(suffix))
    if wanted or recorded:
        records.write(record, {"links": [str(path) for path in wanted]})
    lines = [f"  removed {', '.join(path.name for path in stale)}, which is no command any more"] if stale else []
    return lines + ([f"  links beside it: {', '.join(path.name for path in wanted)}"] if wanted else [])


def _is_link(path: Path, bundle: Path, recorded: set[Path]) -> bool:
    """Say whether ``path`` is one of our links: to the bundle, or a hard link or copy of an earlier one."""
    if path.is_symlink():
        return os.fspath(path.readlink()) == bundle.name
    if not path.is_file():
        return False
    return path.samefile(bundle) or (path in recorded and trailer.ends(path))


def _link(path: Path, bundle: Path, *, hard: bool) -> None:
    """Make ``path`` a link to the bundle, replacing an earlier one at once."""
    if path.is_symlink() if not hard else (path.is_file() and path.samefile(bundle)):
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    if not hard:
        partial.symlink_to(bundle.name)
    else:
        try:
            partial.hardlink_to(bundle)
        except OSError:  # e.g. exFAT
            shutil.copy2(bundle, partial)
    partial.replace(path)
