"""What one bundle is made from, and what follows from that for the names and parameters of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.packages import selection

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.packages.building.builder import Builder
    from pypack.pipeline import Step
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that one bundle is made from.

    ``files`` is the digest of the app's files, ``build`` the folder of products, on the disk. ``kit`` makes the image
    that compiles Python for the runtime's minor version; without one, sources are bundled as they are. ``builder`` is
    the whole interpreter that the kit is cut from: packages are built by it.
    """

    project: Project
    target: Target
    runtime: Runtime
    files: str
    build: Path
    kit: Step | None
    builder: Builder | None = None
    offline: bool = False

    @property
    def place(self) -> str:
        """Folder below ``build/`` for what is made of the project for this target."""
        return f"apps/{self.project.name}/{self.target.name}"

    @property
    def launch(self) -> str:
        """How the launcher starts Python."""
        return self.project.launch or self.target.launch

    @property
    def sources(self) -> bool:
        """Whether .py files are bundled."""
        return self.project.sources or self.kit is None

    @property
    def flavour(self) -> str:
        """A part of the names of what is compiled, so that what was compiled differently has another one."""
        optimized = f"-opt{self.project.optimize}" if self.project.optimize and self.kit else ""
        return f"{'' if self.sources else '-nosource'}{optimized}"

    def rules(self, distribution: str) -> selection.Rules:
        """Return what of a distribution, or of ``stdlib``, stays out."""
        project = self.project
        return selection.rules(distribution, project.exclude_packages, tests=project.exclude_tests)

    @property
    def by(self) -> str:
        """A word for the interpreter that compiles, for the names of products."""
        kit = self.kit
        return kit.product.removesuffix("/kit.tar").removeprefix("runtime/").replace("/", "-") if kit else "plain"

    @property
    def compiler(self) -> dict[str, Any]:
        """The parameters of a step that compiles; ``python`` is ``""`` where nothing can."""
        return {
            "minor": self.runtime.minor if self.kit else "",  # what is not compiled serves every version
            "python": self.kit.params["members"][0] if self.kit else "",
            "sources": self.sources,
            "optimize": self.project.optimize if self.kit else 0,
        }
