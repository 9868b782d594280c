"""The steps that make a runtime out of an archive in PBS's shape: extract, patch, dev."""

from __future__ import annotations

import io
import posixpath
import re
from typing import TYPE_CHECKING

from pypack import hosts, sources
from pypack.errors import ArchiveError
from pypack.pipeline import Context, Step
from pypack.targets import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.binaries import Binary
    from pypack.images.image import ImageBuilder
    from pypack.targets import Target

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
    """Return the step that turns an archive into an image of what stands below the folder ``under``."""
    return Step(product=product, action="extract", version=1, run=_extract, inputs=(source,), params={"under": under})


def patch(product: str, whole: Step, target: Target, version: str, *, tkinter: bool = True) -> Step:
    """Return the step that makes the runtime image: without tests, tools, build files and build paths.

    Site-packages go too (pip): a bundle brings its own packages.
    """
    layout = _layout(target, version)
    patterns = [*_STDLIB, *(_WINDOWS if target.container == "pe" else _POSIX), *(() if tkinter else _TKINTER)]
    return Step(
        product=product,
        action="patch",
        version=2 if target.container == "macho" else 1,  # 2: names inside Mach-Os are rewritten
        run=_patch,
        inputs=(whole,),
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


def dev(product: str, whole: Step, target: Target, version: str) -> Step:
    """Return the step that makes the image of headers and libraries."""
    patterns = [pattern.format(**vars(_layout(target, version))) for pattern in _DEV]
    params = {"keep": patterns, "install": INSTALL, "build": list(BUILD)}
    return Step(product=product, action="dev", version=1, run=_dev, inputs=(whole,), params=params)


def with_loader(image: Step, target: Target, *, static: bool = False) -> tuple[Step, str]:
    """Return a runtime image that brings the loader that it needs along, and where in it that is.

    A shared one for musl gets musl's, where this host can build that; any other stays as it is, with ``""``.
    """
    if static or target.libc != "musl" or hosts.system() != "linux":
        return image, ""
    return sources.with_loader(image, target), sources.loader_path(target)


def notes(target: Target, *, static: bool = False) -> tuple[str, ...]:
    """Return what the person who builds must know of a runtime of PBS's kind for ``target``."""
    if target.libc == "musl" and not static:
        loader = f"/lib/ld-musl-{target.arch}.so.1"
        return (f"this runtime starts only where {loader} is; --runtime source makes one that runs on any Linux",)
    return ()


def lacks(*, tkinter: bool = True) -> tuple[str, ...]:
    """Return the modules of the standard library that :func:`patch` leaves out, sorted."""
    found = (_MODULE.fullmatch(pattern) for pattern in (*_STDLIB, *(() if tkinter else _TKINTER)))
    return tuple(sorted(module[1] for module in found if module))


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
    return target.layout.at(".".join(version.split(".")[:2]))


def _extract(context: Context) -> None:
    from pypack.images import archive

    archive.extract(context.inputs[0], context.product, under=context.params["under"])


def _patch(context: Context) -> None:
    from pypack.images import image
    from pypack.images import patch as change
    from pypack.macho import install_names

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
    from pypack.images import image
    from pypack.images import patch as change

    params = context.params

    def run(builder: ImageBuilder) -> None:
        if not change.keep(builder, params["keep"]):
            raise ArchiveError(f"{context.inputs[0].name} has neither headers nor libraries", do="use another runtime")
        change.clean_pkgconfig(builder, install=params["install"], build=params["build"])
        change.unlink_lost(builder)

    image.rewrite(context.inputs[0], context.product, run, name=context.inputs[0].name)


def check(builder: ImageBuilder, layout: Layout, *, container: str, arch: str, libc: str) -> None:
    """Refuse a tree that is no runtime of the layout, or one for another system."""
    from pypack import binaries

    there = set(builder.paths())
    landmark = f"{layout.stdlib}/os.py"  # or its bytecode, where the standard library comes without sources
    missing = [path for path in (layout.python, landmark) if not {path, f"{path}c"} & there]
    if missing:
        raise ArchiveError(f"this is no runtime: it has no {' and no '.join(missing)}", do="use another runtime")
    names = {layout.python: "its interpreter"}
    if container != "elf" and layout.libpython in builder:  # what the launcher opens, and python.exe is small beside
        names[layout.libpython] = f"its {posixpath.basename(layout.libpython)}"
    for path, what in names.items():
        found = binaries.read(io.BytesIO(builder.read(_real(builder, path))))
        if fault := mismatch(found, container=container, arch=arch, libc=libc, what=what):
            raise ArchiveError(f"this runtime is for another system: {fault}", do="use a runtime of the target")


def _real(builder: ImageBuilder, path: str) -> str:
    """Return the file that a path of the tree leads to."""
    real, seen = path, set[str]()
    while real in builder and builder.member(real).kind == "link" and real not in seen:
        seen.add(real)
        real = posixpath.normpath(posixpath.join(posixpath.dirname(real), builder.member(real).link))
    if real not in builder or builder.member(real).kind != "file":
        raise ArchiveError(f"this is no runtime: {path} leads nowhere", do="use another runtime")
    return real
