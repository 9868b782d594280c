"""The steps from an archive in PBS's layout to a runtime: extract, patch, dev."""

from __future__ import annotations

import io
import posixpath
import re
from typing import TYPE_CHECKING

from pypack.base import hosts
from pypack.base.notes import Note
from pypack.base.targets import Layout
from pypack.base.version import minor_of
from pypack.errors import ArchiveError
from pypack.runtimes import cpython
from pypack.steps.step import Context, Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.formats.binaries import Binary
    from pypack.formats.image import ImageBuilder

INSTALL = "/install"
"""The prefix that PBS configures CPython with."""
BUILD = ("/build", "/tools")
"""Folders that exist only on the machines that build PBS."""

_POSIX = (
    "include", "share", "lib/pkgconfig", "lib/*.a",
    "{stdlib}/config-*", "{stdlib}/build-details.json", "{stdlib}/_sysconfig_vars*.json",
    "{stdlib}/lib-dynload/_test*", "{stdlib}/lib-dynload/_ctypes_test*", "{stdlib}/lib-dynload/_xx*",
    "{stdlib}/lib-dynload/xx*",
)  # fmt: skip
_WINDOWS = ("Scripts", "include", "libs", "share", "**/*.pdb", "DLLs/_test*", "DLLs/_ctypes_test*", "DLLs/xx*")
_STDLIB = (
    "{stdlib}/test", "{stdlib}/*/test", "{stdlib}/*/tests", "{stdlib}/idlelib", "{stdlib}/turtledemo",
    "{stdlib}/lib2to3", "{site_packages}/*", "**/__pycache__",
)  # fmt: skip
_TKINTER = (
    "{stdlib}/tkinter", "{stdlib}/turtle.py", "{stdlib}/lib-dynload/_tkinter*", "DLLs/_tkinter*", "DLLs/tcl*",
    "DLLs/tk*", "tcl", "lib/tcl*", "lib/tk*", "lib/itcl*", "lib/thread*", "lib/libtcl*", "lib/libtk*",
)  # fmt: skip
_MODULE = re.compile(r"\{stdlib\}/(?:lib-dynload/)?(\w+)(?:\.py|\*)?")
_DEV = ("include", "libs", "lib/*.a", "lib/libpython*", "lib/pkgconfig", "{stdlib}/config-*/*.a", "PYTHON.json")


def extract(product: str, source: Step | Path, *, under: str = "") -> Step:
    """Return the step that converts an archive to an image of its folder ``under``."""
    return Step(product=product, action="extract", version=1, run=_extract, inputs=(source,), params={"under": under})


def patch(product: str, archive_image: Step, target: Target, version: str, *, tkinter: bool = True) -> Step:
    """Return the step that makes the runtime image, without tests, tools, build files and build paths.

    It also removes site-packages (pip): a bundle has its own packages.
    """
    layout = _layout(target, version)
    patterns = [*_STDLIB, *(_WINDOWS if target.container == "pe" else _POSIX), *(() if tkinter else _TKINTER)]
    return Step(
        product=product,
        action="patch",
        version=2 if target.container == "macho" else 1,  # 2: names inside Mach-Os are rewritten
        run=_patch,
        inputs=(archive_image,),
        params={
            "drop": [pattern.format(**vars(layout)) for pattern in patterns],
            "install": INSTALL,
            "build": list(BUILD),
            "programs": [layout.python, "bin/python3", "bin/python"],
            "layout": vars(layout),
            "container": target.container,
            "arch": target.arch,
            "libc": target.libc,
        },
    )


def dev(product: str, archive_image: Step, target: Target, version: str) -> Step:
    """Return the step that makes the image of headers and libraries."""
    patterns = [pattern.format(**vars(_layout(target, version))) for pattern in _DEV]
    params = {"keep": patterns, "install": INSTALL, "build": list(BUILD)}
    return Step(product=product, action="dev", version=1, run=_dev, inputs=(archive_image,), params=params)


def with_loader(image: Step, target: Target, *, static: bool = False) -> tuple[Step, str]:
    """Return a runtime image that includes the dynamic loader it needs, and the loader's path in it.

    A shared runtime for musl gets musl's loader if this host can build it; any other image is returned with ``""``.
    """
    if static or target.libc != "musl" or hosts.system() != "linux":
        return image, ""
    return cpython.with_loader(image, target), cpython.loader_path(target)


