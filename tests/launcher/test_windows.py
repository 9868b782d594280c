"""The launcher for Windows, with the real CPython, started by wine. What python.exe itself does is the measure."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.bundles import File, bundle, write
from tests.support.windows import FACTS, facts, launcher, program, recipe, text, told, windows, windows_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["facts", "windows"]  # fixtures


# --- a start ----------------------------------------------------------------------------------------------------------


def test_cold_and_warm(windows, facts, tmp_path):
    fresh = windows.with_cache(tmp_path / "cache")
    cold = fresh.start(facts, PYPACK_DEBUG="1")
    warm = fresh.start(facts, PYPACK_DEBUG="1")
    assert "unpacking the runtime layer" in text(cold.stderr)
    assert "unpacking" not in text(warm.stderr)
    assert told(cold)["path"] == told(warm)["path"]
    assert not list((fresh.cache / "tmp").glob("*.[0-9]*"))
    assert (fresh.cache / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


ODD = [
    "plain",
    "",
    "two words",
    'a "quoted" one',
    "back\\slash\\",
    'both\\"',
    "tab\there",
    "äöü ☃ 🐍",
    "*.py",
    "%PATH%",
    "^&|<>",
]


def test_words(windows, facts):
    """As python.exe gets them: started from Windows' side, where the words are one line."""
    source = "import subprocess, sys; sys.stdout.buffer.write(subprocess.run(sys.argv[1:], stdout=-1).stdout)"
    found = told(windows.python(source, windows_path(facts), *ODD))
    assert found["argv"] == [windows_path(facts), *ODD]
    assert found["orig"] == [found["executable"], *found["argv"]]


LONE = "import subprocess,sys; subprocess.run([sys.argv[1], 'x\\ud800y', '\\udc00\\ud83d'], check=True)"


def test_lone_surrogates_pass(windows, tmp_path):
    path = program(tmp_path / "lone.exe", "import sys; print([ascii(word) for word in sys.argv[1:]])", name="lone")
    done = windows.python(LONE, windows_path(path))
    assert text(done.stdout) == "[\"'x\\\\ud800y'\", \"'\\\\udc00\\\\ud83d'\"]\n", done.stderr


def test_called_by_a_name_alone(windows, facts):
    source = (
        "import os, subprocess, sys; os.chdir(sys.argv[1]); "
        "sys.stdout.buffer.write(subprocess.run('facts x', executable=sys.argv[1] + '\\\\facts.exe', stdout=-1).stdout)"
    )
    found = told(windows.python(source, windows_path(facts.parent)))
    assert found["argv"] == [windows_path(facts), "x"]
    assert found["folder"] == windows_path(facts.parent)


def test_what_the_program_sees(windows, facts):
    found = told(windows.start(facts))
    cache = windows_path(windows.cache)
    assert found["argv"] == [windows_path(facts)]
    assert found["bundle"] == windows_path(facts)
    assert found["executable"] == f"{cache}\\apps\\{found['id']}\\Scripts\\facts.exe"
    assert found["base"] == found["executable"]
    *layers, own = found["path"]
    assert all(entry.startswith(f"{cache}\\layers\\") for entry in layers), layers
    assert [entry.rsplit("\\", 1)[1] for entry in layers] == ["app", "DLLs", "Lib"]
    assert own == f"{cache}\\apps\\{found['id']}\\Lib\\site-packages"
    assert found["file"].startswith(found["path"][0])


