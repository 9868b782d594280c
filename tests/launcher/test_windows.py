"""The launcher for Windows, with the real CPython, started by wine. What python.exe itself does is the measure."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pypack import folders, stub, targets
from tests.support.bundles import File, bundle, write
from tests.support.launchers import SANITIZED, build_folder, run_step
from tests.support.windows import TARGET, Wine, launcher, program, python_folder, recipe, text, windows_path, wine

SYSTEM_LIBRARIES = {"advapi32.dll", "kernel32.dll", "ntdll.dll"}

FACTS = """
import json, os, sys
facts = {"argv": sys.argv, "path": sys.path, "executable": sys.executable, "base": sys._base_executable,
         "file": __file__, "bundle": sys.pypack.bundle, "id": sys.pypack.id, "environment": dict(os.environ),
         "prefix": sys.base_prefix, "orig": sys.orig_argv, "folder": os.getcwd()}
sys.stdout.buffer.write(json.dumps(facts).encode())
"""


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Wine:
    return wine(tmp_path_factory.mktemp("windows") / "cache")


@pytest.fixture(scope="module")
def facts(windows, tmp_path_factory) -> Path:
    """A program that tells what it sees."""
    return program(tmp_path_factory.mktemp("facts") / "facts.exe", FACTS, name="facts")


def told(done: subprocess.CompletedProcess[bytes]) -> dict:
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)


# --- the file itself --------------------------------------------------------------------------------------------------


def imports(path: Path) -> list[str]:
    import lief

    binary = lief.PE.parse(os.fspath(path))
    assert isinstance(binary, lief.PE.Binary)
    return [str(each.name).lower() for each in binary.imports] + [str(e.name).lower() for e in binary.delay_imports]


@pytest.mark.parametrize("name", ["windows-x86_64", "windows-aarch64"])
@pytest.mark.parametrize("subsystem", ["console", "gui"])
def test_launcher_is_linked(name, subsystem):
    """Only the system's own libraries; the subsystem that was asked for; nothing of this machine."""
    lief = pytest.importorskip("lief")
    target = targets.load()[name]
    made = run_step(stub.steps(target, subsystem=subsystem), build_folder())
    strange = [
        each for each in imports(made) if each not in SYSTEM_LIBRARIES and not each.startswith("api-ms-win-crt-")
    ]
    assert not strange
    header = lief.PE.parse(os.fspath(made)).optional_header
    wanted = lief.PE.OptionalHeader.SUBSYSTEM.WINDOWS_GUI if subsystem == "gui" else None
    assert header.subsystem == (wanted or lief.PE.OptionalHeader.SUBSYSTEM.WINDOWS_CUI)
    assert header.sizeof_stack_reserve >= 4 << 20
    content = made.read_bytes()
    assert len(content) < 400_000
    for word in (os.fspath(Path.home()), os.fspath(Path.cwd()), "zig-cache", "/pypack-"):
        assert word == "/" or word.encode() not in content, word


def test_same_bytes_again(tmp_path):
    assert run_step(stub.steps(TARGET), tmp_path).read_bytes() == launcher()


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
    assert found["orig"] == found["argv"]


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
    assert found["executable"] == f"{cache}\\apps\\{found['id']}\\bin\\facts.exe"
    assert found["base"] == found["executable"]
    assert all(entry.startswith(f"{cache}\\layers\\") for entry in found["path"]), found["path"]
    assert [entry.rsplit("\\", 1)[1] for entry in found["path"]] == ["app", "DLLs", "Lib"]
    assert found["file"].startswith(found["path"][0])


def test_environment_is_that_of_a_plain_python(windows, facts):
    own = {"PYPACK_DEBUG": "0", "PYPACK_DRYRUN": "0", "PYPACK_INTERPRETER": "0"}
    more = {"ODD": "=x=", "UMLAUT": "ä☃", "PYPACK_DEBUGGER": "stays", "PYTHONPATH": "Z:\\nowhere"}
    found = told(windows.start(facts, **own, **more))["environment"]
    source = "import json, os, sys; sys.stdout.buffer.write(json.dumps(dict(os.environ)).encode())"
    plain = json.loads(windows.python(source, **own, **more).stdout)
    changing = {"WINELOADERNOEXEC", "WINEPRELOADRESERVE"}
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
    assert (done.returncode, text(done.stdout)) == (0, "clean 1\nTrue\nnot found\n"), done.stderr


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
    assert [entry.rsplit("\\", 1)[1] for entry in found["path"]] == ["app", "DLLs", "Lib"]
    assert all(entry.startswith(f"{windows_path(cache)}\\layers\\") for entry in found["path"]), found["path"]


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


