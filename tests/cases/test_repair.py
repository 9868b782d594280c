"""A file of the cache is missing or cut: the launcher repairs what it looks at, the bootstrap tells all else."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cases.conftest import run

TAG = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
STDLIB = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
CODEC = f"{STDLIB}/encodings/__pycache__/utf_8.{TAG}.pyc"
SEEN = [  # by the launcher, before it starts Python
    (f"bin/python{sys.version_info[0]}.{sys.version_info[1]}", "emptied"),
    (f"{STDLIB}/encodings/__init__.py", "missing"),
    (CODEC, "cut"),
    ("boot.pyc", "cut"),
]
TOLD = [  # by the bootstrap
    (f"{STDLIB}/json/__init__.py", "missing"),
    (f"{STDLIB}/json/decoder.py", "missing"),
    (f"{STDLIB}/json/__pycache__/decoder.{TAG}.pyc", "cut"),
    ("site-packages/idna/__init__.py", "missing"),
    (f"site-packages/idna/__pycache__/core.{TAG}.pyc", "cut"),
    ("app/helper.py", "missing"),
    (f"app/__pycache__/helper.{TAG}.pyc", "cut"),
    (f"app/__pycache__/probe.{TAG}.pyc", "cut"),
    ("launch", "emptied"),
]
HARMLESS = [  # sources are for people where there is bytecode; empty bytecode is made anew
    ("site-packages/idna/core.py", "emptied"),
    ("app/probe.py", "missing"),
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
def test_what_only_python_meets_is_one_message(program, inside, how):
    start, cache = program
    damage(cache, inside, how)
    done = start("imports")
    repaired = start(PYPACK_SELF="verify")
    assert (done.code, done.out) == (111, ""), done
    assert f"{inside} is missing or is not what the bundle holds" in done.err
    assert "PYPACK_SELF=verify" in done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) == 3
    assert repaired.out.count("unpacked again") == 1


@pytest.mark.parametrize(("inside", "how"), HARMLESS)
def test_what_does_no_harm(program, inside, how):
    start, cache = program
    damage(cache, inside, how)
    done = start("imports")
    assert (done.code, done.out, done.err) == (0, "fine\n", "")
    assert start(PYPACK_SELF="verify").out.count("unpacked again") == 1
    assert start("imports").out == "fine\n"


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


@pytest.mark.parametrize("way", ["missing", "syntax", "raise"])
def test_faults_of_the_program_stay_what_they_are(program, way):
    start, _ = program
    done = start("ways_to_end", way)
    assert done.code == 1
    assert done.err.startswith(("Traceback (most recent call last):\n", '  File "somewhere.py"'))
    assert "pypack" not in done.err


def test_check_tells_and_changes_nothing(program):
    start, cache = program
    assert (start(PYPACK_SELF="check").code, start(PYPACK_SELF="check-app").code) == (0, 0)
    damage(cache, "site-packages/idna/core.py", "cut")
    assert (start(PYPACK_SELF="check").code, start(PYPACK_SELF="check-app").code) == (111, 0)
    damage(cache, "app/helper.py", "cut")
    assert (start(PYPACK_SELF="check").code, start(PYPACK_SELF="check-app").code) == (111, 111)
    assert start(PYPACK_SELF="verify").out.count("unpacked again") == 2
