"""What is removed from the cache is removed beside the program, which does not wait for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.test_cache import nothing_in_tmp, root_of, run
from tests.faults.test_cache_life import age, another
from tests.faults.test_shared import this_machine
from tests.support.launchers import environment

STALE = 150_000
NOBODY = (1 << 22) + 1
"""The number of a process that cannot be."""


def fill(folder: Path, count: int) -> Path:
    """Make many empty files, a thousand in each folder."""
    for number in range(0, count, 1000):
        part = folder / str(number)
        part.mkdir(parents=True)
        for name in range(min(1000, count - number)):
            os.close(os.open(part / str(name), os.O_CREAT | os.O_WRONLY))
    return folder


def remover_of(cache: Path) -> int:
    """The process that removes something, once it has begun."""
    until = time.monotonic() + 10
    while not (found := removers(cache)):
        assert time.monotonic() < until
        time.sleep(0.005)
    (only,) = found
    return only


def removers(cache: Path) -> list[int]:
    """The processes that have a folder of the cache open which is to be removed."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [os.fspath(each.readlink()) for each in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(each.startswith(f"{cache}/tmp/cleaning.") for each in opened):
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("where", ["a killed start of this program", "another one's", "an old layer"])
def test_150000_stale_files_delay_nothing(hello, cache, tmp_path, where):
    """The program has begun, and its output is read to the end, while they are still there."""
    old = another(tmp_path, "old")
    root_of(run([old], environment(cache)))
    layer = next(each.name for each in (cache / "layers").iterdir() if (each / "bin").exists())
    if where == "an old layer":
        stale = fill(cache / "layers" / ("0" * 32), STALE)
    else:
        name = layer if where.startswith("a killed") else "a" * 32
        stale = fill(cache / "tmp" / f"{name}.{this_machine()}.{NOBODY}.0", STALE)
        next((cache / "layers" / layer).glob("bin/python3.13")).unlink()
    done = run([hello], environment(cache, PYPACK_DEBUG="1"))
    left = list((cache / "tmp").glob("cleaning.*/0"))
    assert root_of(done) == os.fspath(cache)
    assert left, "they were removed before the program"
    assert not stale.exists()
    remover = remover_of(cache)
    assert os.getsid(remover) == remover, "it belongs to no terminal"
    assert Path(f"/proc/{remover}/cwd").readlink() == Path("/")
    assert {Path(f"/proc/{remover}/fd/{number}").readlink() for number in range(3)} == {Path("/dev/null")}
    assert os.getpriority(os.PRIO_PROCESS, remover) == 19
    nothing_in_tmp(cache, 60)
    until = time.monotonic() + 5
    while Path(f"/proc/{remover}").exists():  # nobody's zombie, but for a moment
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_locks_are_free_while_files_are_removed(hello, cache, tmp_path):
    """Other programs start, and this one can be cleaned, although the remover has come from it."""
    root_of(run([another(tmp_path, "old")], environment(cache)))
    fill(cache / "layers" / ("0" * 32), STALE)
    root_of(run([hello], environment(cache)))
    remover = remover_of(cache)
    os.kill(remover, signal.SIGSTOP)
    try:
        other = another(tmp_path, "other")
        assert root_of(run([other], environment(cache), timeout=60)) == os.fspath(cache)
        assert run([hello], environment(cache, PYPACK_SELF="clean"), timeout=60).returncode == 0
    finally:
        os.kill(remover, signal.SIGCONT)
    nothing_in_tmp(cache, 60)


def test_a_killed_remover_is_replaced_by_the_next_cold_start(hello, cache, tmp_path):
    root_of(run([another(tmp_path, "old")], environment(cache)))
    fill(cache / "layers" / ("0" * 32), STALE)
    root_of(run([hello], environment(cache)))
    remover = remover_of(cache)
    os.kill(remover, signal.SIGKILL)
    root_of(run([another(tmp_path, "other")], environment(cache)))
    nothing_in_tmp(cache, 60)


def test_many_names_in_tmp(hello, cache, tmp_path):
    """A start looks at a part of them only; none is left in the end."""
    root_of(run([another(tmp_path, "old")], environment(cache)))
    for number in range(2000):
        (cache / "tmp" / f"{number:032x}.{this_machine()}.{NOBODY}.0").mkdir()
        (cache / "tmp" / f"{number:032x}.lock").touch()
    root_of(run([hello], environment(cache)))
    assert len(list((cache / "tmp").glob(f"*.{NOBODY}.0"))) > 1000
    nothing_in_tmp(cache, 60)


@pytest.mark.parametrize("blocked", [False, True])
def test_the_program_has_no_child_that_it_did_not_start(hello, cache, tmp_path, blocked):
    """No zombie, and no signal of one that waits."""
    root_of(run([another(tmp_path, "old")], environment(cache)))
    age(cache, "old", 61)

    def prepare() -> None:
        if blocked:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})

    env = environment(cache, STAND_IN_WAIT="30")
    process = subprocess.Popen([hello], env=env, stdout=subprocess.PIPE, preexec_fn=prepare)  # noqa: PLW1509
    assert process.stdout
    while not process.stdout.readline().startswith(b"folder"):
        pass
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    process.kill()
    process.communicate()
    assert not list(cache.glob("apps/*/bin/old"))
    assert children == ""
    waiting = next(line.split()[1] for line in status if line.startswith("ShdPnd"))
    assert int(waiting, 16) == 0


def test_as_the_first_process_of_a_container(hello, cache, tmp_path):
    """There every orphan becomes the program's child; but nothing is tidied where not all processes can be seen."""
    root_of(run([another(tmp_path, "old")], environment(cache)))
    stale = fill(cache / "layers" / ("0" * 32), 1000)
    done = run(["unshare", "--pid", "--fork", "--mount-proc", hello], environment(cache))
    if "unshare" in done.stderr:
        pytest.skip(f"a program as process 1 was NOT tested: {done.stderr}")
    assert root_of(done) == os.fspath(cache)
    assert stale.exists()
    assert not list((cache / "tmp").glob("cleaning.*/"))
