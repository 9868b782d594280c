"""Build one C library into an image of its install prefix: ``include/``, ``lib/``, ``lib/pkgconfig/``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from pypack.errors import StepError
from pypack.formats.image import ImageBuilder
from pypack.runtimes.cpython import source_build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypack.runtimes.cpython.source_build import SourceBuild
    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

_MODULE = """\
prefix=${{pcfiledir}}/../..
includedir=${{prefix}}/include
libdir=${{prefix}}/lib

Name: {name}
Description: {name}
Version: {version}
Libs: -L${{libdir}} {libs}
Cflags: -I${{includedir}}
"""


def build(context: Context) -> None:
    """Step: build one library by ``params["recipe"]`` -> an image of its install prefix."""
    params = context.params
    with context.timed(f"{params['name']} {params['version']}"), source_build.opened(context) as build:
        recipe: Mapping[str, Any] = params["recipe"]
        for path, content in recipe.get("files", {}).items():
            (build.tree / path).write_text(content.lstrip("\n"), encoding="utf-8")
        for command in recipe.get("commands", ()):
            build.run([build.fill_in(word) for word in command])
        archives = [build.tree / name for name in recipe.get("libraries", ())]
        if "archive" in recipe:
            archives.append(_compile(build, recipe))
        with ImageBuilder(params["name"], folder=context.product.parent) as builder:
            _collect(build, recipe, archives, builder)
            builder.write(context.product)


def _compile(build: SourceBuild, recipe: Mapping[str, Any]) -> Path:
    """Compile the recipe's source files, and return the archive of the objects."""
    skip = recipe.get("exclude", ())
    names = [
        path.relative_to(build.tree).as_posix() for pattern in recipe["sources"] for path in _glob(build.tree, pattern)
    ]
    names = sorted(name for name in names if not any(fnmatch(name, pattern) for pattern in skip))
    flags = [f"-I{folder}" for folder in recipe.get("include", ())] + [
        f"-D{word}" for word in recipe.get("defines", ())
    ]
    objects = [name.replace("/", "-").rsplit(".", 1)[0] + ".o" for name in names]

    def one(name: str, object_name: str) -> None:
        build.run(["cc", *flags, "-fPIC", "-c", name, "-o", object_name])

    with ThreadPoolExecutor(build.jobs) as pool:
        list(pool.map(one, names, objects))
    build.run(["ar", "rcs", recipe["archive"], *objects])
    return build.tree / str(recipe["archive"])


def _collect(build: SourceBuild, recipe: Mapping[str, Any], archives: list[Path], builder: ImageBuilder) -> None:
    root = build.tree / recipe.get("header_root", ".")
    for pattern in recipe.get("headers", ()):
        for path in _glob(root, pattern):
            builder.add_file(f"include/{path.relative_to(root).as_posix()}", path)
    for path in archives:
        if not path.is_file():
            raise StepError(
                f"{build.params['name']}: its build made no {path.name}",
                hint="run again with -vv to see every command",
                docs=_DOCS,
            )
        builder.add_file(f"lib/{path.name}", path)
    for name, libs in recipe.get("modules", {}).items():
        text = _MODULE.format(name=name, version=build.params["version"], libs=libs)
        builder.add(f"lib/pkgconfig/{name}.pc", text.encode())
    build.licences(builder)


def _glob(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise StepError(
            f"there is no file {pattern!r} in the sources",
            hint="correct the recipe in runtimes/sources.toml",
            docs=_DOCS,
        )
    return files
