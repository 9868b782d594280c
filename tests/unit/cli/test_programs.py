"""What launchers keep on this machine: what is shown of it, and what is pruned."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pypack.base import folders
from pypack.cli import programs

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
OLD = 30 * DAY


@pytest.fixture
def cache():
    """The cache of launchers, as one has left it."""
    root = folders.prepare()
    for name in ("apps", "layers", "tmp"):
        (root / name).mkdir()
    return root


def layer(cache: Path, letter: str) -> Path:
    folder = cache / "layers" / (letter * 32)
    (folder / "lib").mkdir(parents=True)
    (folder / "lib/data").write_bytes(bytes(1000))
    (folder / "lib").chmod(0o555)  # layers are read-only
    folder.chmod(0o555)
    return folder


def program(cache: Path, letter: str, *, layers: str = "", age: float = OLD, name: str = "tool") -> Path:
    folder = cache / "apps" / (letter * 32)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / name).write_bytes(bytes(500))
    settings = folder / "pyvenv.cfg"
    settings.write_text(f"home = x\npypack-layers = {' '.join(each * 32 for each in layers)}\n")
    os.utime(settings, (time.time() - age, time.time() - age))
    return folder


def prune(days: float = 1) -> int:
    return programs.prune(time.time() - days * DAY)


def test_programs_are_told_the_last_used_first(cache):
    program(cache, "a", layers="12", age=3 * DAY)
    program(cache, "b", age=0, name="other")
    (cache / "apps" / ("c" * 32)).mkdir()  # nothing can be started from it
    (cache / "apps" / "no hash").mkdir()
    found = programs.cached_programs()
    assert [each.name for each in found] == ["other", "tool", "c" * 32]
    assert found[1].layers == {"1" * 32, "2" * 32}
    assert [programs.age(each) for each in found[:2]] == ["today", "3 days ago"]
    assert programs.layers() == []


def test_what_was_not_used_goes_with_the_layers_that_nobody_names(cache):
    gone, stays = program(cache, "a", layers="12"), program(cache, "b", layers="2", age=0)
    lost, shared = layer(cache, "1"), layer(cache, "2")
    size = programs.size(gone) + 1000
    assert prune() == size
    assert [path.exists() for path in (gone, stays, lost, shared)] == [False, True, False, True]
    assert not list((cache / "tmp").glob("cleaning.*[!k]"))
    assert prune() == 0


def test_a_program_that_is_locked_stays_with_its_layers(cache):
    folder, shared = program(cache, "a", layers="1"), layer(cache, "1")
    with (folder / "pyvenv.cfg").open("rb") as settings:
        fcntl.flock(settings, fcntl.LOCK_SH)  # as a launcher holds it while the program runs
        assert prune() == 0
        assert folder.exists()
        assert shared.exists()
    assert prune() > 0
    assert not folder.exists()
    assert not shared.exists()


def test_what_a_process_runs_stays_without_a_lock(cache):
    folder = program(cache, "a")
    command = [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)", str(folder / "bin/tool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"1\n"
        assert prune() == 0
        child.terminate()
    assert prune() > 0


def test_two_do_not_clean_at_once(cache):
    folder = program(cache, "a")
    with (cache / "tmp" / "cleaning.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune() == 0
    assert folder.exists()


def test_nothing_goes_where_other_machines_or_containers_may_look(cache, monkeypatch):
    folder = program(cache, "a")
    monkeypatch.setattr(programs, "_LOCAL_FILE_SYSTEMS", frozenset())
    monkeypatch.setattr(programs, "_FIRST_PROCESSES", "pid:[1]")
    assert prune() == 0
    assert folder.exists()


def test_without_a_launcher_s_cache_there_is_nothing_to_do():
    assert programs.prune(time.time()) == 0
    assert programs.cached_programs() == []


def test_links_are_not_followed_by_sizes(cache):
    (cache / "tmp/a").write_bytes(bytes(10))
    (cache / "tmp/link").symlink_to(cache)
    assert programs.size(cache / "tmp") == 10 + (cache / "tmp/link").lstat().st_size
