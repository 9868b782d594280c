"""Builds the launcher: our C sources and zstd's decoder -> one executable per zig target, static where possible."""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pypack.base import folders
from pypack.download import fetch, pins
from pypack.errors import InputError
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.download.pins import Pin
    from pypack.steps.step import Context

_DOCS = "docs/launcher.md"

STANDARD = ("-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64")
"""Language and feature macros of the launcher's sources."""
WARNINGS = (
    "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes",
    "-Wpointer-arith", "-Wcast-qual", "-Wwrite-strings", "-Wundef", "-Wvla", "-Wformat=2", "-Werror",
)  # fmt: skip
"""Each warning is an error, in the build and in the check with a second compiler."""
ZSTD_FLAGS = ("-O3", "-DZSTD_LEGACY_SUPPORT=0", "-DZSTD_STRIP_ERROR_STRINGS=1", "-w")
C_FLAGS = ("-O2", *STANDARD, *WARNINGS)
PORTABLE = ("", "base", "format", "unpack", "cache")
"""Folders of ``stubs`` that are independent of the system. Each includes only from itself and those before it, except
the first, ``stubs`` itself, which may include from all."""

Subsystem = Literal["console", "gui"]
"""Whether Windows gives the program a console; ignored on other systems."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How to build the launcher for one executable format.

    ``bodies`` are the folders of ``stubs/os`` that implement the system interface. ``compiling`` and ``linking`` are
    flags, ``gui`` the extra link flags of a program without a console, ``embed`` the link flags of a launcher that
    loads libpython, if ``launch`` is a choice on this system.
    """

    bodies: tuple[str, ...]
    embed: tuple[str, ...] = ()
    compiling: tuple[str, ...] = ()
    linking: tuple[str, ...] = ()
    gui: tuple[str, ...] = ()


HARDENED = ("-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack")
"""Relocations are read-only before our code runs; no memory is both writable and executable."""

FORMATS = {
    # os/zig works around bugs of zig's libc
    "elf": Format(
        bodies=("posix", "linux", "zig"),
        compiling=("-fPIE",),
        linking=("-static", "-pie", *HARDENED, "-s", "-Wl,--gc-sections"),
        # separate libraries before glibc 2.34
        embed=("-pie", *HARDENED, "-s", "-Wl,--gc-sections", "-lpthread", "-ldl"),
    ),
    # space in the header for the signature's load command and a few more
    "macho": Format(
        bodies=("posix", "macos"),
        linking=("-s", "-Wl,-dead_strip", "-Wl,-headerpad,400"),
        embed=("-s", "-Wl,-dead_strip", "-Wl,-headerpad,400"),
    ),
    "pe": Format(
        bodies=("windows",),
        compiling=("-DWIN32_LEAN_AND_MEAN",),
        # the stack is Python's main thread's: python.exe reserves 3 to 4 MB
        linking=("-municode", "-s", "-Wl,--gc-sections", "-Wl,--stack,8388608"),
        gui=("-Wl,--subsystem,windows",),
    ),
}
"""Keyed by the container of ``targets.toml``."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A source archive: ``strip`` leading folders are dropped, and only files below ``under`` are kept."""

    pin: Pin
    strip: int
    under: str


