"""Build one C library into an image of its install prefix: ``include/``, ``lib/``, ``lib/pkgconfig/``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from pypack.errors import StepError
from pypack.images.image import ImageBuilder
from pypack.sources import workshop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypack.pipeline import Context
    from pypack.sources.workshop import Workshop

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
    """The step's function: follow the recipe in ``params["recipe"]``."""
    params = context.params
    with context.timed(f"{params['name']} {params['version']}"), workshop.opened(context) as shop:
        recipe: Mapping[str, Any] = params["recipe"]
        for path, content in recipe.get("files", {}).items():
            (shop.tree / path).write_text(content.lstrip("\n"), encoding="utf-8")
        for command in recipe.get("commands", ()):
            shop.run([shop.fill_in(word) for word in command])
        archives = [shop.tree / name for name in recipe.get("libraries", ())]
        if "archive" in recipe:
            archives.append(_compile(shop, recipe))
        with ImageBuilder(params["name"], folder=context.product.parent) as builder:
            _collect(shop, recipe, archives, builder)
            builder.write(context.product)


def _compile(shop: Workshop, recipe: Mapping[str, Any]) -> Path:
    """Compile the recipe's files one by one and put the objects into its archive."""
    skip = recipe.get("exclude", ())
    names = [
        path.relative_to(shop.tree).as_posix() for pattern in recipe["sources"] for path in _found(shop.tree, pattern)
    ]
    names = sorted(name for name in names if not any(fnmatch(name, pattern) for pattern in skip))
    flags = [f"-I{folder}" for folder in recipe.get("include", ())] + [
        f"-D{word}" for word in recipe.get("defines", ())
    ]
    objects = [name.replace("/", "-").rsplit(".", 1)[0] + ".o" for name in names]

    def one(name: str, into: str) -> None:
        shop.run(["cc", *flags, "-fPIC", "-c", name, "-o", into])

    with ThreadPoolExecutor(shop.jobs) as pool:
        list(pool.map(one, names, objects))
    shop.run(["ar", "rcs", recipe["archive"], *objects])
    return shop.tree / str(recipe["archive"])


def _collect(shop: Workshop, recipe: Mapping[str, Any], archives: list[Path], builder: ImageBuilder) -> None:
    root = shop.tree / recipe.get("header_root", ".")
    for pattern in recipe.get("headers", ()):
        for path in _found(root, pattern):
            builder.add_file(f"include/{path.relative_to(root).as_posix()}", path)
    for path in archives:
        if not path.is_file():
            raise StepError(
                f"{shop.params['name']}: its build made no {path.name}",
                do="run again with verbose=1 to see every command",
            )
        builder.add_file(f"lib/{path.name}", path)
    for name, libs in recipe.get("modules", {}).items():
        text = _MODULE.format(name=name, version=shop.params["version"], libs=libs)
        builder.add(f"lib/pkgconfig/{name}.pc", text.encode())
    shop.licences(builder)


def _found(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise StepError(
            f"there is no file {pattern!r} in the sources", do="correct the recipe in runtimes/sources.toml"
        )
    return found
