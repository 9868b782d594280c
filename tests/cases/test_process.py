"""The process of a program in a bundle is the one that ``python FILE`` would be in a virtual environment."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cases.conftest import run

KNOWN = {"COUNT", "LC_CTYPE"}


@pytest.fixture(scope="module")
def plain(probe, tmp_path_factory):
    """The words that start the same file in a virtual environment of the same interpreter."""
    cache = tmp_path_factory.mktemp("plain")
    env = {**os.environ, "PYPACK_CACHE_DIR": str(cache)}
    subprocess.run([probe, "ways_to_end", "none"], env=env, check=True)
    (python,) = cache.glob("apps/*/python/probe")
    (script,) = cache.glob("layers/*/app/probe.py")
    subprocess.run([python.resolve(), "-m", "venv", "--without-pip", cache / "venv"], check=True)
    return [str(cache / "venv/bin/python"), str(script)]


@pytest.fixture
def both(probe, plain, tmp_path):
    """Start both with the same words; gives the two results."""

    def call(*words: str, **more):
        env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache"), **more.pop("env", {})}
        run([probe, "ways_to_end", "none"], env={**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")})
        more.setdefault("cwd", tmp_path)
        return run([probe, *words], env=env, **more), run([*plain, *words], env=env, **more)

    return call


def facts(both, *words: str, **more):
    ours, theirs = (json.loads(done.out) for done in both("facts", *words, **more))
    return ours, theirs


def test_arguments_names_and_main(both, probe):
    odd = ["", "a b", "c\nd", "ü☃", os.fsdecode(b"\xff\xfe"), "--help", "-c"]
    ours, theirs = facts(both, *odd)
    assert ours["raw"][2:] == theirs["raw"][2:]
    assert ours["orig"] == [ours["executable"], *ours["argv"]]
    assert theirs["orig"][2:] == ours["orig"][2:]
    assert ours["argv"][0] == str(probe)
    assert ours["flags"] == theirs["flags"]
    assert ours["comm"] == "probe"
    assert ours["words"] == ours["executable"]
    assert ours["executable"].endswith("/bin/probe")
    prefix, base = map(Path, ours["prefixes"])
    assert prefix == Path(ours["executable"]).parents[1]
    assert base.name == Path(theirs["prefixes"][1]).name
    main = ours["main"]
    assert main["file"].endswith("/app/probe.py")
    assert {**main, "file": ""} == {**theirs["main"], "file": ""}
    assert ours["hook"]


def test_what_is_inherited(both, tmp_path):
    def prepare():
        os.umask(0o027)
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    folder = tmp_path / "wörk"
    folder.mkdir()
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        more = {"preexec_fn": prepare, "cwd": folder, "close_fds": False, "env": {"MARK": "ä\udcff", "PYTHONPATH": "x"}}
        ours, theirs = facts(both, **more)
    finally:
        os.close(read)
        os.close(write)
    marker = b"PYPACK_OUTER_PYTHONPATH".hex()  # so that children know whose PYTHONPATH it is
    assert ours["environment"].pop(marker) == ours["environment"][b"PYTHONPATH".hex()]
    for key in ("signals", "blocked", "folder", "umask", "session", "streams", "encodings", "environment"):
        assert ours[key] == theirs[key], key
    assert ours["group"] == ours["pid"]
    assert ours["parent"] == os.getpid(), "no process stands between"
    extra = set(ours["files"]) - set(theirs["files"])
    assert len(extra) == 1, "the lock that says that it runs"
    assert min(extra) >= 10


def test_the_bootstrap_imports_next_to_nothing(both):
    """Each import from a file costs a tenth of a millisecond on every start."""
    ours, theirs = (set(json.loads(done.out)) for done in both("modules"))
    assert ours <= theirs


def test_a_warm_start_is_a_few_system_calls(probe, start, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not here: the system calls of a warm start were NOT counted")
    assert start(probe, "ways_to_end", "none").code == 0
    log = tmp_path / "log"
    done = start("strace", "-o", str(log), str(probe), "ways_to_end", "none")
    if done.code:
        pytest.skip(f"strace may not trace here, the system calls were NOT counted: {done.err}")
    lines = log.read_text(errors="replace").splitlines()
    begun = [number for number, line in enumerate(lines) if line.startswith("execve(")]
    calls = lines[begun[0] + 1 : begun[1]]
    assert len(calls) <= 40, calls
    size = probe.stat().st_size
    read = sum(int(line.rpartition("= ")[2]) for line in calls if line.startswith(("read(", "pread64(")))
    assert read < min(size, 80_000), "the end of the bundle, and a few small files: nothing is hashed"


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_XX.utf8", ""])
def test_locale_and_utf8_mode(both, locale):
    env = {"LC_ALL": locale, "LANG": "", "LC_CTYPE": ""}
    ours, theirs = facts(both, env=env)
    for key in ("encodings", "streams", "environment"):
        assert ours[key] == theirs[key]
    assert ours["flags"]["utf8_mode"] == theirs["flags"]["utf8_mode"]


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_standard_channels(both, closed):
    ours, theirs = both("ways_to_end", "number", preexec_fn=lambda: os.close(closed))
    assert ours.code == theirs.code == 3


WAYS = [
    "number", "text", "none", "raise", "chain", "syntax", "missing", "hook", "hook that exits", "group", "at exit",
    "thread", "quickly", "abort", "fault", "warning", "15", "9", "10",
]  # fmt: skip


def told(text: str) -> str:
    """What was printed, without what differs from run to run: the folder of the cache, numbers of threads."""
    text = re.sub(r"/\S*/layers/[0-9a-f]{32}/", "LAYER/", text)
    return re.sub(r"(Thread|thread) 0x[0-9a-f]+", "thread", text)


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_end(both, way):
    """Exit codes, signals, tracebacks with their source lines, warnings, fatal errors: word for word."""
    if way == "group" and sys.version_info < (3, 11):
        pytest.skip("this Python has no exception groups: NOT compared")
    ours, theirs = both("ways_to_end", way)
    assert (ours.code, ours.out) == (theirs.code, theirs.out)
    if way == "fault":  # the dump goes through the bootstrap
        assert "Fatal Python error: Segmentation fault" in ours.err
        assert 'probe.py", line ' in ours.err
        assert ours.code == -signal.SIGSEGV
    else:
        assert told(ours.err) == told(theirs.err)
        assert "pypack" not in ours.err


def test_an_interrupt_kills_by_its_signal(both):
    ours, theirs = both("ways_to_end", "keyboard")
    assert ours.code == theirs.code == -signal.SIGINT
    assert ours.err.endswith("KeyboardInterrupt\n")


def test_breakpoint(probe, start, tmp_path):
    done = subprocess.run(
        [probe, "ways_to_end", "debugger"], input="p value + 1\nw\nc\n", capture_output=True, text=True, check=False,
        env={**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "43" in done.stdout
    assert 'print("went on", value)' in done.stdout
    assert "went on 42" in done.stdout


def on_a_terminal(words, env, typed: bytes, until: bytes = b"? ") -> bytes:
    """Start something on a terminal of its own, type when it asks; return all that the terminal shows."""
    number, terminal = pty.fork()
    if number == 0:
        try:
            os.execve(words[0], [os.fspath(word) for word in words], env)
        finally:
            os._exit(99)
    shown, waited = b"", time.monotonic() + 60
    while time.monotonic() < waited:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
        if typed and until in shown:
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0, shown
    return shown


def test_a_terminal(probe, tmp_path):
    env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache"), "TERM": "xterm"}
    shown = on_a_terminal([str(probe), "terminal"], env, b"")
    assert b"to the terminal" in shown
    assert b"[true, true, true, " in shown
    shown = on_a_terminal([str(probe), "line"], env, b"bc\x01a\x05d\n")
    assert b'"abcd"' in shown, "ctrl-A and ctrl-E move in the line"
