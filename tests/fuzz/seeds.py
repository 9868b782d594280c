"""The first inputs of each harness: parts of real bundles, made by the product's writers and by the tests' own."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.bundle import layer
from pypack.formats.image import ImageBuilder
from tests.support import machos, pe_files
from tests.support.bundles import File, Recipe, bundle, launch_block, layer_of, pieces, tar_of, zip_of

if TYPE_CHECKING:
    from collections.abc import Iterable

PYTHON = File(path="bin/python3.13", data=b"#!/nothing\n", executable=True)
MEMBERS = [
    PYTHON,
    File(path="bin/python3", link="python3.13"),
    File(path="lib/" + "long" * 40 + "/module.py", data=b"x = 1\n"),
    File(path="lib/empty.py"),
    File(path="lib/folder", folder=True),
    File(path="lib/link", link="../" + "bin/./" * 30 + "python3"),
    File(path="lib/two blocks", data=b"y" * 700),
]
APP = [
    File(path="boot.pyc", data=b"boot"),
    File(path="app/tool.sh", data=b"#!/bin/sh\n", executable=True),
    File(path="app/link", link="tool.sh"),
    File(path="app/folder", folder=True),
]
SMALL = (700, 1400)  # where frames are closed and full: several frames of a small tar


def recipe(**changes: object) -> Recipe:
    """A program with all that a launch block can say."""
    values: dict[str, object] = {
        "runtime": MEMBERS, "app": APP, "deps": [File(path="site-packages/a.py", data=b"a")],
        "python": "bin/python3.13", "site": "lib/python3.13/site-packages",
        "paths": ("3:app", "deps:site-packages", "2:"),
        "sentinels": ("1:11:bin/python3.13", "3:4:boot.pyc"),
        "extra": ("version=1.0", "target=linux-musl-x86_64", "launch=exec", "loader=lib/ld.so", "libpython=lib/x.so",
                  "glibc=2.17", "macos=11.0", "script=tool=pkg.mod:main", "script=2:bin/tool", "command=2:bin/native",
                  "pth=import sys", "self=off", "interpreter=off", "unknown=key"),
    }  # fmt: skip
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]


def seeds() -> dict[str, list[bytes]]:
    """Return some inputs for each harness, by its name."""
    whole = [bundle(b"", recipe()), bundle(b"", recipe(deps=[])), bundle(b"", recipe(), cut=SMALL)]
    embedded = ("target=windows-x86_64", "launch=embed", "libpython=python313.dll")
    tars = [_short(tar_of(each)) for each in (MEMBERS[:3], [], MEMBERS[:1], MEMBERS[3:6], MEMBERS[6:])]
    executables = [pe_files.pe(), pe_files.pe(certificate=b"c" * 64), pe_files.pe(pe_files.ARM64)]
    return {
        "bundle": whole,
        "trailer": [each[-int.from_bytes(each[-64:-60], "little") :] for each in whole],
        "launch_block": [launch_block(recipe()), launch_block(recipe(extra=embedded)), launch_block(recipe(name=""))],
        "frames": list(_tables()),
        "layer": list(_layers()),
        "tar": [bytes([size]) + tar for tar in tars for size in (0, 8, 24)],
        "tree": tars,
        "zip": [zip_of(APP)[0], zip_of(APP[:1])[0], zip_of([])[0], _zip64()],
        "macho": list(_machos()),
        "pe": [each[:4096] for each in executables],
    }


def _short(tar: bytes) -> bytes:
    """Leave two of the blocks of zeros at the end of a tar."""
    return tar.rstrip(b"\0").ljust(-(-len(tar.rstrip(b"\0")) // 512) * 512 + 1024, b"\0")


def _layers() -> Iterable[bytes]:
    """Layers of one and of several frames, behind their number of frames and unpacked size."""
    for cut in (SMALL, (1 << 20, 1 << 21)):
        tar = tar_of(MEMBERS)
        frames = pieces(tar, *cut)
        yield struct.pack("<II", len(frames), len(tar)) + layer_of(frames)[0]
    with tempfile.TemporaryDirectory() as name, ImageBuilder("seed") as image:
        image.add("bin/python3", b"#!/nothing\n", executable=True)
        image.add_link("bin/python", "python3")
        image.write(Path(name) / "image.tar")
        facts = layer.write_layer(Path(name) / "image.tar", Path(name) / "layer", level=3, jobs=1)
        yield struct.pack("<II", facts.frames, facts.unpacked) + (Path(name) / "layer").read_bytes()


def _tables() -> Iterable[bytes]:
    for each in _layers():
        count, unpacked = struct.unpack_from("<II", each)
        table = each[8 : 8 + 16 + 44 * count]
        yield struct.pack("<III", count, unpacked, len(each) - 8 - len(table)) + table


def _zip64() -> bytes:
    """An entry whose sizes stand in the zip64 field, as those from 4 GiB on do."""
    name, content = b"app/large", b"not really"
    extra = struct.pack("<HHQQ", 1, 16, len(content), len(content))
    head = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra))
    return head + name + extra + content


def _machos() -> Iterable[bytes]:
    """The size of a file, then its header and load commands: nothing reads what stands behind them."""
    recipes = [machos.Recipe(needed=(), uuid=False), machos.Recipe(payload=False), machos.Recipe(rpaths=("a",))]
    for each in map(machos.macho, recipes):
        yield struct.pack("<I", len(each)) + each[:1024]
    part = machos.macho(machos.Recipe(cpu=machos.X86_64))
    whole = struct.pack("<I", 48 + len(part))
    rows = b"".join(struct.pack(">5I", cpu, 0, 48, len(part), 2) for cpu in (machos.X86_64, machos.ARM64))
    yield whole + (struct.pack(">II", 0xCAFEBABE, 2) + rows).ljust(48, b"\0") + part[:1024]
    wide = struct.pack(">IIQQII", machos.X86_64, 0, 48, len(part), 2, 0)
    yield whole + (struct.pack(">II", 0xCAFEBABF, 1) + wide).ljust(48, b"\0") + part[:1024]