# --- exit codes and standard handles: the same as python.exe ----------------------------------------------------------

CODES = [0, 1, 3, 255, 256, 0x7FFFFFFF, 0xC0000005, 0xFFFFFFFF]
CALL = """
import json, subprocess, sys
codes = [subprocess.run([*sys.argv[1:], str(code)], stdin=subprocess.DEVNULL, capture_output=True).returncode
         for code in json.loads('%s')]
print(json.dumps(codes))
"""


def test_exit_codes_are_exact(windows, tmp_path):
    source = "import os, sys; code = int(sys.argv[1]); sys.exit(code - (1 << 32) if code >> 31 else code)"
    path = program(tmp_path / "code.exe", source, name="code")
    done = windows.python(CALL % json.dumps(CODES), windows_path(path))
    assert json.loads(done.stdout) == CODES, done.stderr


HANDLES = """
import json, os, subprocess, sys
def call(words, where, **more):
    with open(where, "w+b") as file:
        ways = {"pipe": subprocess.PIPE, "file": file, "nul": subprocess.DEVNULL}
        found = {}
        for name, way in ways.items():
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=way, stderr=subprocess.PIPE, **more)
            file.seek(0)
            found[name] = [done.returncode, (done.stdout or b"").decode(), done.stderr.decode(), file.read().decode()]
        return found
print(json.dumps(call(sys.argv[2:], sys.argv[1])))
"""
TELL = (
    "import sys; files = sys.stdin, sys.stdout, sys.stderr; print([file is None for file in files], sys.stdin.read())"
)


def test_standard_handles_as_python_has_them(windows, tmp_path):
    path = program(tmp_path / "tell.exe", TELL, name="tell")
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    scratch = windows_path(tmp_path / "out")
    ours = windows.python(HANDLES, scratch, windows_path(path))
    plain = [windows_path(python_folder() / "python.exe"), "-I", "-S", "-B", windows_path(script)]
    theirs = windows.python(HANDLES, scratch, *plain)
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)
    assert json.loads(ours.stdout)["pipe"][:2] == [0, "[False, False, False] \r\n"]


CLOSED = """
import ctypes, json, subprocess, sys
from ctypes import wintypes
code = wintypes.DWORD()
class Startup(ctypes.Structure):
    _fields_ = [("cb", wintypes.DWORD), ("a", ctypes.c_void_p * 3), ("b", wintypes.DWORD * 8), ("c", wintypes.WORD * 2),
                ("d", ctypes.c_void_p), ("handles", ctypes.c_void_p * 3)]
class Process(ctypes.Structure):
    _fields_ = [("process", ctypes.c_void_p), ("thread", ctypes.c_void_p), ("ids", wintypes.DWORD * 2)]
startup, made = Startup(), Process()
startup.cb, startup.b[7] = ctypes.sizeof(startup), 0x100  # STARTF_USESTDHANDLES, and none given
line = ctypes.create_unicode_buffer(subprocess.list2cmdline(sys.argv[1:]))
kernel = ctypes.WinDLL("kernel32")
kernel.CreateProcessW(None, line, None, None, False, 8, None, None, ctypes.byref(startup), ctypes.byref(made))
kernel.WaitForSingleObject(ctypes.c_void_p(made.process), 60000)
kernel.GetExitCodeProcess(ctypes.c_void_p(made.process), ctypes.byref(code))
print(code.value)
"""
CLOSED_TELL = (
    "import sys; files = sys.stdin, sys.stdout, sys.stderr; "
    "open(sys.argv[1], 'w').write(repr([file is None for file in files])); "
    "print('to nobody'); sys.exit(42)"
)


@pytest.mark.parametrize("subsystem", ["console", "gui"])
def test_closed_handles(windows, tmp_path, subsystem):
    """A program without any standard handle starts, cold too; so does one of the GUI kind, which usually has none."""
    path = program(tmp_path / "closed.exe", CLOSED_TELL, subsystem, name="closed")
    for number in range(2):
        out = tmp_path / f"out{number}"
        done = windows.with_cache(tmp_path / "cache").python(CLOSED, windows_path(path), windows_path(out))
        assert text(done.stdout) == "42\n", done.stderr
        assert out.read_text() == "[True, True, True]"


def test_gui_program(windows, tmp_path):
    path = program(tmp_path / "gui.exe", "import sys; open(sys.argv[1], 'w').write(sys.executable)", "gui", name="gui")
    out = tmp_path / "written"
    assert windows.start(path, windows_path(out)).returncode == 0
    assert out.read_text().endswith("\\bin\\gui.exe")


