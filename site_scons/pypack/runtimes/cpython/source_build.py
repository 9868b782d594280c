"""The temporary folder in which one source archive is built: its tree, the libraries it needs, the compiler."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.formats import archive, image
from pypack.formats.headers import EPOCH
from pypack.runtimes.cpython import patches, tools
from pypack.runtimes.cpython.compiler import Compiler, link_flags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pypack.formats.image import ImageBuilder
    from pypack.steps.step import Context


@dataclass(frozen=True, kw_only=True)
class SourceBuild:
    """The environment of a recipe. ``tree`` is the unpacked and patched source, ``env`` the environment of commands."""

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

    def fill_in(self, text: str, **more: str) -> str:
        """Replace ``{jobs}``, ``{triple}``, ``{build}`` and the target's words in a word of a command."""
        triple = str(self.params["triple"])
        # never equal to the target's triple, so that no script runs a program that it built
        build = f"{triple.split('-', 1)[0]}-build-linux-musl"
        values = {"jobs": str(self.jobs), "triple": triple, "build": build, **self.params["words"], **more}
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def licences(self, builder: ImageBuilder) -> None:
        """Add the licence texts of the source to an image."""
        for name in self.params["licence_files"]:
            builder.add_file(f"share/licenses/{self.params['name']}/{Path(name).name}", self.tree / name)


@contextmanager
def opened(context: Context) -> Iterator[SourceBuild]:
    """Unpack the inputs: the archive, the libraries, with ``cross`` a Python to build with; the last are patches."""
    tools.check(context.unhashed["host_tools"])
    with tempfile.TemporaryDirectory(prefix="pypack-source-") as name:
        root = Path(name).resolve()
        tree, deps = root / "tree", root / "deps"
        packed, *others = context.inputs
        needs, others = _cut(others, len(context.params["needs"]))
        pythons, others = _cut(others, 1 if context.params.get("cross") else 0)
        archive.extract(packed, root / "tree.tar", strip=1)
        image.unpack(root / "tree.tar", tree)
        (root / "tree.tar").unlink()
        for part in ("include", "lib"):
            (deps / part).mkdir(parents=True)
        for need in needs:
            image.unpack(need, deps)
        _patch(context, others, tree)
        _same_time(tree)
        compiler = _compiler(context, root, deps)
        tools_folder = compiler.install()
        for python in pythons:
            _build_python(python, root / "build", tools_folder / "build-python")
        env = compiler.environment(tools_folder)
        yield SourceBuild(context=context, root=root, tree=tree, deps=deps, env=env)


def _cut(paths: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    return list(paths[:count]), list(paths[count:])


def _compiler(context: Context, root: Path, deps: Path) -> Compiler:
    target, build = context.params["zig_target"], context.unhashed["build_zig"]
    return Compiler(target=target, build=build, root=root, deps=deps, link=link_flags(target, context.params["kind"]))


def _build_python(image_file: Path, folder: Path, program: Path) -> None:
    """Unpack what a Python needs to run, and make it a program of this build."""
    image.unpack(image_file, folder, only=lambda member: member.path.startswith(("bin/", "lib/python")))
    interpreter = next(iter(sorted(folder.glob("bin/python3.*"))))
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _patch(context: Context, files: Sequence[Path], tree: Path) -> None:
    for patch, file in zip(context.unhashed["patches"], files, strict=True):
        patches.apply(replace(patch, file=file), tree, context.params["version"])


def _same_time(tree: Path) -> None:
    # with equal times make does not run the generators of files that are in the archive
    for folder, _, files in os.walk(tree):
        for name in files:
            os.utime(Path(folder, name), (EPOCH, EPOCH), follow_symlinks=False)
