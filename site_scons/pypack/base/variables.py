"""The environment variables of pypack and of bundles, and near names for mistyped ones."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pypack.base.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = "PYPACK_"
OF_BUILDS = ("PYPACK_CACHE_DIR", "PYPACK_MIRROR", "PYPACK_PINS", "PYPACK_DEBIAN_MIRROR")
OF_BUNDLES = (
    "PYPACK_CACHE_DAYS", "PYPACK_CACHE_MB", "PYPACK_DEBUG", "PYPACK_DRYRUN", "PYPACK_INTERPRETER",
    "PYPACK_OUTER_PYTHONPATH", "PYPACK_SELF",
)  # fmt: skip
OF_SCONS = ("PYPACK_BUILD", "PYPACK_DIST", "PYPACK_OFFLINE", "PYPACK_UPGRADE", "PYPACK_VERBOSE")
"""Construction variables that a SConstruct may set."""
_HIDDEN = "PYPACK_HIDDEN_"  # a bundle's own, see stubs/variables.c
_ALIKE = 0.7  # of difflib, for the names without the prefix


def notes(names: Iterable[str], known: Iterable[str], *, kind: str) -> Iterator[Note]:
    """Yield a note for each name that looks like one of ``known`` but is not; other programs may use the prefix too."""
    endings = {name.removeprefix(PREFIX): name for name in known}
    for name in sorted(names):
        if name.startswith(PREFIX) and not name.startswith(_HIDDEN) and name.removeprefix(PREFIX) not in endings:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), endings, n=1, cutoff=_ALIKE)
            if near:
                yield Note("unknown-variable", f"the {kind} {name} is not known (did you mean {endings[near[0]]}?)")