def notes(target: Target, *, static: bool = False) -> tuple[Note, ...]:
    """Return the warnings about a PBS runtime for ``target``."""
    if target.libc == "musl" and not static:
        loader = f"/lib/ld-musl-{target.arch}.so.1"
        text = f"this runtime starts only where {loader} is; --runtime source makes one that runs on any Linux"
        return (Note("runtime-loader", text),)
    return ()


def missing_modules(*, tkinter: bool = True) -> tuple[str, ...]:
    """Return the modules of the standard library that :func:`patch` leaves out, sorted."""
    matches = (_MODULE.fullmatch(pattern) for pattern in (*_STDLIB, *(() if tkinter else _TKINTER)))
    return tuple(sorted(match[1] for match in matches if match))


def mismatch(
    binary: Binary | None, *, container: str, arch: str, libc: str, what: str = "its interpreter"
) -> str:  # fmt: skip
    """Say why an executable does not belong to a target with these features, in one clause, or ``""``.

    ``what`` is how the clause names the executable.
    """
    if binary is None:
        return f"{what} is no executable"
    if binary.container != container or arch not in binary.machines:
        return f"{what} is {binary.container} for {', '.join(binary.machines)}, not {container} for {arch}"
    if libc and binary.libc and binary.libc != libc:
        return f"{what} is linked with {binary.libc}'s C library, not with {libc}'s"
    return ""


def _layout(target: Target, version: str) -> Layout:
    return target.layout.at(minor_of(version))


def _extract(context: Context) -> None:
    from pypack.formats import archive

    archive.extract(context.inputs[0], context.product, under=context.params["under"])


def _patch(context: Context) -> None:
    from pypack.formats import image
    from pypack.formats import patch as change
    from pypack.formats.macho import install_names

    params, layout = context.params, Layout(**context.params["layout"])

    def run(builder: ImageBuilder) -> None:
        check(builder, layout, container=params["container"], arch=params["arch"], libc=params["libc"])
        change.drop(builder, params["drop"])
        builder.filter(lambda path: not path.startswith("bin/") or path in params["programs"])
        change.clean_sysconfig(builder, layout.stdlib, install=params["install"], build=params["build"])
        if params["container"] == "macho":  # ELF and PE find their libraries relative to themselves
            install_names.fix(builder, python=layout.python, libpython=layout.libpython)
        change.unlink_lost(builder)
        builder.add_dir(layout.site_packages)

    image.rewrite(context.inputs[0], context.product, run, name=context.inputs[0].name)


def _dev(context: Context) -> None:
    from pypack.formats import image
    from pypack.formats import patch as change

    params = context.params

    def run(builder: ImageBuilder) -> None:
        if not change.keep(builder, params["keep"]):
            raise ArchiveError(
                f"{context.inputs[0].name} has neither headers nor libraries", hint="use another runtime"
            )
        change.clean_pkgconfig(builder, install=params["install"], build=params["build"])
        change.unlink_lost(builder)

    image.rewrite(context.inputs[0], context.product, run, name=context.inputs[0].name)


def check(builder: ImageBuilder, layout: Layout, *, container: str, arch: str, libc: str) -> None:
    """Refuse a tree that is not a runtime of this layout, or is for another system."""
    from pypack.formats import binaries

    paths = set(builder.paths())
    landmark = f"{layout.stdlib}/os.py"  # or its bytecode, where the standard library comes without sources
    missing = [path for path in (layout.python, landmark) if not {path, f"{path}c"} & paths]
    if missing:
        raise ArchiveError(f"this is no runtime: it has no {' and no '.join(missing)}", hint="use another runtime")
    names = {layout.python: "its interpreter"}
    if container != "elf" and layout.libpython in builder:  # what the launcher opens, and python.exe is small beside
        names[layout.libpython] = f"its {posixpath.basename(layout.libpython)}"
    for path, what in names.items():
        binary = binaries.read(io.BytesIO(builder.read(_real(builder, path))))
        if fault := mismatch(binary, container=container, arch=arch, libc=libc, what=what):
            raise ArchiveError(f"this runtime is for another system: {fault}", hint="use a runtime of the target")


def _real(builder: ImageBuilder, path: str) -> str:
    """Return the path of the file that ``path`` resolves to through links in the tree."""
    real = builder.real(path)
    if not real:
        raise ArchiveError(f"this is no runtime: {path} leads nowhere", hint="use another runtime")
    return real