def test_environment_is_that_of_a_plain_python(windows, facts):
    own = {"PYPACK_DEBUG": "0", "PYPACK_DRYRUN": "0", "PYPACK_INTERPRETER": "0"}
    more = {"ODD": "=x=", "UMLAUT": "ä☃", "PYPACK_DEBUGGER": "stays", "PYTHONPATH": "Z:\\nowhere"}
    found = told(windows.start(facts, **own, **more))["environment"]
    source = "import json, os, sys; sys.stdout.buffer.write(json.dumps(dict(os.environ)).encode())"
    plain = json.loads(windows.python(source, **own, **more).stdout)
    changing = {"WINELOADERNOEXEC", "WINEPRELOADRESERVE"}
    assert found.pop("PYPACK_OUTER_PYTHONPATH") == more["PYTHONPATH"], "children tell by it whose PYTHONPATH they see"
    assert {name: plain[name] for name in plain if name not in own and name not in changing} == {
        name: found[name] for name in found if name not in changing
    }
    assert found["UMLAUT"] == "ä☃"


def test_nothing_beside_the_program_is_used(windows, tmp_path):
    """A folder of downloads: modules, a ._pth file and libraries that lie next to the program."""
    path = program(
        tmp_path / "clean.exe",
        "import sys\ntry:\n    import evil\nexcept ImportError:\n    print('clean', sys.flags.isolated)\n"
        "import ssl, sqlite3, ctypes\nprint(sqlite3.sqlite_version_info > (3,))\n"
        "try:\n    ctypes.WinDLL('evil.dll', winmode=0)\nexcept OSError as error:\n    print('not found')\n",
        name="clean",
    )
    (tmp_path / "evil.py").write_text("print('EVIL')")
    (tmp_path / "encodings.py").write_text("print('EVIL')")
    (tmp_path / "clean._pth").write_text(f"{windows_path(tmp_path)}\n")
    (tmp_path / "pyvenv.cfg").write_text(f"home = {windows_path(tmp_path)}\n")
    made = next(each for each in recipe("").runtime if each.path == "DLLs/libffi-8.dll")
    (tmp_path / "evil.dll").write_bytes(made.data)
    for name in ("python313.dll", "python3.dll", "vcruntime140.dll", "libffi-8.dll", "sqlite3.dll", "libssl-3.dll"):
        (tmp_path / name).write_bytes(b"no library")
    done = windows.start(path)
    assert (done.returncode, text(done.stdout)) == (0, "clean 0\nTrue\nnot found\n"), done.stderr


VCX = "__declspec(dllexport) int vcx(void) { return 42; }"
EXT = "__declspec(dllimport) int vcx(void); __declspec(dllexport) int ext(void) { return vcx() + 1; }"
USES_EXT = """
import ctypes, os, subprocess, sys
print(ctypes.WinDLL(os.path.join(sys.argv[1] if sys.argv[0] == "-c" else sys.path[0], "ext.dll")).ext())
"""
USES_EXT_TWICE = f"""{USES_EXT}
code = {USES_EXT!r}
print(subprocess.run([sys.executable, "-c", code, sys.path[0]], capture_output=True, text=True))
"""


def library(folder: Path, name: str, source: str, *more: Path) -> bytes:
    """Compile a library for Windows; its import library stands beside it."""
    code, made = folder / f"{name}.c", folder / f"{name}.dll"
    code.write_text(source)
    words = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-shared", "-s"]
    link = ["-o", made, f"-Wl,--out-implib,{folder / name}.lib"]
    subprocess.run([*words, code, *more, *link], check=True, cwd=folder)
    return made.read_bytes()


@pytest.mark.parametrize("long", [False, True])
def test_libraries_beside_pythons_own_are_found(windows, tmp_path, long):
    """A wheel's module may need what CPython brings (vcruntime140_1.dll), in the program and in its children."""
    vcx = library(tmp_path, "vcx", VCX)
    ext = library(tmp_path, "ext", EXT, tmp_path / "vcx.lib")
    made = recipe(USES_EXT_TWICE, name="wheel")
    made.runtime.append(File(path="vcx.dll", data=vcx))
    made.app.append(File(path="app/ext.dll", data=ext))
    cache = tmp_path / ("f" * 60 if long else "c")
    done = windows.with_cache(cache).start(write(tmp_path / "wheel.exe", bundle(launcher(), made)))
    assert done.returncode == 0, done.stderr
    lines = text(done.stdout).splitlines()
    assert lines[0] == "43"
    assert "stdout='43\\n'" in lines[1], lines


