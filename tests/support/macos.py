"""Runtimes for macOS in the shape of python-build-standalone's archives.

Real are ``libpython3.13.dylib``, every extension module and the libraries that they need: python.org's CPython 3.13.11
for both processors, as the wheel of panda3d carries them for programs that are frozen with it. Put beside them are the
standard library's sources, which are those of the pinned source archive (3.13.5), and ``bin/python3.13``, which zig
makes. So the micro versions differ: right for each step of the build and for a look at its result, not for running it.
"""

from __future__ import annotations

import zipfile
from functools import cache
from typing import TYPE_CHECKING

from pypack.base import targets
from pypack.download import fetch
from pypack.download.pins import Pin
from pypack.steps.step import Settings
from tests.support import pbs_shape
from tests.support.pbs_shape import Item

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "3.13.11"
TARGETS = ("macos-aarch64", "macos-x86_64")
WHEEL = Pin(
    file="panda3d-1.10.16-cp313-cp313-macosx_11_0_universal2.whl",
    urls=("pypi:panda3d==1.10.16",),
    sha256="69c934485f60b4f1340cd64de0b85aa9b98a7491a1d5cadae99555f8e194a414",
    size=120719404,
)
FOLDER = "deploy_libs/"
LIBPYTHON = "libpython3.13.dylib"
STDLIB = "lib/python3.13"
PROGRAM = """
int Py_BytesMain(int count, char **words);
int main(int count, char **words)
{
    return Py_BytesMain(count, words);
}
"""


def archive(target: str, folder: Path) -> Path:
    """Make the archive for ``target`` in ``folder``."""
    row = targets.load()[target]
    items = [
        Item(path="bin/python3.13", data=_program(row.stub_zig), executable=True),
        Item(path="bin/python3", link="python3.13"),
        Item(path="bin/python", link="python3.13"),
        Item(path=f"{STDLIB}/LICENSE.txt", data=pbs_shape.sources()["LICENSE"]),
        *pbs_shape.stdlib(STDLIB),
        *pbs_shape.headers("include/python3.13"),
        *(Item(path=_place(name), data=data, executable=True) for name, data in wheel().items()),
    ]
    return pbs_shape.write(folder / pbs_shape.name(VERSION, row.pbs), items)


@cache
def wheel() -> dict[str, bytes]:
    """Return the real files, by name."""
    with zipfile.ZipFile(fetch.fetch(WHEEL, settings=Settings())) as packed:
        members = [name for name in packed.namelist() if name.startswith(FOLDER) and not name.endswith("/")]
        return {name.removeprefix(FOLDER): packed.read(name) for name in members}


def _place(name: str) -> str:
    """Return where a file of the wheel stands in a runtime: libraries apart, as python.org has them."""
    if name.endswith(".dylib"):
        return f"lib/{name}"
    return f"{STDLIB}/{name}" if name.endswith(".py") else f"{STDLIB}/lib-dynload/{name}"


def _program(target: str) -> bytes:
    """Link the interpreter with the real libpython, by the name that this has in itself."""
    files = {"python.c": PROGRAM, LIBPYTHON: wheel()[LIBPYTHON]}
    return pbs_shape.compiled(target, files, ["-Os", "python.c", LIBPYTHON, "-Wl,-headerpad,0x1000"], "python3.13")