def test_errors_of_a_gui_program_go_to_standard_error_where_there_is_one(windows, tmp_path):
    path = tmp_path / "bare.exe"
    path.write_bytes(launcher("gui"))
    done = windows.start(path)
    assert done.returncode == 101
    assert "holds no program" in text(done.stderr)


BREAK = """
import os, signal, subprocess, sys
signal.signal(signal.SIGBREAK, lambda *_: None)  # all processes of this console are told
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
process.stdout.readline()
try:
    os.kill(0, signal.CTRL_BREAK_EVENT)
except OSError as error:
    open(sys.argv[1], "w").write("no break: %s" % error)
    process.kill()
    sys.exit()
with open(sys.argv[1], "w") as out:
    print(process.communicate(timeout=60)[0], process.returncode, file=out)
"""
WAIT = """
import signal, sys, time
def seen(number, frame):
    print("seen", number, flush=True)
    sys.exit(9)
signal.signal(signal.SIGBREAK, seen)
print("ready", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(8)
"""


def at_a_console(windows: Wine, *words: str | Path, typed: bytes = b"") -> tuple[str, int]:
    """Start something at a terminal, type when it is ready, and return what was shown and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(windows.environment(TERM="xterm"))
        os.execv(windows.words[0], [*windows.words, *words])
    shown, until = b"", time.monotonic() + 120
    while time.monotonic() < until:
        try:
            part = os.read(terminal, 4096) if select.select([terminal], [], [], 1)[0] else None
        except OSError:  # the other side is gone
            break
        shown += part or b""
        if b"ready" in shown and typed:
            time.sleep(1)
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_console_and_ctrl_c(windows, tmp_path):
    path = program(tmp_path / "wait.exe", WAIT, name="wait")
    windows.start(path, PYPACK_SELF="extract")
    shown, code = at_a_console(windows, path, typed=b"\x03")
    assert "interrupted" in shown
    assert code == 8


def test_ctrl_break(windows, tmp_path):
    path, out = program(tmp_path / "wait.exe", WAIT, name="wait"), tmp_path / "out"
    windows.start(path, PYPACK_SELF="extract")
    words = ["-I", "-S", "-c", BREAK, windows_path(out), windows_path(path)]
    shown, _ = at_a_console(windows, python_folder() / "python.exe", *words)
    assert out.is_file(), shown
    if out.read_text().startswith("no break"):
        pytest.skip(f"wine cannot send Ctrl-Break, it was NOT tested that it reaches the program: {out.read_text()}")
    assert out.read_text() == "b'seen 21\\r\\n' 9\n"


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


# --- looking after it -------------------------------------------------------------------------------------------------


def test_self_commands(windows, facts, tmp_path):
    own = windows.with_cache(tmp_path / "cache")

    def run(word: str) -> subprocess.CompletedProcess[bytes]:
        return own.start(facts, PYPACK_SELF=word)

    assert "not in the cache" in text(run("info").stdout)
    assert run("extract").returncode == 0
    assert "not in the cache" not in text(run("info").stdout)
    assert text(run("verify").stdout).count("sound in the bundle and in the cache") == 2
    damaged = next((own.cache / "layers").glob("*/Lib/os.pyc"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert "was damaged in the cache, unpacked again" in text(run("verify").stdout)
    done = run("clean")
    assert (done.returncode, text(done.stdout).count("removed")) == (0, 3), done.stderr
    assert not list((own.cache / "layers").iterdir()) + list((own.cache / "apps").iterdir())


def test_clean_spares_a_running_program(windows, tmp_path):
    source = (
        "import os, subprocess, sys\n"
        "env = {**os.environ, 'PYPACK_SELF': 'clean'}\n"
        "done = subprocess.run([sys.pypack.bundle], env=env, capture_output=True, text=True)\n"
        "print(done.returncode, 'nothing was removed' in done.stderr)\nimport json\n"
    )
    path = program(tmp_path / "busy.exe", source, name="busy")
    done = windows.start(path)
    assert text(done.stdout) == "110 True\n", done.stderr


@pytest.mark.parametrize(("kept", "code"), [(0.5, 101), (0.999, 101)])
def test_a_cut_bundle_is_named(windows, facts, tmp_path, kept, code):
    content = facts.read_bytes()
    path = write(tmp_path / "cut.exe", content[: int(len(content) * kept)])
    done = windows.start(path)
    assert done.returncode == code
    assert "holds no program" in text(done.stderr)


def test_a_damaged_layer_is_named(windows, facts, tmp_path):
    content = bytearray(facts.read_bytes())
    content[len(content) // 2] ^= 1
    done = windows.with_cache(tmp_path / "cache").start(write(tmp_path / "bad.exe", bytes(content)))
    assert done.returncode == 103
    assert "frame" in text(done.stderr)


@pytest.mark.parametrize("name", ["nul.txt", "com1", "what?", "a:stream", "ends."])
def test_names_that_windows_reads_otherwise(windows, tmp_path, name):
    made = recipe("")
    made.app.append(File(path=f"app/{name}", data=b"x"))
    path = write(tmp_path / "names.exe", bundle(launcher(), made))
    done = windows.start(path)
    assert done.returncode == 103, text(done.stderr)
    assert name in text(done.stderr)


def test_a_folder_that_others_can_write_to(windows, facts, tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    open_to_all.chmod(0o777)
    done = windows.with_cache(open_to_all).start(facts, PYPACK_DEBUG="1")
    if not told(done)["prefix"].startswith(windows_path(open_to_all)):
        assert "others can write to it" in text(done.stderr)
    else:
        pytest.skip("wine does not show this folder's mode as rights: it was NOT refused")


RIGHTS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "windows_rights.c"
_Noreturn void report_no_memory(void) { exit(107); }
int main(int argc, char **argv)
{
    TOKEN_USER *self = user();
    for (int i = 1; i + 1 < argc; i += 2) {
        PSECURITY_DESCRIPTOR whole;
        BOOL given, defaulted;
        PACL list;
        void *entry;
        if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(argv[i + 1], SDDL_REVISION_1, &whole, NULL) ||
            !GetSecurityDescriptorDacl(whole, &given, &list, &defaulted) || !given)
            return 2;
        if (GetAce(list, 0, &entry) && atoi(argv[i]))
            ((ACE_HEADER *)entry)->AceType = (BYTE)atoi(argv[i]);
        printf("%d", open_to_others(list, self->User.Sid));
    }
    wchar_t *name;
    ConvertSidToStringSidW(self->User.Sid, &name);
    printf(" %ls\n", name);
    return 0;
}
"""
INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
CALLBACK, OBJECT, COMPOUND = "9", "5", "4"
FIT = [("0", "D:(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"), ("0", f"D:(A;;FA;;;{INSTALLER})"), ("0", "D:(A;OICIIO;GA;;;CO)"),
       ("0", "D:(A;;0x1200a9;;;WD)"), ("0", "D:(D;;FA;;;WD)"), (CALLBACK, "D:(A;;FA;;;SY)")]  # fmt: skip