def test_a_cache_whose_name_changes_its_length_in_small_letters(windows, tmp_path):
    """U+0130 becomes two characters."""
    path = program(tmp_path / "dotted.exe", FACTS, name="dotted")
    cache = tmp_path / "\u0130\u0130 cache"
    found = told(windows.with_cache(cache).start(path))
    layers = found["path"][:-1]
    assert [entry.rsplit("\\", 1)[1] for entry in layers] == ["app", "DLLs", "Lib"]
    assert all(entry.startswith(f"{windows_path(cache)}\\layers\\") for entry in layers), layers


LONG_CACHE = 195
"""Wine drops the prefix of a library's long name, and CPython's getpath fails then: 246 is the most for its folder."""


def test_long_folders(windows, tmp_path):
    """The program's path is longer than 260 characters, and so are those of many files in the cache."""
    folder = tmp_path / ("ä" + "e" * 200) / ("more" * 20)
    folder.mkdir(parents=True)
    cache = tmp_path / ("f" * (LONG_CACHE - len(windows_path(tmp_path)) - 1))
    path = program(
        folder / "long.exe",
        "import sqlite3, sys, email.mime.text, subprocess\n"
        "print(len(sys.base_prefix) > 150, hasattr(sys, 'pypack') == (__name__ == '__main__'))\n"
        "code = 'import sqlite3, main, email.mime.text; print(7)' if sys.argv[0] != '-c' else ''\n"
        "if __name__ == '__main__':\n"
        "    done = subprocess.run([sys.executable, '-c', code], capture_output=True)\n"
        "    print(done.returncode, done.stdout.split(), done.stderr)\n",
        name="long",
    )
    there = windows.with_cache(cache)
    for _ in ("cold", "warm"):
        done = there.start(path)
        assert (done.returncode, text(done.stdout)) == (0, "True True\n0 [b'True', b'True', b'7'] b''\n"), done.stderr
    assert max(len(windows_path(each)) for each in cache.rglob("*")) > 260


# --- children ---------------------------------------------------------------------------------------------------------

CHILDREN = """
import multiprocessing, subprocess, sys
def nested(depth, queue):
    queue.put((depth, sys.executable))
    if depth:
        child = multiprocessing.get_context("spawn").Process(target=nested, args=(depth - 1, queue))
        child.start()
        child.join()
        sys.exit(child.exitcode)
    sys.exit(5)
if __name__ == "__main__":
    code = "import main, sys; print(main.__name__, sys.argv[1:], sys.flags.isolated, sys.executable)"
    print(subprocess.run([sys.executable, "-c", code, "a b", ""], capture_output=True, text=True))
    done = subprocess.run([sys.executable, "-m", "json.tool"], input="[1]", capture_output=True, text=True)
    print(done.stdout.split())
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=nested, args=(2, queue))
    child.start()
    seen = [queue.get(timeout=60) for _ in range(3)]
    child.join()
    print([depth for depth, _ in seen], {path for _, path in seen} == {sys.executable}, child.exitcode)
    with context.Pool(2) as pool:
        print(pool.map(abs, [-1, 2, -3]))
"""


def test_children(windows, tmp_path):
    path = program(tmp_path / "family.exe", CHILDREN, name="family")
    done = windows.start(path)
    lines = text(done.stdout).splitlines()
    assert done.returncode == 0, done.stderr
    assert "main ['a b', ''] 0" in lines[0]
    assert "returncode=0" in lines[0]
    assert lines[1:] == ["['[', '1', ']']", "[2, 1, 0] True 5", "[1, 2, 3]"]


def test_interpreter(windows, facts):
    done = windows.start(
        facts, "-c", "import sys, os; print(sys.argv, 'PYPACK_INTERPRETER' in os.environ)", PYPACK_INTERPRETER="1"
    )
    assert text(done.stdout) == "['-c'] False\n", done.stderr
