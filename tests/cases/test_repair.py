"""A file of the cache is missing or cut: the launcher repairs what it looks at, the bootstrap tells all else.

The bootstrap starts nothing for that: what stands at the program's path by then may be anything.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time

import pytest

from tests.cases.conftest import run

TAG = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
STDLIB = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
CODEC = f"{STDLIB}/encodings/__pycache__/utf_8.{TAG}.pyc"
SEEN = [  # by the launcher, before it starts Python
    (f"bin/python{sys.version_info[0]}.{sys.version_info[1]}", "emptied"),
    (f"{STDLIB}/encodings/__init__.py", "missing"),
    (CODEC, "cut"),
    ("boot/encodings.pyc", "cut"),
    ("app/probe.py", "missing"),  # CPython runs it itself
    ("launch", "emptied"),
]
TOLD = [  # by the bootstrap
    (f"{STDLIB}/json/__init__.py", "missing"),
    (f"{STDLIB}/json/decoder.py", "missing"),
    (f"{STDLIB}/json/__pycache__/decoder.{TAG}.pyc", "cut"),
    ("site-packages/idna/__init__.py", "missing"),
    ("site-packages/idna/core.py", "missing"),
    (f"site-packages/idna/__pycache__/core.{TAG}.pyc", "cut"),
    ("app/helper.py", "missing"),
    (f"app/__pycache__/helper.{TAG}.pyc", "cut"),
]
HARMLESS = [  # sources are for people where there is bytecode; empty bytecode is made anew
    ("site-packages/idna/core.py", "emptied"),
    (f"app/__pycache__/probe.{TAG}.pyc", "cut"),
    (f"{STDLIB}/json/__pycache__/decoder.{TAG}.pyc", "missing"),
]


@pytest.fixture(scope="module")
def program(probe, tmp_path_factory):
    """Start it with a cache that all tests here share; gives the cache too."""
    cache = tmp_path_factory.mktemp("repair") / "cache"

    def start(*words: str, **more: str):
        return run([probe, *words], env={**os.environ, "PYPACK_CACHE_DIR": str(cache), **more}, cwd=cache.parent)

    assert start("imports").code == 0
    return start, cache


def damage(cache, inside: str, how: str) -> None:
    (path,) = cache.glob(f"layers/*/{inside}")
    for each in (path, path.parent):  # whatever rights files of layers have
        each.chmod(each.stat().st_mode | stat.S_IWUSR)
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, 0 if how == "emptied" else path.stat().st_size // 2)


@pytest.mark.parametrize(("inside", "how"), SEEN)
def test_what_every_start_looks_at_is_repaired(program, inside, how):
    start, cache = program
    damage(cache, inside, how)
    done = start("imports")
    assert (done.code, done.out, done.err) == (0, "fine\n", "")


@pytest.mark.parametrize(("inside", "how"), TOLD)
def test_what_only_python_meets_is_told_after_the_traceback(program, inside, how):
    start, cache = program
    damage(cache, inside, how)
    done = start("imports")
    repaired = start(PYPACK_SELF="verify")
    assert (done.code, done.out) == (111, ""), done
    *trace, what, remedy = done.err.splitlines()
    assert trace[-1].startswith(("ModuleNotFoundError:", "EOFError:", "AttributeError:", "KeyError: 'deps'")), trace
    assert what.endswith(f"/{inside} {'is missing' if how == 'missing' else 'is not what was unpacked'}")
    assert "PYPACK_SELF=verify" in remedy
    assert repaired.out.count("unpacked again") == 1


@pytest.mark.parametrize(("inside", "how"), HARMLESS)
def test_what_does_no_harm(program, inside, how):
    start, cache = program
    damage(cache, inside, how)
    done = start("imports")
    assert (done.code, done.out, done.err) == (0, "fine\n", "")
    assert start(PYPACK_SELF="verify").out.count("unpacked again") == 1
    assert start("imports").out == "fine\n"


@pytest.mark.parametrize("inside", ["site-packages/idna", f"{STDLIB}/json"])
def test_a_folder_that_somebody_removed(program, inside):
    start, cache = program
    (path,) = cache.glob(f"layers/*/{inside}")
    shutil.rmtree(path)
    done = start("imports")
    assert done.code == 111, done
    assert start(PYPACK_SELF="verify").out.count("unpacked again") == 1


def test_a_library_that_is_emptied(program):
    start, cache = program
    (path, *_) = [*cache.glob(f"layers/*/{STDLIB}/lib-dynload/_struct.*"), None]
    if path is None:
        pytest.skip("this Python has _struct built in: an emptied extension module was NOT tested")
    inside = path.relative_to(path.parents[3]).as_posix()
    damage(cache, inside, "emptied")
    done = start("imports")
    assert start(PYPACK_SELF="verify").code == 0
    assert done.code == 111, done
    assert inside in done.err.splitlines()[-2]


@pytest.mark.parametrize("way", ["missing", "syntax", "raise"])
def test_faults_of_the_program_stay_what_they_are(program, way):
    start, _ = program
    done = start("ways_to_end", way)
    assert done.code == 1
    assert done.err.startswith(("Traceback (most recent call last):\n", '  File "somewhere.py"'))
    assert "pypack" not in done.err


def test_check_tells_and_changes_nothing(program):
    start, cache = program
    assert start(PYPACK_SELF="check").code == 0
    damage(cache, "site-packages/idna/core.py", "cut")
    for _ in range(2):
        done = start(PYPACK_SELF="check")
        assert done.code == 111
        assert "site-packages/idna/core.py is missing or is not what the bundle holds" in done.err
    assert start(PYPACK_SELF="verify").out.count("unpacked again") == 1
    assert start(PYPACK_SELF="check-app").code == 109


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("by", ["another program", "nothing", "what cannot be started"])
def test_what_stands_at_the_program_s_path_is_never_started(program, probe, tmp_path, by, damaged):
    """It waits while its file is replaced, and then ends with an exception."""
    start, cache = program
    own, ran = tmp_path / "live", tmp_path / "ran"
    shutil.copy2(probe, own)
    if damaged:
        damage(cache, "app/helper.py", "missing")
    waiting = subprocess.Popen(
        [own, "late"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYPACK_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert waiting.stdout.readline() == "waits\n"
    own.unlink()
    if by != "nothing":
        own.write_text(f"#!/bin/sh\necho x >>{ran}\n" if by == "another program" else "soup")
        own.chmod(0o755)
    began = time.monotonic()
    out, _ = waiting.communicate("helper\n" if damaged else "module_that_nobody_has\n")
    if damaged:
        start(PYPACK_SELF="verify")
    assert waiting.returncode == (111 if damaged else 1)
    assert not ran.exists()
    lines = out.splitlines()
    assert lines[:2] == ["goes on", "Traceback (most recent call last):"], "printed before, so told before"
    last = lines[-3 if damaged else -1]
    assert last == f"ModuleNotFoundError: No module named '{'helper' if damaged else 'module_that_nobody_has'}'"
    assert time.monotonic() - began < 30
