"""``launch = "embed"``: Python is loaded into the launcher's own process. To the program it is all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.cases.conftest import run
from tests.cases.test_process import told


@pytest.fixture(scope="module")
def embedded(probes):
    return probes("embed")


@pytest.fixture
def both(embedded, probe, tmp_path):
    """Start the program by the one way and by the other."""

    def call(*words: str, **more):
        env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")}
        return run([embedded, *words], env=env, **more), run([probe, *words], env=env, **more)

    return call


def test_it_is_the_launcher_s_own_process(embedded, both, tmp_path):
    def prepare():
        os.umask(0o027)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    ours, theirs = (json.loads(done.out) for done in both("facts", "a b", "ü", preexec_fn=prepare, cwd=tmp_path))
    same = ("flags", "signals", "blocked", "folder", "umask", "session", "streams", "encodings", "environment", "files")
    for key in same:
        assert ours[key] == theirs[key], key
    assert ours["argv"] == [str(embedded), "facts", "a b", "ü"]
    assert ours["orig"] == [ours["executable"], *ours["argv"]]
    assert ours["parent"] == os.getpid()
    assert ours["comm"] == "probe"
    assert ours["words"] == str(embedded), "its own words are kept"
    assert ours["executable"].endswith("/bin/probe")
    assert ours["prefixes"][1] == theirs["prefixes"][1]
    assert {**ours["main"], "file": ""} == {**theirs["main"], "file": ""}


@pytest.mark.parametrize("way", ["number", "text", "raise", "thread", "at exit", "abort", "keyboard", "15"])
def test_ways_to_end(both, way):
    ours, theirs = both("ways_to_end", way)
    assert (ours.code, ours.out) == (theirs.code, theirs.out)
    assert told(ours.err) == told(theirs.err)


@pytest.mark.parametrize("word", ["pools", "children", "commands", "again", "asynchronous", "imports"])
def test_programs_that_start_python(both, word, tmp_path):
    ours, theirs = both(word, cwd=tmp_path)
    assert (ours.code, ours.err) == (0, ""), ours
    assert ours.out == theirs.out


def test_it_is_known_to_run(embedded, tmp_path):
    env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen([embedded, "line"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.read(1) == "?"
    done = run([embedded], env={**env, "PYPACK_SELF": "clean"})
    process.communicate("x\n")
    assert (done.code, process.returncode) == (110, 0)
    assert run([embedded], env={**env, "PYPACK_SELF": "clean"}).code == 0


def test_as_an_interpreter(embedded, start):
    done = start(embedded, "-c", "import helper, sys; print(helper.WORD, sys.argv)", env={"PYPACK_INTERPRETER": "1"})
    assert (done.code, done.out) == (0, "helper's word ['-c']\n")


def test_what_a_library_that_cannot_be_loaded_is(embedded, start, tmp_path):
    start(embedded, "imports")
    (library,) = (tmp_path / "bundle-cache").glob("layers/*/lib/libpython3.*.so.1.0")
    data = library.read_bytes()
    library.write_bytes(data[:64] + bytes(len(data) - 64))
    done = start(embedded, "imports")
    assert done.code == 106
    assert str(library) in done.err
    assert "exit code 106" in done.err
