"""The interpreter that builds packages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pypack.base import hosts

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.download.web import Login
    from pypack.runtimes.base import Runtime


@dataclass(frozen=True, kw_only=True)
class Builder:
    """The interpreter that builds: a runtime that starts on this host, of the minor version that is bundled.

    ``folder`` is where uv reads its settings, which ``index`` is a fingerprint of; ``constraints`` limit the
    versions of build requirements; ``login`` is what files of
    an index are fetched with.
    """

    target: Target
    runtime: Runtime
    folder: Path
    index: str = ""
    constraints: tuple[str, ...] = ()
    login: Login | None = None

    @property
    def name(self) -> str:
        """The runtime's name in paths of products."""
        return word(self.runtime)

    @property
    def accepts(self) -> Target:
        """The target whose wheels the interpreter itself can load: this host's glibc is newer than the floor."""
        glibc = hosts.glibc()
        newer = glibc if self.target.libc == "gnu" and glibc and glibc > self.target.floor_version else None
        return replace(self.target, floor=f"{newer[0]}.{newer[1]}") if newer else self.target


def word(runtime: Runtime) -> str:
    """Return the name of a runtime for paths of products."""
    return runtime.output_dir.removeprefix("runtime/").replace("/", "-")
