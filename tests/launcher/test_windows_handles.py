"""Exit codes, standard handles and the console on Windows: the same as with python.exe."""

from __future__ import annotations

import json
import os
import pty
import select
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.windows import Wine, facts, launcher, program, python_folder, text, windows, windows_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["facts", "windows"]  # fixtures


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
    assert out.read_text().endswith("\\Scripts\\gui.exe")


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