UNFIT = [("0", "D:(A;;FA;;;WD)"), ("0", "D:(A;;FA;;;S-1-5-21-1-2-3-1234)"), ("0", "D:(A;;0x2;;;S-1-5-21-1-2-3-513)"),
         ("0", "D:(A;;0x4;;;AU)"), ("0", "D:(A;;SD;;;BU)"), ("0", "D:(A;;WD;;;BU)"), ("0", "D:(A;;WO;;;BU)"),
         ("0", "D:(A;OICIIO;GW;;;BU)"), ("0", "D:(A;;FA;;;SY)(A;;FA;;;S-1-15-2-1)"), (CALLBACK, "D:(A;;FA;;;BU)"),
         (OBJECT, "D:(A;;FA;;;BU)"), (COMPOUND, "D:(A;;FA;;;SY)")]  # fmt: skip


def test_whose_rights_are_trusted(windows, tmp_path):
    """Permissions as the system parses them; wine keeps none on a folder, so the function is asked directly."""
    stubs, source, made = folders.data("stubs"), tmp_path / "rights.c", tmp_path / "rights.exe"
    source.write_text(RIGHTS)
    parts = [stubs / f"{name}.c" for name in ("memory", "text", "windows_text")]
    words = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", f"-I{stubs}"]
    subprocess.run([*words, source, *parts, "-ladvapi32", "-o", made], check=True, cwd=tmp_path)
    done = windows.start(made, *[word for pair in FIT + UNFIT for word in pair])
    assert done.returncode == 0, done.stderr
    found, user = text(done.stdout).split()
    assert found == "0" * len(FIT) + "1" * len(UNFIT)
    own = windows.start(made, "0", f"D:(A;OICI;FA;;;{user})(A;;FA;;;BA)")
    assert text(own.stdout).split()[0] == "0"