def sources(path: Path | None = None) -> Archive:
    """Return the archive in ``runtimes/sources-stub.toml``; all faults are raised as one error."""
    file = path or folders.data("runtimes") / "sources-stub.toml"
    faults: list[str] = []
    try:
        row = tomllib.loads(file.read_text(encoding="utf-8"))["zstd"]
        strip, under = int(row["strip"]), str(row["under"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as e:
        raise InputError(
            f"{file} cannot be used: {e}", hint="its head comment says what it must hold", docs=_DOCS
        ) from e
    pin = pins.from_row("zstd", row, faults)
    pins.raise_for(str(file), faults)
    assert pin is not None  # else there were faults
    return Archive(pin=pin, strip=strip, under=under)


def c_files(target: Target, launch: str = "") -> list[Path]:
    """Return the launcher's sources and headers for ``target``, sorted by path: the portable ones and its system's.

    ``launch`` (default: the target's) decides between the files for ``exec`` and for ``embed``.
    """
    folder = folders.data("stubs")
    if not (folder / "main.c").is_file():
        raise InputError(f"{folder} holds no main.c", hint="install scons-pypack anew", docs=_DOCS)
    bodies = (f"os/{name}" for name in FORMATS[target.container].bodies)
    other_launch = folder / "os/posix" / ("exec.c" if (launch or target.launch) == "embed" else "embed.c")
    return sorted(
        file
        for name in (*PORTABLE, *bodies)
        for file in (folder / name).iterdir()
        if file.suffix in {".c", ".h"} and file != other_launch
    )


def object_name(file: Path, root: Path) -> str:
    """Return the name of a source's object file, with the folders below ``root``: file names may repeat."""
    return "-".join(file.relative_to(root).with_suffix(".o").parts)


def steps(target: Target, *, subsystem: Subsystem = "console", resources: Step | None = None, launch: str = "") -> Step:
    """Return the step of the launcher for ``target``; targets that differ only in their libc share it.

    ``launch`` is how it starts Python, by default the target's ``launch``. ``resources`` is a step whose product is a
    .res file (icon, version, manifest) to link into a Windows launcher.
    """
    container_format = FORMATS[target.container]
    zstd_sources = _zstd_sources(sources())
    is_embedded = (launch or target.launch) == "embed" and target.launch != "embed"
    # a static program cannot load libpython: on Linux such a launcher links with the runtime's C library
    compiler = target.runtime_zig if is_embedded and target.system == "linux" else target.stub_zig
    common = {"zig": zig.version(), "zig_target": compiler}
    output_dir = f"stub/{compiler}{'/embed' if is_embedded else ''}"
    zstd = Step(
        product=f"stub/{target.stub_zig}/zstd.o",  # zstd needs only memory functions: one object serves all C libraries
        action="compile",
        version=1,
        run=run_zstd,
        inputs=(zstd_sources,),
        params={
            "zig": zig.version(),
            "zig_target": target.stub_zig,
            "flags": [*zig.REPRODUCIBLE, *container_format.compiling, *ZSTD_FLAGS],
        },
    )
    objects = Step(
        product=f"{output_dir}/objects.tar",
        action="objects",
        version=1,
        run=run_objects,
        inputs=(zstd_sources, *c_files(target, launch)),
        params={**common, "flags": [*zig.REPRODUCIBLE, *container_format.compiling, *C_FLAGS]},
    )
    variant: list[str] = [subsystem] if target.container == "pe" else []
    variant += [resources.product.removesuffix(".res")] if resources else []
    link_flags = [
        *(container_format.embed if is_embedded else container_format.linking),
        *(container_format.gui if subsystem == "gui" else ()),
    ]
    return Step(
        product="/".join([output_dir, *variant, "stub"]),
        action="stub",
        version=2,
        run=run_stub,
        inputs=(objects, zstd, *([resources] if resources else [])),
        params={**common, "flags": [*zig.REPRODUCIBLE, *link_flags]},
    )


def _zstd_sources(source: Archive) -> Step:
    return Step(
        product="stub/zstd.tar",
        action="extract",
        version=1,
        run=run_extract,
        inputs=(fetch.step(source.pin),),
        params={"strip": source.strip, "under": source.under},
    )


def run_extract(context: Context) -> None:
    """Step: sdist -> image of zstd's C file and header."""
    from pypack.formats import archive

    archive.extract(context.inputs[0], context.product, strip=context.params["strip"], under=context.params["under"])


def run_zstd(context: Context) -> None:
    """Step: image of zstd -> object file. The linker later keeps the decoder only."""
    from pypack.formats import image

    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(context.inputs[0], tool.work / "zstd")
        with context.timed("zstd"):
            tool.cc(context, [*context.params["flags"], "-c", "zstd/zstd.c", "-o", "zstd.o"])
        _hand_over(tool.work / "zstd.o", context.product)


def run_objects(context: Context) -> None:
    """Step: image of zstd (for its header) and our sources -> image of object files."""
    from pypack.formats import image

    headers, *files = context.inputs
    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(headers, tool.work / "zstd")
        root, stubs = next(file.parent for file in files if file.name == "main.c"), tool.work / "stubs"
        for file in files:
            copy = stubs / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _hand_over(file, copy)
        objects = {object_name(file, root): file.relative_to(root) for file in files if file.suffix == ".c"}
        flags = [*context.params["flags"], "-Istubs", "-isystem", "zstd", "-c"]

        def compile_one(item: tuple[str, Path]) -> None:
            tool.cc(context, [*flags, f"stubs/{item[1].as_posix()}", "-o", item[0]])

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # zig compiles one object per call
            list(pool.map(compile_one, objects.items()))
        with image.ImageBuilder("objects") as builder:
            for name in objects:
                builder.add_file(name, tool.work / name)
            builder.write(context.product)


def run_stub(context: Context) -> None:
    """Step: image of our objects, zstd's object and, where given, resources -> launcher."""
    from pypack.formats import image

    objects, zstd, *resources = context.inputs
    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(objects, tool.work / "objects")
        _hand_over(zstd, tool.work / "zstd.o")
        names = [f"objects/{file.name}" for file in sorted((tool.work / "objects").iterdir())]
        for file in resources:
            _hand_over(file, tool.work / "stub.res")
            names.append("stub.res")
        tool.cc(context, [*context.params["flags"], *names, "zstd.o", "-o", "stub"])
        _hand_over(tool.work / "stub", context.product)


def _hand_over(source: Path, target: Path) -> None:
    import shutil

    shutil.copyfile(source, target)
    target.chmod(0o755 if source.name == "stub" else 0o644)
