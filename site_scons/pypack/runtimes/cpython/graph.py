"""The steps of a build from source: fetch and build each library, CPython, then the images of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.base import hosts, targets
from pypack.download import fetch
from pypack.runtimes.cpython import compiler, interpreter, libraries, loader, split, zlib
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.base.targets import Target
    from pypack.runtimes.cpython.table import Kind, Source, Table, Variant


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The steps of one variant.

    ``host`` is the processor of the build host. ``builder`` makes the Python that drives the build of CPython; it is
    None if the Python that is built runs on this host and can do that itself.
    """

    table: Table
    variant: Variant
    target: Target
    host: str
    builder: Graph | None = None

    def libraries(self) -> dict[str, Step]:
        """Return one step for each library, by its name. All kinds of one target share them: they are archives."""
        done: dict[str, Step] = {}
        usual = self.table.variants[self.target.name][0]
        for source in self.table.order():
            done[source.name] = Step(
                product=f"source/{self.target.name}/{source.name}-{source.version}.tar",
                action="library",
                version=1,
                run=libraries.build,
                inputs=(
                    fetch.step(source.pin),
                    *(done[need] for need in source.needs),
                    *(patch.file for patch in source.patches_for(usual.kind)),
                ),
                params={**self._common(source, usual), "recipe": self._recipe(source, usual)},
                unhashed=self._unhashed(source, usual),
                slow=True,
            )
        return done

    def whole(self) -> Step:
        """Return the step of CPython's complete image."""
        source, built = self.table.cpython, self.libraries()
        # a later step removes the modules of "leave_out"
        recipe = {key: value for key, value in self._recipe(source, self.variant).items() if key != "leave_out"}
        more: dict[str, Any] = {"cross": True} if self.builder else {}
        if self.target.libc == "gnu":
            more["floor"] = self.target.floor
        return Step(
            product=f"source/{self.target.name}/cpython-{source.version}{self._suffix}.tar",
            action="cpython",
            version=1,
            run=interpreter.build,
            inputs=(
                fetch.step(source.pin),
                *(built[need] for need in source.needs),
                *([self.builder.whole()] if self.builder else []),
                *(patch.file for patch in source.patches_for(self.variant.kind)),
            ),
            params={**self._common(source, self.variant), "recipe": recipe, **more},
            unhashed=self._unhashed(source, self.variant),
            slow=True,
        )

    def images(self) -> tuple[Step, Step]:
        """Return the steps of the runtime image and of the dev image."""
        source, built = self.table.cpython, self.libraries()
        inputs = (self.whole(), *(built[need] for need in source.needs))
        stem = f"source/{self.target.name}/python-{source.version}{self._suffix}"
        runtime = Step(
            product=f"{stem}.tar",
            action="runtime",
            version=1,
            run=split.runtime,
            inputs=inputs,
            params={"minor": interpreter.minor(source.version), "leave_out": list(source.recipe["leave_out"])},
        )
        described = {
            archive_source.name: {
                "version": archive_source.version,
                "licence": archive_source.licence,
                "sha256": archive_source.pin.sha256,
            }
            for archive_source in (source, *self.table.order())
        }
        dev = Step(
            product=f"{stem}-dev.tar",
            action="dev",
            version=1,
            run=split.dev,
            inputs=inputs,
            params={"sources": described},
        )
        return runtime, dev

    def loader(self) -> Step:
        """Return the step of an image of the loader of a shared musl runtime, and its licence."""
        source, shared = self.table.loader, self.table.variant(self.target.name, "shared")
        if source is None or shared is None or self.target.libc != "musl":
            raise ValueError(f"{self.target.name} takes no loader from sources.toml")
        return Step(
            product=f"source/{self.target.name}/loader-{source.version}.tar",
            action="loader",
            version=1,
            run=loader.build,
            inputs=(fetch.step(source.pin), *(patch.file for patch in source.patches_for(shared.kind))),
            params={
                **self._common(source, shared),
                "recipe": self._recipe(source, shared),
                "loader": loader.path(self.target),
                "links": list(loader.links(self.target)),
            },
            unhashed=self._unhashed(source, shared),
        )

    def zlib(self) -> Step:
        """Return the step of an image that holds zlib as a shared library, for wheels."""
        library = self.libraries()["zlib"]
        return Step(
            product=library.product.replace(".tar", "-shared.tar"),
            action="link",
            version=1,
            run=zlib.build,
            inputs=(library,),
            params={"zig": zig.version(), "zig_target": self.target.runtime_zig},
        )

    @property
    def _suffix(self) -> str:
        """Suffix in the product names of a kind other than the usual one."""
        return "" if self.variant.usual else f"-{self.variant.kind}"

    def _recipe(self, source: Source, variant: Variant) -> dict[str, Any]:
        return source.recipe_for(self.target.arch, self.target.libc, variant.kind)

    def _common(self, source: Source, variant: Variant) -> Mapping[str, Any]:
        return {
            "name": source.name,
            "version": source.version,
            "target": self.target.name,
            "kind": variant.kind,
            "zig": zig.version(),
            "zig_target": self.target.runtime_zig,
            "flags": [*compiler.FRONT, *compiler.BEHIND],
            "triple": variant.triple,
            "words": dict(variant.words),
            "needs": list(source.needs),
            "licence_files": list(source.licence_files),
        }

    def _unhashed(self, source: Source, variant: Variant) -> Mapping[str, Any]:
        """Return values of a build that are not hashed; the texts of the patches are inputs."""
        return {
            "patches": source.patches_for(variant.kind),
            # the compiler of build-time programs does not affect the products
            "build_zig": (self.builder or self).target.runtime_zig,
            "host_tools": self._tools(),
        }

    def _tools(self) -> dict[str, str]:
        """Return all host tools of the build with their packages: the first step names all that are missing."""
        sources = (self.table.cpython, *self.table.order())
        return {tool: self.table.packages[tool] for source in sources for tool in source.tools}


def for_target(table: Table, target: Target, kind: Kind | None = None, *, host: str = "") -> Graph:
    """Return the graph of ``kind`` (the usual one by default) for a target that the table has.

    ``host`` is the processor of the Linux machine that builds, by default this one's. The build interpreter is the
    static build of the same CPython for that processor, which starts on any Linux.
    """
    variant, host = table.variant(target.name, kind), host or hosts.arch()
    if variant is None:
        raise ValueError(f"{target.name} cannot be built from source ({kind or 'any kind'})")
    name = f"linux-musl-{host}"
    builds_itself = target.name == name and variant.kind == "static"
    builder = None if builds_itself else for_target(table, targets.load()[name], "static", host=host)
    return Graph(table=table, variant=variant, target=target, host=host, builder=builder)
