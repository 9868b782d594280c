"""Builds CPython into one image: interpreter, standard library, headers, archives, description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pypack.base.version import minor_of
from pypack.errors import StepError
from pypack.formats import binaries
from pypack.formats.image import ImageBuilder
from pypack.runtimes.cpython import cleaning, description, source_build, symbols

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.runtimes.cpython.source_build import SourceBuild
    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

_BUILT_IN = re.compile(r'^\s*\{"(\w+)", PyInit_', re.MULTILINE)
_NEVER = frozenset({"__pycache__", "test", "tests", "idle_test"})


def build(context: Context) -> None:
    """Step: build CPython from its source archive -> an image of its install prefix."""
    params = context.params
    with source_build.opened(context) as build:
        with context.timed(f"cpython {params['version']}: configure"):
            _configure(build)
        with context.timed(f"cpython {params['version']}: make"):
            build.run(["make", f"-j{build.jobs}", *_targets(build)])
        _check_modules(build)
        install = ["make", "inclinstall", "libainstall", f"DESTDIR={build.root / 'out'}"]
        # the targets above are built already: make must not build anything else for them
        build.run([*install, "-o", "all", "-o", "scripts"])
        with ImageBuilder("cpython", folder=context.product.parent) as builder:
            _collect(build, builder)
            builder.write(context.product)
        if "floor" in params:
            check_floor(context.product, params["floor"])


def check_floor(image: Path, floor: str) -> None:
    """Raise if anything in ``image`` asks for a glibc newer than ``floor`` (``2.17``)."""
    needed = binaries.glibc_floor([image])
    if needed and needed.version > tuple(int(part) for part in floor.split(".")):
        raise StepError(
            f"cpython: what was built needs {needed}, but the target's floor is glibc {floor}",
            hint="look at how that file is linked; zig's target in runtimes/targets.toml names the glibc",
            docs=_DOCS,
        )


def minor(version: str) -> str:
    """Return ``3.13`` of ``3.13.5``."""
    return minor_of(version)


def _targets(build: SourceBuild) -> list[str]:
    return [word.replace("{minor}", minor(build.params["version"])) for word in build.params["recipe"]["make"]]


def _is_shared(build: SourceBuild) -> bool:
    return bool(build.params["kind"] == "shared")


def _configure(build: SourceBuild) -> None:
    recipe = build.params["recipe"]
    if not _is_shared(build):
        symbols.write(build.tree, recipe["symbols"])
    setup = "".join(f"{line}\n" for line in recipe.get("setup", ()))
    (build.tree / "Modules" / "Setup.local").write_text(setup, encoding="utf-8")
    for path, content in recipe.get("files", {}).items():
        (build.tree / path).write_text(content.lstrip("\n"), encoding="utf-8")
    cross = bool(build.params.get("cross"))
    options = [*recipe["configure"], *(recipe["cross"] if cross else ())]
    # without cross-compiling, the build machine is the target
    options = [build.fill_in(word, **({} if cross else {"build": build.params["triple"]})) for word in options]
    build.run(["./configure", *options], env=recipe["environment"])


def _check_modules(build: SourceBuild) -> None:
    """Raise :class:`StepError` if a required module was not built: configure omits modules without an error."""
    built = {*_BUILT_IN.findall((build.tree / "Modules" / "config.c").read_text(encoding="utf-8"))}
    built |= {path.name.split(".")[0] for path in description.extensions(build.tree)}
    missing = [name for name in build.params["recipe"]["modules"] if name not in built]
    if missing:
        raise StepError(
            f"cpython: these modules were not built: {', '.join(missing)}",
            hint="run again with -vv and look for what configure says about them",
            docs=_DOCS,
        )


def _collect(build: SourceBuild, builder: ImageBuilder) -> None:
    name = minor(build.params["version"])
    stdlib = f"lib/python{name}"
    builder.add_file(f"bin/python{name}", build.tree / "python")
    for alias in ("python3", "python"):
        builder.add_link(f"bin/{alias}", f"python{name}")
    _add_stdlib(build.tree / "Lib", stdlib, builder)
    builder.add_dir(f"{stdlib}/lib-dynload")  # getpath warns when it is not there
    for path in description.extensions(build.tree):
        builder.add_file(f"{stdlib}/lib-dynload/{path.name}", path)
    builder.add_dir(f"{stdlib}/site-packages")
    built = build.tree / (build.tree / "pybuilddir.txt").read_text(encoding="utf-8").strip()
    for path in sorted(built.glob("_sysconfigdata_*.py")):
        builder.add(f"{stdlib}/{path.name}", cleaning.sysconfig(path.read_bytes(), build.root))
    _add_installed(build, builder)
    if _is_shared(build):
        builder.add_file(f"lib/libpython{name}.so.1.0", build.tree / f"libpython{name}.so.1.0")
        builder.add_link(f"lib/libpython{name}.so", f"libpython{name}.so.1.0")
    else:
        for path in description.private_archives(build.tree):
            builder.add_file(f"lib/{path.name}", path)
    builder.add("python.json", description.text(build))
    build.licences(builder)


def _add_stdlib(folder: Path, under: str, builder: ImageBuilder) -> None:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not _NEVER & set(inside.parts):
            builder.add_file(f"{under}/{inside.as_posix()}", path)


def _add_installed(build: SourceBuild, builder: ImageBuilder) -> None:
    """Add headers and the ``config-…`` folder as ``make`` installed them, without paths of this build."""
    out = build.root / "out" / "install"
    library = f"libpython{minor(build.params['version'])}.a"
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
            builder.add(name, cleaning.text(path.read_bytes(), build.root), executable=path.stat().st_mode & 0o100 != 0)
