"""Which member paths and link targets may be part of a tree. Archives are hostile until shown otherwise."""

from __future__ import annotations

import posixpath

from pypack.errors import ArchiveError

_DO = "do not use this archive; get it again from a source you trust"
LONGEST = 4096


def checked(path: str, *, archive: str) -> str:
    """Return ``path`` as a clean relative posix path, or refuse it by name.

    ``./`` in front and a ``/`` behind are dropped. The root itself comes back as ``""``.
    """
    if "\0" in path or len(path.encode("utf-8", "surrogateescape")) > LONGEST:
        raise _refused(archive, path, "its name is not a usable path")
    if path.startswith("/") or "\\" in path or (len(path) > 1 and path[1] == ":" and path[0].isalpha()):
        raise _refused(archive, path, "it is an absolute or foreign path")
    if ".." in path.split("/"):
        raise _refused(archive, path, "it leaves the tree")
    clean = posixpath.normpath(path)
    return "" if clean == "." else clean


def checked_link(path: str, target: str, *, archive: str) -> str:
    """Return the link target of member ``path``, cleaned; refuse one that points outside of the tree."""
    if not target or "\0" in target:
        raise _refused(archive, path, "its link target is not a usable path")
    if target.startswith("/") or "\\" in target or (len(target) > 1 and target[1] == ":"):
        raise _refused(archive, path, f"it links to {target!r}, outside of the tree")
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if whole == ".." or whole.startswith("../"):
        raise _refused(archive, path, f"it links to {target!r}, outside of the tree")
    return posixpath.normpath(target)


def parents(path: str) -> list[str]:
    """Return the folders above ``path``, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _refused(archive: str, path: str, why: str) -> ArchiveError:
    return ArchiveError(f"{archive}: member {path!r} is refused: {why}", do=_DO)
