"""The launcher: C sources of ours and zstd's decoder -> one static executable per zig target."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack import fetch, folders, pins, zig
from pypack.errors import InputError
from pypack.images import archive, image
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
STUB_FLAGS = ("-O2", "-static", "-s", "-Wl,--gc-sections", *STANDARD, *WARNINGS)


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


def c_files() -> list[Path]:
    """Return the launcher's sources and headers, sorted by name."""
    folder = folders.data("stubs")
    found = sorted(each for each in folder.iterdir() if each.suffix in {".c", ".h"})
    if not any(each.name == "main.c" for each in found):
        raise InputError(f"{folder} holds no main.c", do="install scons-pypack anew")
    return found


def steps(target: Target) -> Step:
    """Return the step of the launcher for ``target``; targets that differ in their libc only share it."""
    if target.container != "elf":
        raise InputError(
            f"there is no launcher for {target.name} yet", do="build for a linux target", see="docs/launcher.md"
        )
    unpacked = _zstd_sources(sources())
    common = {"zig": zig.version(), "zig_target": target.stub_zig}
    place = f"stub/{target.stub_zig}"
    zstd = Step(
        product=f"{place}/zstd.o",
        action="compile",
        version=1,
        run=run_zstd,
        inputs=(unpacked,),
        params={**common, "flags": [*zig.REPRODUCIBLE, *ZSTD_FLAGS]},
    )
    return Step(
        product=f"{place}/stub",
        action="stub",
        version=1,
        run=run_stub,
        inputs=(zstd, unpacked, *c_files()),
        params={**common, "flags": [*zig.REPRODUCIBLE, *STUB_FLAGS]},
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
    archive.extract(context.inputs[0], context.product, strip=context.params["strip"], under=context.params["under"])


def run_zstd(context: Context) -> None:
    """Step: image of zstd -> object file. All of it is compiled; the link keeps the decoder only."""
    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(context.inputs[0], tool.work / "zstd")
        with context.timed("zstd"):
            tool.cc(context, [*ZSTD_FLAGS, "-c", "zstd/zstd.c", "-o", "zstd.o"])
        _hand_over(tool.work / "zstd.o", context.product)


def run_stub(context: Context) -> None:
    """Step: zstd's object, its image (for the header) and our sources -> launcher."""
    zstd, headers, *files = context.inputs
    with zig.workshop(context.params["zig_target"]) as tool:
        image.unpack(headers, tool.work / "zstd")
        _hand_over(zstd, tool.work / "zstd.o")
        stubs = tool.work / "stubs"
        stubs.mkdir()
        for file in files:
            _hand_over(file, stubs / file.name)
        names = [f"stubs/{file.name}" for file in files if file.suffix == ".c"]
        tool.cc(context, [*STUB_FLAGS, "-isystem", "zstd", *names, "zstd.o", "-o", "stub"])
        _hand_over(tool.work / "stub", context.product)


def _hand_over(source: Path, target: Path) -> None:
    import shutil

    shutil.copyfile(source, target)
    target.chmod(0o755 if source.name == "stub" else 0o644)