RELATIVE = """
import os, subprocess, sys
os.chdir(sys.argv[1])
names = ["LOCALAPPDATA", "TMP", "TEMP"]
env = {**os.environ, **dict.fromkeys(names, "here"), "PYPACK_CACHE_DIR": "", "PYPACK_SELF": "info"}
done = subprocess.run(sys.argv[2:], env=env, capture_output=True, text=True, timeout=60)
print(done.returncode, "here" in done.stdout + done.stderr, "AppData" in done.stdout, os.listdir("."))
"""


def test_relative_folders_of_the_system_do_not_count(windows, facts, tmp_path):
    done = windows.python(RELATIVE, windows_path(tmp_path), windows_path(facts))
    assert text(done.stdout) == "0 False True []\n", done.stderr


# --- signed -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    """Signs a file as its owner would, with a certificate that was made for this."""
    if not shutil.which("osslsigncode") or not shutil.which("openssl"):
        pytest.skip("osslsigncode or openssl is not here: a signed bundle was NOT started")
    folder = tmp_path_factory.mktemp("identity")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"]
    more = ["-subj", "/CN=throwaway", "-addext", "extendedKeyUsage=codeSigning"]
    subprocess.run(["openssl", *words, *more], check=True, capture_output=True)

    def sign(path: Path, signed: Path) -> Path:
        words = ["sign", "-certs", certificate, "-key", key, "-in", path, "-out", signed]
        subprocess.run(["osslsigncode", *words], check=True, capture_output=True)
        signed.chmod(0o755)
        return signed

    return sign


def certificates(content: bytes) -> tuple[int, int]:
    at = struct.unpack_from("<I", content, 60)[0] + 24 + 112 + 4 * 8
    return struct.unpack_from("<II", content, at)


@pytest.mark.parametrize("padding", range(8))
def test_signed_bundle(windows, signer, tmp_path, padding):
    """The certificate table follows the trailer after 0 to 7 zero bytes, as many as make the file's length right."""
    source = (
        "import subprocess, sys; print('signed')\n"
        "print(subprocess.run([sys.executable, '-c', 'print(2)'], stdout=-1).stdout)\n"
    )
    plain = recipe(source, name="signed")
    for salt in range(8):
        version = f"version={'1' * (1 + salt)}"
        made = bundle(launcher(), replace(plain, extra=(version, *plain.extra[1:])))
        if -len(made) % 8 == padding:
            break
    signed = signer(write(tmp_path / "plain.exe", made), tmp_path / "signed.exe")
    offset, size = certificates(signed.read_bytes())
    assert (offset, offset + size) == (len(made) + padding, signed.stat().st_size)
    done = windows.start(signed)
    assert (done.returncode, text(done.stdout)) == (0, "signed\nb'2\\r\\n'\n"), done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((0, 4), "signature's place is wrong"),  # offset past the end
        ((4, 4), "signature's place is wrong"),  # size past the end
    ],
)
def test_hostile_certificate_table(windows, facts, tmp_path, change, words):
    content = bytearray(facts.read_bytes())
    at = struct.unpack_from("<I", content, 60)[0] + 24 + 112 + 4 * 8
    struct.pack_into("<II", content, at, 8, 8)
    content[at + change[0] : at + sum(change)] = b"\xff" * change[1]
    done = windows.start(write(tmp_path / "odd.exe", bytes(content)))
    assert done.returncode == 101
    assert words in text(done.stderr)


HEADERS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trailer.h"
#include "windows_pe.h"
static void look(const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    struct pe_table table;
    memcpy(copy, bytes, size);
    const char *why = pe_certificates(copy, size, &table);
    pe_forget_certificates(copy, size);
    if (!why && (pe_certificates(copy, size, &table) || table.size || table.offset))
        abort();
    free(copy);
}
int main(void)
{
    static unsigned char head[4096];
    size_t size = fread(head, 1, sizeof head, stdin);
    for (size_t cut = 0; cut <= size; cut++)
        look(head, cut);
    for (size_t at = 0; at < 512; at++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char before = head[at];
            head[at] = (unsigned char)value;
            look(head, size);
            look(head, at + 1);
            head[at] = before;
        }
    return 0;
}
"""


def test_hostile_headers(tmp_path):
    """Every cut and many changed bytes of a header, under the sanitizers."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: damaged headers were NOT read under the sanitizers")
    source, made, stubs = tmp_path / "headers.c", tmp_path / "headers", folders.data("stubs")
    source.write_text(HEADERS)
    words = ["gcc", *stub.STANDARD, *SANITIZED, f"-I{stubs}", source, stubs / "windows_pe.c", "-o", made]
    subprocess.run(words, check=True)
    done = subprocess.run([made], input=launcher()[:4096], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
