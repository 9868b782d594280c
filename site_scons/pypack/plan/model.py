"""Plans: all choices that are made before anything is built. The graph is a pure function of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.bytecode import compiler_image
from pypack.formats import selection

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.deps.build.builder import Builder
    from pypack.deps.build.source import Source
    from pypack.deps.lock import Wheel
    from pypack.deps.venv import Installed
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime
    from pypack.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class Packages:
    """The packages of one bundle, chosen for its target.

    ``lock`` is the file that names them, below ``.pypack/``, and ``stamp`` a hash over its inputs;
    ``names`` are the distributions in it. ``wheels`` are taken as they are, ``sources`` are built to wheels;
    ``installed`` are those of a virtual environment, each with the digest of its files.
    """

    lock: Path
    stamp: str
    names: tuple[str, ...]
    wheels: tuple[Wheel, ...] = ()
    sources: tuple[Source, ...] = ()
    installed: tuple[tuple[Installed, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All inputs of one bundle for one processor.

    ``files`` is the digest of the app's files; ``project_source`` is the program's own source if it is a distribution;
    ``packages`` are its dependencies, None where nothing names any. ``compiler_image`` compiles Python for the
    runtime's minor version; without one, sources are bundled as they are. ``builder`` is the complete interpreter that
    the compiler image is taken from; it builds packages.
    """

    project: Project
    target: Target
    runtime: Runtime
    files: str
    compiler_image: Step | None
    builder: Builder | None = None
    project_source: Source | None = None
    packages: Packages | None = None

    @property
    def output_dir(self) -> str:
        """Folder below ``.pypack/`` for the products of this project and target."""
        return f"apps/{self.project.name}/{self.target.name}"

    @property
    def launch(self) -> str:
        """How the launcher starts Python."""
        return self.project.launch or self.target.launch

    @property
    def sources(self) -> bool:
        """Whether .py files are bundled."""
        return self.project.sources or self.compiler_image is None

    @property
    def variant(self) -> str:
        """Part of the names of compiled products, so that products compiled with other options have other names."""
        optimized = f"-opt{self.project.optimize}" if self.project.optimize and self.compiler_image else ""
        return f"{'' if self.sources else '-nosource'}{optimized}"

    def rules(self, distribution: str) -> selection.Rules:
        """Return which files of a distribution, or of ``stdlib``, are excluded."""
        project = self.project
        return selection.rules(distribution, project.exclude_packages, tests=project.exclude_tests)

    @property
    def compiler_id(self) -> str:
        """Name of the interpreter that compiles, as part of product names."""
        image = self.compiler_image
        if image is None:
            return "plain"
        return image.product.removesuffix(f"/{compiler_image.PRODUCT}").removeprefix("runtime/").replace("/", "-")

    @property
    def compiler(self) -> dict[str, Any]:
        """The parameters of a step that compiles; ``python`` is ``""`` where nothing can."""
        return {
            "minor": self.runtime.minor if self.compiler_image else "",  # what is not compiled serves every version
            "python": self.compiler_image.params["members"][0] if self.compiler_image else "",
            "sources": self.sources,
            "optimize": self.project.optimize if self.compiler_image else 0,
        }


@dataclass(frozen=True, kw_only=True)
class BundlePlan:
    """The inputs of one output file: one plan, or one for each processor that it supports."""

    target: Target
    parts: tuple[Plan, ...]
