"""Build CPython into one whole image: interpreter, standard library, headers, archives, description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pypack import binaries
from pypack.errors import StepError
from pypack.images.image import ImageBuilder
from pypack.sources import cleaning, description, symbols, workshop

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.pipeline import Context
    from pypack.sources.workshop import Workshop

_BUILT_IN = re.compile(r'^\s*\{"(\w+)", PyInit_', re.MULTILINE)
_NEVER = frozenset({"__pycache__", "test", "tests", "idle_test"})


def build(context: Context) -> None:
    """The step's function."""
    params = context.params
    with workshop.opened(context) as shop:
        with context.timed(f"cpython {params['version']}: configure"):
            _configure(shop)
        with context.timed(f"cpython {params['version']}: make"):
            shop.run(["make", f"-j{shop.jobs}", *_targets(shop)])
        _check_modules(shop)
        install = ["make", "inclinstall", "libainstall", f"DESTDIR={shop.root / 'out'}"]
        # what the targets above made is there: nothing else shall be built for them
        shop.run([*install, "-o", "all", "-o", "scripts"])
        with ImageBuilder("cpython", folder=context.product.parent) as builder:
            _collect(shop, builder)
            builder.write(context.product)
        if "floor" in params:
            check_floor(context.product, params["floor"])


def check_floor(image: Path, floor: str) -> None:
    """Raise if anything in ``image`` asks for a glibc newer than ``floor`` (``2.17``)."""
    found = binaries.glibc_floor([image])
    if found and found.version > tuple(int(part) for part in floor.split(".")):
        raise StepError(
            f"cpython: what was built needs {found}, but the target's floor is glibc {floor}",
            do="look at how that file is linked; zig's target in runtimes/targets.toml names the glibc",
        )


def minor(version: str) -> str:
    """Return ``3.13`` of ``3.13.5``."""
    return ".".join(version.split(".")[:2])


def _targets(shop: Workshop) -> list[str]:
    return [word.replace("{minor}", minor(shop.params["version"])) for word in shop.params["recipe"]["make"]]


def _is_shared(shop: Workshop) -> bool:
    return bool(shop.params["kind"] == "shared")


def _configure(shop: Workshop) -> None:
    recipe = shop.params["recipe"]
    if not _is_shared(shop):
        symbols.write(shop.tree, recipe["symbols"])
    setup = "".join(f"{line}\n" for line in recipe.get("setup", ()))
    (shop.tree / "Modules" / "Setup.local").write_text(setup, encoding="utf-8")
    for path, content in recipe.get("files", {}).items():
        (shop.tree / path).write_text(content.lstrip("\n"), encoding="utf-8")
    cross = bool(shop.params.get("cross"))
    words = [*recipe["configure"], *(recipe["cross"] if cross else ())]
    # one that drives its own build is built where it runs
    options = [shop.fill_in(word, **({} if cross else {"build": shop.params["triple"]})) for word in words]
    shop.run(["./configure", *options], env=recipe["environment"])


def _check_modules(shop: Workshop) -> None:
    """Compare what was built with what must be there; configure leaves modules out without an error."""
    built = {*_BUILT_IN.findall((shop.tree / "Modules" / "config.c").read_text(encoding="utf-8"))}
    built |= {path.name.split(".")[0] for path in description.extensions(shop.tree)}
    missing = [name for name in shop.params["recipe"]["modules"] if name not in built]
    if missing:
        raise StepError(
            f"cpython: these modules were not built: {', '.join(missing)}",
            do="run again with verbose=1 and look for what configure says about them",
        )


def _collect(shop: Workshop, builder: ImageBuilder) -> None:
    name = minor(shop.params["version"])
    stdlib = f"lib/python{name}"
    builder.add_file(f"bin/python{name}", shop.tree / "python")
    for alias in ("python3", "python"):
        builder.add_link(f"bin/{alias}", f"python{name}")
    _add_stdlib(shop.tree / "Lib", stdlib, builder)
    builder.add_dir(f"{stdlib}/lib-dynload")  # getpath warns when it is not there
    for path in description.extensions(shop.tree):
        builder.add_file(f"{stdlib}/lib-dynload/{path.name}", path)
    builder.add_dir(f"{stdlib}/site-packages")
    built = shop.tree / (shop.tree / "pybuilddir.txt").read_text(encoding="utf-8").strip()
    for path in sorted(built.glob("_sysconfigdata_*.py")):
        builder.add(f"{stdlib}/{path.name}", cleaning.sysconfig(path.read_bytes(), shop.root))
    _add_installed(shop, builder)
    if _is_shared(shop):
        builder.add_file(f"lib/libpython{name}.so.1.0", shop.tree / f"libpython{name}.so.1.0")
        builder.add_link(f"lib/libpython{name}.so", f"libpython{name}.so.1.0")
    else:
        for path in description.private_archives(shop.tree):
            builder.add_file(f"lib/{path.name}", path)
    builder.add("python.json", description.text(shop))
    shop.licences(builder)


def _add_stdlib(folder: Path, under: str, builder: ImageBuilder) -> None:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not _NEVER & set(inside.parts):
            builder.add_file(f"{under}/{inside.as_posix()}", path)


def _add_installed(shop: Workshop, builder: ImageBuilder) -> None:
    """Add headers and the ``config-…`` folder as ``make`` installed them, without paths of this build."""
    out = shop.root / "out" / "install"
    library = f"libpython{minor(shop.params['version'])}.a"
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if not path.is_file() or path.is_symlink() or name.startswith("bin/"):
            continue
        if path.name == library:
            builder.add_link(name, f"../../{library}")
            builder.add_file(f"lib/{library}", path)
        elif path.suffix in {".a", ".o"} or name.startswith("include/"):
            builder.add_file(name, path)
        else:
            builder.add(name, cleaning.text(path.read_bytes(), shop.root), executable=path.stat().st_mode & 0o100 != 0)
