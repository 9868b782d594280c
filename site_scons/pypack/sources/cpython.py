"""Build CPython into one whole image: interpreter, standard library, headers, archives, description."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.images.image import ImageBuilder
from pypack.sources import cleaning, description, symbols, workshop

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.pipeline import Context
    from pypack.sources.workshop import Workshop

_MISSING = """\
import json, sys
wanted = json.loads(sys.argv[1])
print(json.dumps([name for name in wanted if name not in sys.builtin_module_names]))
"""
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


def minor(version: str) -> str:
    """Return ``3.13`` of ``3.13.5``."""
    return ".".join(version.split(".")[:2])


def _targets(shop: Workshop) -> list[str]:
    return [word.replace("{minor}", minor(shop.params["version"])) for word in shop.params["recipe"]["make"]]


def _configure(shop: Workshop) -> None:
    recipe = shop.params["recipe"]
    symbols.write(shop.tree, recipe["symbols"])
    (shop.tree / "Modules" / "Setup.local").write_text("\n".join(recipe["setup"]) + "\n", encoding="utf-8")
    options = [shop.fill_in(word) for word in recipe["configure"]]
    shop.run(["./configure", *options], env=recipe["environment"])


def _check_modules(shop: Workshop) -> None:
    """Compare what was built with what must be there; configure leaves modules out without an error."""
    wanted = json.dumps(shop.params["recipe"]["modules"])
    missing = json.loads(shop.run(["./python", "-I", "-S", "-c", _MISSING, wanted]))
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
    builder.add_dir(f"{stdlib}/site-packages")
    built = shop.tree / (shop.tree / "pybuilddir.txt").read_text(encoding="utf-8").strip()
    for path in sorted(built.glob("_sysconfigdata_*.py")):
        builder.add(f"{stdlib}/{path.name}", cleaning.sysconfig(path.read_bytes(), shop.root))
    _add_installed(shop, builder)
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
