"""The launcher: C sources of ours and zstd's decoder -> one executable per zig target; static where it can be."""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pypack import fetch, folders, pins, zig
from pypack.errors import InputError
from pypack.pipeline import Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.pins import Pin
    from pypack.pipeline import Context
    from pypack.targets import Target

STANDARD = ("-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64")
"""What the launcher's sources are written in."""
WARNINGS = (
    "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes",
    "-Wpointer-arith", "-Wcast-qual", "-Wwrite-strings", "-Wundef", "-Wvla", "-Wformat=2", "-Werror",
)  # fmt: skip
"""Each of them is an error, in the product's build and in the second compiler's check."""
ZSTD_FLAGS = ("-O3", "-DZSTD_LEGACY_SUPPORT=0", "-DZSTD_STRIP_ERROR_STRINGS=1", "-w")
C_FLAGS = ("-O2", *STANDARD, *WARNINGS)

Subsystem = Literal["console", "gui"]
"""Whether Windows gives the program a console. Other systems know no such thing."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the launcher is made for one format of executables.

    ``bodies`` are the beginnings of the names of source files that are for one system only: those here belong to
    this one. ``compiling`` and ``linking`` are flags, ``gui`` those that a program without a console is linked with,
    ``embed`` those that one that loads libpython is linked with where that is a matter of choice.
    """

    bodies: tuple[str, ...]
    embed: tuple[str, ...] = ()
    compiling: tuple[str, ...] = ()
    linking: tuple[str, ...] = ()
    gui: tuple[str, ...] = ()


FORMATS = {
    # zig*.c mends what zig's own libc gets wrong
    "elf": Format(
        bodies=("posix", "linux", "zig"),
        linking=("-static", "-s", "-Wl,--gc-sections"),
        embed=("-s", "-Wl,--gc-sections", "-lpthread", "-ldl"),  # they are libraries of their own before glibc 2.34
    ),
    # room in the header for the signature's load command and a few more
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
    """A source archive: what stands below ``under`` is kept, once ``strip`` leading folders are dropped."""

    pin: Pin
    strip: int
    under: str


def sources(path: Path | None = None) -> Archive:
    """Read ``runtimes/sources-stub.toml``; all faults are told at once."""
    file = path or folders.data("runtimes") / "sources-stub.toml"
    faults: list[str] = []
    try:
        row = tomllib.loads(file.read_text(encoding="utf-8"))["zstd"]
        strip, under = int(row["strip"]), str(row["under"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as e:
        raise InputError(f"{file} cannot be used: {e}", do="its head comment says what it must hold") from e
    pin = pins.from_row("zstd", row, faults)
    pins.raise_for(str(file), faults)
    assert pin is not None  # else there were faults
    return Archive(pin=pin, strip=strip, under=under)


def c_files(target: Target, launch: str = "") -> list[Path]:
    """Return the launcher's sources and headers for ``target``, sorted by name: the portable ones and its system's.

    ``launch`` (default: the target's) decides between the files for ``exec`` and for ``embed``.
    """
    folder = folders.data("stubs")
    known = tuple(name for each in FORMATS.values() for name in each.bodies)
    own = FORMATS[target.container].bodies
    found = sorted(
        each
        for each in folder.iterdir()
        if each.suffix in {".c", ".h"} and (each.name.startswith(own) or not each.name.startswith(known))
    )
    other = "posix_exec.c" if (launch or target.launch) == "embed" else "posix_embed.c"
    found = [each for each in found if each.name != other]
    if not any(each.name == "main.c" for each in found):
        raise InputError(f"{folder} holds no main.c", do="install scons-pypack anew")
    return found


def steps(target: Target, *, subsystem: Subsystem = "console", resources: Step | None = None, launch: str = "") -> Step:
    """Return the step of the launcher for ``target``; targets that differ in their libc only share it.

    ``launch`` is how it starts Python, the target's way by default. ``resources`` is a step whose product is a .res
    file (icon, version, manifest) to be linked into a Windows launcher.
    """
    built = FORMATS[target.container]
    unpacked = _zstd_sources(sources())
    chosen = (launch or target.launch) == "embed" and target.launch != "embed"
    # a static program cannot load a library: for Linux it is one of the C library's that the runtime is made for
    compiler = target.runtime_zig if chosen and target.system == "linux" else target.stub_zig
    common = {"zig": zig.version(), "zig_target": compiler}
    place = f"stub/{compiler}{'/embed' if chosen else ''}"
    zstd = Step(
        product=f"stub/{target.stub_zig}/zstd.o",  # all that it asks of a C library is memory: it is the same for each
        action="compile",
        version=1,
        run=run_zstd,
        inputs=(unpacked,),
        params={"zig": zig.version(), "zig_target": target.stub_zig, "flags": [*zig.REPRODUCIBLE, *ZSTD_FLAGS]},
    )
    objects = Step(
        product=f"{place}/objects.tar",
        action="objects",
        version=1,
        run=run_objects,
        inputs=(unpacked, *c_files(target, launch)),
        params={**common, "flags": [*zig.REPRODUCIBLE, *built.compiling, *C_FLAGS]},
    )
    own: list[str] = [subsystem] if target.container == "pe" else []
    own += [resources.product.removesuffix(".res")] if resources else []
    linking = [*(built.embed if chosen else built.linking), *(built.gui if subsystem == "gui" else ())]
    return Step(
        product="/".join([place, *own, "stub"]),
        action="stub",
        version=2,
        run=run_stub,
        inputs=(objects, zstd, *([resources] if resources else [])),
        params={**common, "flags": [*zig.REPRODUCIBLE, *linking]},
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
    from pypack.images import archive

    archive.extract(context.inputs[0], context.product, strip=context.params["strip"], under=context.params["under"])


def run_zstd(context: Context) -> None:
    """Step: image of zstd -> object file. All of it is compiled; the link keeps the decoder only."""
    from pypack.images import image

    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(context.inputs[0], tool.work / "zstd")
        with context.timed("zstd"):
            tool.cc(context, [*ZSTD_FLAGS, "-c", "zstd/zstd.c", "-o", "zstd.o"])
        _hand_over(tool.work / "zstd.o", context.product)


def run_objects(context: Context) -> None:
    """Step: image of zstd (for its header) and our sources -> image of object files."""
    from pypack.images import image

    headers, *files = context.inputs
    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(headers, tool.work / "zstd")
        stubs = tool.work / "stubs"
        stubs.mkdir()
        for file in files:
            _hand_over(file, stubs / file.name)
        names = [file.stem for file in files if file.suffix == ".c"]

        def compile_one(name: str) -> None:
            tool.cc(context, [*context.params["flags"], "-isystem", "zstd", "-c", f"stubs/{name}.c", "-o", f"{name}.o"])

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # zig makes one object a call
            list(pool.map(compile_one, names))
        with image.ImageBuilder("objects") as made:
            for name in names:
                made.add_file(f"{name}.o", tool.work / f"{name}.o")
            made.write(context.product)


def run_stub(context: Context) -> None:
    """Step: image of our objects, zstd's object and, where given, resources -> launcher."""
    from pypack.images import image

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
