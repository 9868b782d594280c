"""Compiling to unchecked-hash bytecode with a real interpreter: the one that runs the tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from pypack.bytecode import compiling, pyc
from pypack.errors import StepError
from pypack.formats.image import ImageBuilder

PYTHON = Path(sys.executable)
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_bytecode_is_unchecked_hash_and_loads():
    (done,) = compiling.compile_sources(PYTHON, [("a.py", b"x = 6 * 7\n")])
    assert done.bytecode[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(done.bytecode[4:8], "little") == 0b01  # hash-based, not checked (PEP 552)
    assert done.bytecode[8:16] == importlib.util.source_hash(b"x = 6 * 7\n")


def test_many_files_and_big_ones_pass_through_the_pipe():
    sources = [(f"m{n}.py", b"x = 1\n" * (1 if n else 200_000)) for n in range(300)]
    done = list(compiling.compile_sources(PYTHON, sources))
    assert [each.path for each in done] == [path for path, _ in sources]
    assert all(each.bytecode for each in done)


def test_bytes_are_the_same_on_any_number_of_processors():
    sources = [
        (f"m{n}.py", f"def f(a=({n}, 'x', 1.5)):\n    return 'x', a\n".encode() + b"#" * 100_000) for n in range(24)
    ]
    assert sum(len(source) for _, source in sources) > 2 << 20  # several groups
    one = list(compiling.compile_sources(PYTHON, sources))
    assert list(compiling.compile_sources(PYTHON, sources, jobs=3)) == one


def test_errors_tell_file_line_and_text():
    good, bad, null = compiling.compile_sources(
        PYTHON, [("ok.py", b""), ("app/bad.py", b"a = 1\nif a = 2:\n"), ("null.py", b"a\0b")]
    )
    assert good.bytecode
    assert "app/bad.py:2" in bad.error
    assert "if a = 2:" in bad.error
    assert null.error


def test_sources_are_kept_beside_or_replaced(tmp_path):
    for keep, expected in (
        (True, ["p/__pycache__/m.{tag}.pyc", "p/bad.py", "p/m.py"]),
        (False, ["p/bad.py", "p/m.pyc"]),
    ):
        with ImageBuilder("tree") as builder:
            builder.add("p/m.py", b"x = 1\n")
            builder.add("p/bad.py", b"print 1\n")
            failed = compiling.add_bytecode(builder, PYTHON, minor=MINOR, keep_sources=keep)
            assert [each.path for each in failed] == ["p/bad.py"]
            assert builder.paths() == [path.format(tag=pyc.tag(MINOR)) for path in expected]


def test_the_place_of_bytecode_is_the_import_system_s_own():
    assert pyc.cache_path("a/b.py", MINOR) == importlib.util.cache_from_source("a/b.py")


def test_an_interpreter_that_dies_is_one_error(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho broken library >&2\nexit 3\n")
    fake.chmod(0o755)
    with pytest.raises(StepError, match="broken library"):
        list(compiling.compile_sources(fake, [("a.py", b"x = 1")]))
    with pytest.raises(StepError, match="cannot be started"):
        list(compiling.compile_sources(tmp_path / "missing", [("a.py", b"x = 1")]))


def test_groups_that_have_not_changed_are_not_compiled_again(tmp_path):
    sources = [(f"m{n}.py", f"x = {n}\n".encode() + b"#" * 300_000) for n in range(12)]  # three groups
    groups = compiling.GroupMemory(tmp_path / "groups")
    first = list(compiling.compile_sources(PYTHON, sources, groups=groups))
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "groups").iterdir()}
    assert len(kept) == 3
    sources[-1] = ("m11.py", b"x = 'changed'\n")
    groups = compiling.GroupMemory(tmp_path / "groups")
    again = list(compiling.compile_sources(PYTHON, sources, groups=groups))
    assert again == list(compiling.compile_sources(PYTHON, sources))
    assert again[:-1] == first[:-1]
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "groups").iterdir()}
    assert len(now.items() & kept.items()) == 2, "two as they were"
    assert len(now) == 3, "and none that nobody asks for"


def test_a_damaged_group_is_compiled_again(tmp_path):
    sources = [("a.py", b"x = 1\n")]
    first = list(compiling.compile_sources(PYTHON, sources, groups=compiling.GroupMemory(tmp_path / "groups")))
    (kept,) = (tmp_path / "groups").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    assert list(compiling.compile_sources(PYTHON, sources, groups=compiling.GroupMemory(tmp_path / "groups"))) == first
