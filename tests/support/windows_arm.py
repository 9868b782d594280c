"""A synthetic runtime for Windows on arm64, since none is to be had here.

Real is the standard library (of the pinned source archive). ``python.exe``, ``python313.dll``, ``python3.dll`` and an
extension module are PE files for arm64 that zig makes: with the imports and exports that pypack looks at, and no Python
in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.base import targets
from tests.support import pbs_shape
from tests.support.pbs_shape import Item

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "windows-aarch64"
MODULE = "_stand_in"
LIBRARY = """
#include <stdio.h>
#include <wchar.h>
__declspec(dllexport) int Py_Main(int count, wchar_t **words);
int Py_Main(int count, wchar_t **words)
{
    (void)count, (void)words;
    fputs("this is no Python: it stands in for one in tests\\n", stderr);
    return 70;
}
"""
PROGRAM = """
#include <wchar.h>
__declspec(dllimport) int Py_Main(int count, wchar_t **words);
int wmain(int count, wchar_t **words)
{
    return Py_Main(count, words);
}
"""
EXTENSION = """
__declspec(dllimport) int Py_Main(int count, unsigned short **words);
__declspec(dllexport) void *PyInit__stand_in(void);
void *PyInit__stand_in(void)
{
    return Py_Main(0, 0) ? 0 : (void *)0;
}
"""


def archive(folder: Path) -> Path:
    """Make the archive in ``folder``."""
    row = targets.load()[TARGET]
    items = [
        *(Item(path=path, data=data, executable=True) for path, data in _binaries(row.stub_zig).items()),
        Item(path="LICENSE.txt", data=pbs_shape.sources()["LICENSE"]),
        *pbs_shape.stdlib("Lib"),
        *pbs_shape.headers("include"),
    ]
    return pbs_shape.write(folder / pbs_shape.name(pbs_shape.version(), row.pbs), items)


def _binaries(target: str) -> dict[str, bytes]:
    library = pbs_shape.compiled(target, {"python.c": LIBRARY}, ["-Os", "-shared", "python.c"], "python313.dll")
    limited = pbs_shape.compiled(target, {"python.c": LIBRARY}, ["-Os", "-shared", "python.c"], "python3.dll")
    files = {"python313.dll": library, "main.c": PROGRAM, f"{MODULE}.c": EXTENSION}
    program = pbs_shape.compiled(target, files, ["-Os", "-municode", "main.c", "python313.dll"], "python.exe")
    extension = pbs_shape.compiled(target, files, ["-Os", "-shared", f"{MODULE}.c", "python313.dll"], f"{MODULE}.pyd")
    return {
        "python313.dll": library, "python3.dll": limited, "python.exe": program, "pythonw.exe": program,
        f"DLLs/{MODULE}.pyd": extension,
    }  # fmt: skip
