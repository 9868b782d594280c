"""The interpreter that builds packages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pypack import hosts

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.fetching.web import Login
    from pypack.providers.base import Runtime
    from pypack.targets import Target


@dataclass(frozen=True, kw_only=True)
class Builder:
    """The interpreter that builds: a runtime that starts on this host, of the minor version that is bundled.

    ``folder`` is where uv is to look for its settings, which ``index`` is a fingerprint of; ``login`` is what files of
    an index are fetched with.
    """

    target: Target
    runtime: Runtime
    folder: Path
    index: str = ""
    login: Login | None = None

    @property
    def name(self) -> str:
        """A word for it, in the names of products."""
        return word(self.runtime)

    @property
    def accepts(self) -> Target:
        """The target whose wheels the interpreter itself can load: this host's glibc is newer than the floor."""
        glibc = hosts.glibc()
        newer = glibc if self.target.libc == "gnu" and glibc and glibc > self.target.floor_version else None
        return replace(self.target, floor=f"{newer[0]}.{newer[1]}") if newer else self.target


def word(runtime: Runtime) -> str:
    """Return a word for a runtime, for the names of products."""
    return runtime.place.removeprefix("runtime/").replace("/", "-")
