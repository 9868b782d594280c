"""Check member paths and link targets of archives, which are untrusted."""

from __future__ import annotations

import posixpath

from pypack.errors import ArchiveError

_HINT = "do not use this archive; get it again from a source you trust"
LONGEST = 4096


def checked(path: str, *, archive: str) -> str:
    """Return ``path`` as a clean relative posix path, or refuse it by name.

    ``./`` in front and a ``/`` behind are dropped. The root itself comes back as ``""``.
    """
    if "\0" in path or len(path.encode("utf-8", "surrogateescape")) > LONGEST:
        raise _refused(archive, path, "its name is not a usable path")
    clean = posixpath.normpath(path)
    if path.startswith("/") or "\\" in path or _has_drive(clean):
        raise _refused(archive, path, "it is an absolute or foreign path")
    if ".." in path.split("/"):
        raise _refused(archive, path, "it leaves the tree")
    return "" if clean == "." else clean


def checked_link(path: str, target: str, *, archive: str) -> str:
    """Return the link target of member ``path``, cleaned; refuse one that points outside of the tree."""
    if not target or "\0" in target:
        raise _refused(archive, path, "its link target is not a usable path")
    if target.startswith("/") or "\\" in target or _has_drive(posixpath.normpath(target)):
        raise _refused(archive, path, f"it links to {target!r}, outside of the tree")
    resolved = linked(path, target)
    if resolved == ".." or resolved.startswith("../"):
        raise _refused(archive, path, f"it links to {target!r}, outside of the tree")
    return posixpath.normpath(target)


def linked(path: str, target: str) -> str:
    """Return the path that a link at ``path`` of an image leads to; both are relative to the image's root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def parents(path: str) -> list[str]:
    """Return the folders above ``path``, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _has_drive(clean: str) -> bool:
    """Say whether Windows would take a path from the root of a drive; ``./C:`` has none until it is cleaned."""
    return clean[1:2] == ":"


def _refused(archive: str, path: str, reason: str) -> ArchiveError:
    return ArchiveError(f"{archive}: member {path!r} is refused: {reason}", hint=_HINT)
