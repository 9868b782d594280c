"""What leaves the cache by itself: programs that were not used for long, what is too much, what nobody needs."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from pypack import cli
from tests.faults.test_cache import mounted, need_root, nothing_in_tmp, root_of, run
from tests.support.bundles import File, bundle, write
from tests.support.launchers import environment, launcher, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400


def another(folder: Path, name: str, size: int = 1000) -> Path:
    """A program that shares its runtime with all others, and has an app of its own."""
    app = [File(path="boot.pyc", data=b"boot"), File(path="app/data", data=name.encode() * (size // len(name)))]
    return write(folder / name, bundle(launcher(), recipe(name=name, app=app)))


def age(cache: Path, program: str, days: float) -> Path:
    """Set when a program was last used; return its folder."""
    (link,) = cache.glob(f"apps/*/bin/{program}")
    then = time.time() - days * DAY
    os.utime(link.parents[1] / "pyvenv.cfg", (then, then))
    return link.parents[1]


def layers(cache: Path) -> set[str]:
    return {each.name for each in (cache / "layers").iterdir()}


def nothing_half_made(cache: Path) -> None:
    """One lock serves all who tidy up and stays; else nothing is in tmp/."""
    nothing_in_tmp(cache)
    assert {each.name for each in (cache / "tmp").iterdir()} <= {"cleaning.lock"}


@pytest.fixture
def old(tmp_path, cache) -> Path:
    """A program in the cache, that was not used for 61 days."""
    program = another(tmp_path, "old")
    root_of(run([program], environment(cache)))
    age(cache, "old", 61)
    return program


@pytest.fixture
def sleeping(cache) -> Iterator:
    """Start a program that sleeps: ``sleeping(words)``."""
    started = []

    def start(*words, **more: str):
        process = subprocess.Popen(words, env=environment(cache, STAND_IN_WAIT="60", **more), stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_cold_start_removes_what_was_not_used_for_long(hello, cache, old):
    before = layers(cache)
    done = run([hello], environment(cache, PYPACK_DEBUG="1"))
    assert "removing" in done.stderr
    assert not list(cache.glob("apps/*/bin/old"))
    assert len(before - layers(cache)) == 1, "the runtime and the packages are the other program's too"
    nothing_half_made(cache)
    assert root_of(run([old], environment(cache))) == os.fspath(cache)


def test_a_warm_start_removes_nothing_and_notes_the_use(hello, cache, old):
    run([hello], environment(cache))
    root_of(run([old], environment(cache)))
    folder = age(cache, "old", 61)
    (cache / "layers" / ("0" * 32)).mkdir()
    root_of(run([hello], environment(cache)))
    assert folder.exists()
    assert (cache / "layers" / ("0" * 32)).exists()
    root_of(run([old], environment(cache)))
    assert time.time() - (folder / "pyvenv.cfg").stat().st_mtime < 60


@pytest.mark.parametrize("days", ["0", "62", "x", ""])
def test_bounds_that_keep_it(hello, cache, old, days):
    """Not older than the bound, no bound, and what is no number: then it is the default."""
    run([hello], environment(cache, PYPACK_CACHE_DAYS=days))
    assert bool(list(cache.glob("apps/*/bin/old"))) == (days in {"0", "62"})


def test_what_runs_stays(hello, cache, old, sleeping):
    process = sleeping(old)
    folder = age(cache, "old", 100)
    run([hello], environment(cache))
    assert folder.exists()
    process.kill()
    process.wait()
    (cache / "layers" / ("0" * 32)).mkdir()
    next(each for each in cache.glob("apps/*/pyvenv.cfg") if each.parent != folder).unlink()
    run([hello], environment(cache))
    assert not folder.exists()
    assert "0" * 32 not in layers(cache)


@pytest.mark.parametrize("words", ["own", "others"])
def test_a_child_that_outlives_the_program_stays(hello, cache, old, sleeping, words):
    """It holds no lock; the system tells what it runs, also where it has changed what `ps` shows of it."""
    folder = age(cache, "old", 100)
    python = folder / "bin/old"
    if words == "own":
        sleeping(python)
    else:
        sleeping("bash", "-c", f"exec -a renamed '{python}'")
    run([hello], environment(cache))
    assert folder.exists()
    assert root_of(run([old], environment(cache))) == os.fspath(cache)
    if words == "own":
        assert run([old], environment(cache, PYPACK_SELF="clean")).returncode == 110
        assert folder.exists()


def test_size_is_bound_and_the_oldest_goes_first(tmp_path, cache, hello):
    for number in range(6):
        root_of(run([another(tmp_path, f"p{number}", 1 << 20)], environment(cache, PYPACK_CACHE_MB="1")))
    assert len(list(cache.glob("apps/*"))) == 6, "what was used within a day stays"
    for number in range(6):
        age(cache, f"p{number}", 2 + number)
    run([hello], environment(cache, PYPACK_CACHE_MB="4"))
    assert {each.name for each in cache.glob("apps/*/bin/p[0-9]")} == {"p0", "p1", "p2"}
    nothing_half_made(cache)


def test_a_hundred_programs(tmp_path, cache):
    """Each is another bundle, all share a runtime; the bound holds all the while, and each start is right."""
    for number in range(100):
        each = another(tmp_path, f"p{number:03}", 100_000)
        assert root_of(run([each], environment(cache, PYPACK_CACHE_MB="2"))) == os.fspath(cache)
        age(cache, each.name, 2 + (100 - number) / 50)
        each.unlink()
        used = sum(file.stat().st_size for file in (cache / "layers").rglob("*") if not file.is_symlink())
        assert used < 3 << 20
        nothing_half_made(cache)
    assert 5 < len(list(cache.glob("apps/*"))) < 25


def test_a_clock_that_was_ahead_and_was_set_back(hello, cache, old):
    folder = age(cache, "old", -4000)
    root_of(run([hello], environment(cache)))
    assert time.time() - (folder / "pyvenv.cfg").stat().st_mtime < 60, "else it would never grow old"
    age(cache, "old", -4000)
    root_of(run([old], environment(cache)))
    assert time.time() - (folder / "pyvenv.cfg").stat().st_mtime < 60


def test_what_killed_starts_left_is_swept(hello, cache, old):
    names = [f"{'a' * 32}.77.0", f"{'b' * 32}.lock", f"{'c' * 32}.0123456789abcdef.9.1"]
    then = time.time() - 2 * DAY
    for name in names:
        path = cache / "tmp" / name
        path.write_text("") if name.endswith("lock") else (path / "half").mkdir(parents=True)
        os.utime(path, (then, then))
    (cache / "layers" / ("d" * 32)).mkdir()
    (cache / "layers/mine").mkdir()
    run([hello], environment(cache))
    nothing_half_made(cache)
    assert "d" * 32 not in layers(cache)
    assert "mine" in layers(cache), "only what is ours is removed"


def test_the_administrators_common_folder_is_left_alone(hello, cache, old):
    need_root("a folder of root's that others use")
    cache.chmod(0o755)
    run([hello], environment(cache))
    assert list(cache.glob("apps/*/bin/old"))


def test_a_layer_is_not_taken_from_a_program_that_is_just_being_made(tmp_path, cache):
    """Many programs that share a runtime appear and go at once: none ever misses a layer."""
    programs = [another(tmp_path, f"p{number}") for number in range(6)]
    several = []
    for number in range(60):
        word = {"PYPACK_SELF": "clean"} if number % 3 == 2 else {}
        several.append(subprocess.Popen([programs[number % 6]], env=environment(cache, **word), stdout=-1, stderr=-1))
    told = [each.communicate(timeout=120) for each in several]
    assert {each.returncode for each in several} <= {0, 110}, told
    for number, each in enumerate(several):
        assert number % 3 == 2 or each.returncode == 0, told[number]
    left = {each.name for each in (cache / "layers").iterdir()}
    for settings in cache.glob("apps/*/pyvenv.cfg"):
        line = next(line for line in settings.read_text().splitlines() if line.startswith("pypack-layers ="))
        assert set(re.findall(r"[0-9a-f]{32}", line)) <= left, "a program lacks a layer that it names"


def test_a_full_disk_does_not_hinder_tidying(hello, tmp_path):
    need_root("a full disk")
    with mounted(tmp_path / "disk", "size=4m,mode=700") as disk:
        program = another(tmp_path, "old", 1 << 20)
        cache = disk / "cache"
        root_of(run([program], environment(cache)))
        age(cache, "old", 61)
        home = tmp_path / "home"
        home.mkdir()
        (disk / "filler").write_bytes(bytes(4 << 20)[: os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 8192])
        assert root_of(run([hello], environment(cache, HOME=os.fspath(home)))) == f"{home}/.cache/pypack"
        nothing_in_tmp(cache)


def test_the_cache_command_knows_programs(hello, cache, old, sleeping, monkeypatch, capsys):
    """It shows them, and prunes by the launcher's own rules: what runs stays, and shared layers stay with it."""
    age(cache, "old", 10)
    sleeping(hello)
    age(cache, "hello", 50)
    age(cache, "old", 61)
    monkeypatch.setenv("PYPACK_CACHE_DIR", os.fspath(cache))
    assert cli.main(["cache"]) == 0
    told = capsys.readouterr().out
    assert "in 4 layers" in told
    assert "hello, used 50 days ago\n    old, used 61 days ago" in told
    assert cli.main(["cache", "--prune", "30"]) == 0
    assert {each.name for each in cache.glob("apps/*/bin/*")} == {"hello", "python", "python3"}
    assert len(layers(cache)) == 3
    nothing_half_made(cache)
    assert root_of(run([hello], environment(cache))) == os.fspath(cache)
