"""The steps of a build from source: fetch and build each library, CPython, then the images of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack import fetch, zig
from pypack.pipeline import Hidden, Step
from pypack.sources import compiler, cpython, libraries, split

if TYPE_CHECKING:
    from pypack.sources.table import Source, Table, Variant
    from pypack.targets import Target


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Makes the steps for one target."""

    table: Table
    variant: Variant
    target: Target

    def libraries(self) -> dict[str, Step]:
        """Return one step for each library, by its name."""
        done: dict[str, Step] = {}
        for source in self.table.order():
            done[source.name] = Step(
                product=f"source/{self.target.name}/{source.name}-{source.version}.tar",
                action="library",
                version=1,
                run=libraries.build,
                inputs=(
                    fetch.step(source.pin),
                    *(done[need] for need in source.needs),
                    *(patch.file for patch in source.patches),
                ),
                params={**self._common(source), "recipe": source.recipe_for(self.target.arch)},
            )
        return done

    def whole(self) -> Step:
        """Return the step that makes CPython's whole image."""
        source, built = self.table.cpython, self.libraries()
        # what the runtime image goes without is decided in a later step
        recipe = {key: value for key, value in source.recipe.items() if key != "leave_out"}
        return Step(
            product=f"source/{self.target.name}/cpython-{source.version}.tar",
            action="cpython",
            version=1,
            run=cpython.build,
            inputs=(
                fetch.step(source.pin),
                *(built[need] for need in source.needs),
                *(patch.file for patch in source.patches),
            ),
            params={**self._common(source), "recipe": recipe},
        )

    def images(self) -> tuple[Step, Step]:
        """Return the steps of the runtime image and of the dev image."""
        source, whole = self.table.cpython, self.whole()
        parts = [whole, *whole.inputs[1:]]
        inputs = tuple(part for part in parts if isinstance(part, Step))
        place = f"source/{self.target.name}/python-{source.version}"
        runtime = Step(
            product=f"{place}.tar",
            action="runtime",
            version=1,
            run=split.runtime,
            inputs=inputs,
            params={"minor": cpython.minor(source.version), "leave_out": list(source.recipe["leave_out"])},
        )
        described = {
            one.name: {"version": one.version, "licence": one.licence, "sha256": one.pin.sha256}
            for one in (source, *self.table.order())
        }
        dev = Step(
            product=f"{place}-dev.tar",
            action="dev",
            version=1,
            run=split.dev,
            inputs=inputs,
            params={"sources": described},
        )
        return runtime, dev

    def _common(self, source: Source) -> dict[str, Any]:
        return {
            "name": source.name,
            "version": source.version,
            "target": self.target.name,
            "kind": self.variant.kind,
            "zig": zig.version(),
            "zig_target": self.target.runtime_zig,
            "flags": [*compiler.FRONT, *compiler.BEHIND],
            "triple": self.variant.triple,
            "words": dict(self.variant.words),
            "needs": list(source.needs),
            "licence_files": list(source.licence_files),
            "patches": Hidden(source.patches),
            "host_tools": Hidden(self._tools()),
        }

    def _tools(self) -> dict[str, str]:
        """Return all host tools of the build with their packages: the first step names all that are missing."""
        sources = (self.table.cpython, *self.table.order())
        return {tool: self.table.packages[tool] for source in sources for tool in source.tools}
