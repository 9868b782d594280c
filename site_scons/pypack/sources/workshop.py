"""The temporary folder in which one source archive is built: its tree, the libraries it needs, the compiler."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.images import archive, image
from pypack.images.image import EPOCH, ImageBuilder
from pypack.sources import patches, tools
from pypack.sources.compiler import Compiler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pypack.pipeline import Context


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What a recipe works with. ``tree`` is the unpacked and patched source, ``env`` the environment of commands."""

    context: Context
    root: Path
    tree: Path
    deps: Path
    env: Mapping[str, str]

    @property
    def params(self) -> Mapping[str, Any]:
        """The step's parameters."""
        return self.context.params

    @property
    def jobs(self) -> int:
        """How many programs may run at the same time."""
        return max(1, self.context.settings.jobs)

    def run(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> str:
        """Run a program in the tree and return what it printed; ``env`` is added to the environment."""
        return self.context.run(command, cwd=cwd or self.tree, env={**self.env, **(env or {})})

    def fill_in(self, text: str) -> str:
        """Replace ``{jobs}``, ``{triple}`` and the target's words in a word of a command."""
        words = {"jobs": str(self.jobs), "triple": self.params["triple"], **self.params["words"]}
        for name, value in words.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def licences(self, builder: ImageBuilder) -> None:
        """Add the licence texts of the source to an image."""
        for name in self.params["licence_files"]:
            builder.add_file(f"share/licenses/{self.params['name']}/{Path(name).name}", self.tree / name)


@contextmanager
def opened(context: Context) -> Iterator[Workshop]:
    """Unpack the archive (first input), the libraries (following inputs) and apply the patches (last inputs)."""
    tools.check(context.params["host_tools"].value)
    with tempfile.TemporaryDirectory(prefix="pypack-source-") as name:
        root = Path(name).resolve()
        tree, deps = root / "tree", root / "deps"
        packed, *others = context.inputs
        needs = others[: len(context.params["needs"])]
        archive.extract(packed, root / "tree.tar", strip=1)
        image.unpack(root / "tree.tar", tree)
        (root / "tree.tar").unlink()
        for part in ("include", "lib"):
            (deps / part).mkdir(parents=True)
        for need in needs:
            image.unpack(need, deps)
        _patch(context, others[len(needs) :], tree)
        _same_time(tree)
        static = context.params["kind"] == "static"
        compiler = Compiler(target=context.params["zig_target"], root=root, deps=deps, static=static)
        env = compiler.environment(compiler.install())
        yield Workshop(context=context, root=root, tree=tree, deps=deps, env=env)


def _patch(context: Context, files: Sequence[Path], tree: Path) -> None:
    for patch, file in zip(context.params["patches"].value, files, strict=True):
        patches.apply(replace(patch, file=file), tree, context.params["version"])


def _same_time(tree: Path) -> None:
    # equal times keep make from running the generators of files that the archive brings along
    for folder, _, files in os.walk(tree):
        for name in files:
            os.utime(Path(folder, name), (EPOCH, EPOCH), follow_symlinks=False)
