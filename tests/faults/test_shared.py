"""One cache, several machines: other process namespaces, no locks, file systems that others may use too."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from pypack import cli
from tests.faults.test_cache import layer_with, need_root, nothing_in_tmp, root_of, run
from tests.faults.test_cache_life import age, another
from tests.support.bundles import File, bundle, write
from tests.support.launchers import build_folder, by_gcc, environment, launcher, recipe

DAY = 86_400
OTHER_MACHINE = ("unshare", "--pid", "--fork", "--mount-proc")
"""To a start in it the numbers of this machine's processes mean nothing, as those of another machine."""


def need_namespaces() -> None:
    done = run([*OTHER_MACHINE, "true"], None)
    if done.returncode:
        pytest.skip(f"no namespaces here: a cache that several machines share was NOT tested: {done.stderr}")


def need_gcc() -> None:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: what other launchers do was NOT tested")


def this_machine() -> str:
    """The word that names this machine, this boot and this namespace, as docs/bundle-format.md defines it."""
    facts = Path("/proc/sys/kernel/random/boot_id").read_bytes() + os.fsencode(Path("/proc/self/ns/pid").readlink())
    try:
        facts += Path("/etc/machine-id").read_bytes()
    except OSError:
        facts += os.uname().nodename.encode()
    return hashlib.sha256(facts).hexdigest()[:16]


def drafts(cache: Path) -> set[str]:
    return {each.name for each in (cache / "tmp").iterdir() if each.is_dir()}


@contextlib.contextmanager
def overlay(folder: Path, lower: Path):
    """A file system on which locks do not tell everything; what ``lower`` holds comes with it, as with an image."""
    for name in ("upper", "work", "whole"):
        (folder / name).mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    done = run(["mount", "-t", "overlay", "-o", options, "overlay", folder / "whole"], None)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here, a file system of others was NOT tested: {done.stderr}")
    try:
        yield folder / "whole"
    finally:
        subprocess.run(["umount", "-l", folder / "whole"], check=True)


@pytest.fixture
def foreign(tmp_path):
    """A cache folder on such a file system."""
    need_root("a file system that other machines may use")
    (tmp_path / "image").mkdir()
    with overlay(tmp_path / "disk", tmp_path / "image") as disk:
        (disk / "cache").mkdir(mode=0o700)
        yield disk / "cache"


# --- what is being made, and by whom ----------------------------------------------------------------------------------


def test_only_what_nobody_is_at_work_on_is_swept(hello, cache):
    run([hello], environment(cache))
    layer = layer_with(cache, "bin")
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = {
        "ours, ended": f"{layer.name}.{this_machine()}.{ended.pid}.0",
        "ours, at work": f"{layer.name}.{this_machine()}.{os.getpid()}.0",
        "another machine's": f"{layer.name}.0123456789abcdef.{ended.pid}.0",
        "another machine's, old": f"{layer.name}.0123456789abcdef.{ended.pid}.1",
        "an older launcher's": f"{layer.name}.{ended.pid}.0",
        "an older launcher's, old": f"{layer.name}.{ended.pid}.1",
    }
    for told, name in names.items():
        (cache / "tmp" / name / "half").mkdir(parents=True)
        if told.endswith(", old"):
            then = time.time() - 2 * DAY
            os.utime(cache / "tmp" / name, (then, then))
    shutil.rmtree(layer)
    assert root_of(run([hello], environment(cache))) == os.fspath(cache)
    left = {told for told, name in names.items() if name in drafts(cache)}
    assert left == {"ours, at work", "another machine's", "an older launcher's"}


def large(stub: bytes) -> bytes:
    data = [File(path=f"data/{number:02}", data=random.Random(number).randbytes(1 << 20)) for number in range(8)]
    return bundle(stub, recipe(runtime=[*data, *recipe().runtime]))


NO_LOCKS = """
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
int __real_renameat(int from, const char *old, int to, const char *new) __attribute__((weak));
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_posix_exchange(int above, const char *one, int other_above, const char *other);
int no_locks(int f, int o);

int no_locks(int f, int o) { (void)f, (void)o; errno = ENOLCK; return -1; }

/* Whatever the others do between two steps of ours, they have the time for it. */
int __wrap_renameat(int from, const char *old, int to, const char *new)
{
    static unsigned seed;
    seed = (seed + (unsigned)getpid()) * 1103515245 + 12345;
    usleep(seed / 65536 % 40000);
    int code = __real_renameat(from, old, to, new), error = errno;
    usleep(seed % 40000);
    errno = error;
    return code;
}

int __wrap_posix_exchange(int above, const char *one, int other_above, const char *other)
{
    (void)above, (void)one, (void)other_above, (void)other;
    errno = EINVAL;
    return -1;
}
"""


def without_locks(name: str, *flags: str) -> bytes:
    need_gcc()
    source = build_folder() / "no_locks.c"
    source.write_text(NO_LOCKS)
    return by_gcc(name, "-Dflock=no_locks", *flags, source).read_bytes()


@pytest.fixture(scope="module")
def lockless() -> bytes:
    """A program on a file system without locks: each start is alone with what it finds."""
    return large(without_locks("stub-without-locks"))


def test_two_machines_without_locks(tmp_path, cache, lockless):
    """Starts of both at once, and again with a damaged layer: who is first has won, nobody's work is lost."""
    need_namespaces()
    program = write(tmp_path / "hello", lockless)
    for _ in range(3):
        words = [[*OTHER_MACHINE, program], [program]]
        several = [
            subprocess.Popen(words[each % 2], env=environment(cache), stdout=-1, stderr=-1, text=True)
            for each in range(8)
        ]
        told = [each.communicate(timeout=300) for each in several]
        assert [each.returncode for each in several] == [0] * 8, told
        nothing_in_tmp(cache)
        (layer_with(cache, "bin") / "bin/python3.13").unlink()


@pytest.mark.parametrize("exchange", ["", "-Wl,--wrap=posix_exchange"], ids=["exchange", "no-exchange"])
def test_many_starts_replace_one_damaged_layer(tmp_path, cache, exchange):
    """Each finds the damage at once, and takes its time between two steps."""
    name = "stub-slow" + ("-without-exchange" if exchange else "")
    stub = without_locks(name, "-Wl,--wrap=renameat", *filter(None, [exchange]))
    program = write(tmp_path / "hello", bundle(stub, recipe()))
    run([program], environment(cache))
    for _ in range(6):
        (layer_with(cache, "bin") / "bin/python3.13").unlink()
        several = [subprocess.Popen([program], env=environment(cache), stdout=-1, stderr=-1) for _ in range(12)]
        told = [each.communicate(timeout=300) for each in several]
        assert [each.returncode for each in several] == [0] * 12, told
        nothing_in_tmp(cache)


def test_a_start_that_was_killed_on_another_machine(tmp_path, cache, lockless):
    """Its half of a layer stays until it is a day old: here nobody can know that it has ended."""
    need_namespaces()
    program = write(tmp_path / "hello", lockless)
    process = subprocess.Popen([*OTHER_MACHINE, "--kill-child", program], env=environment(cache), stdout=-1, stderr=-1)
    while not (cache / "tmp").is_dir() or not [name for name in drafts(cache) if name[:32] != name]:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    process.kill()
    process.communicate()
    left = drafts(cache)
    if not left:
        pytest.skip("the start was over before it was killed: its remains were NOT looked at")
    assert root_of(run([program], environment(cache))) == os.fspath(cache)
    assert drafts(cache) == left


# --- what may be in use unseen ----------------------------------------------------------------------------------------


def test_nothing_is_tidied_where_other_machines_may_be(tmp_path, foreign, hello):
    program = another(tmp_path, "old")
    assert root_of(run([program], environment(foreign))) == os.fspath(foreign)
    age(foreign, "old", 61)
    (foreign / "layers" / ("0" * 32)).mkdir()
    done = run([hello], environment(foreign, PYPACK_DEBUG="1"))
    assert "nothing is removed from" in done.stderr
    assert list(foreign.glob("apps/*/bin/old"))
    assert (foreign / "layers" / ("0" * 32)).exists()


def test_the_cache_command_leaves_what_others_may_use(tmp_path, foreign, monkeypatch):
    """It goes by the launcher's rules."""
    run([another(tmp_path, "old")], environment(foreign))
    age(foreign, "old", 61)
    monkeypatch.setenv("PYPACK_CACHE_DIR", os.fspath(foreign))
    assert cli.main(["cache", "--prune", "30"]) == 0
    assert list(foreign.glob("apps/*/bin/old"))


def test_nothing_is_tidied_by_a_container(tmp_path, cache, hello):
    """Children that hold no lock may run in another one."""
    need_root("a namespace of processes")
    need_namespaces()
    program = another(tmp_path, "old")
    run([program], environment(cache))
    age(cache, "old", 61)
    assert root_of(run([*OTHER_MACHINE, hello], environment(cache))) == os.fspath(cache)
    assert list(cache.glob("apps/*/bin/old"))
    done = run([*OTHER_MACHINE, program], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 0, "a lock is enough for what somebody asks for"
    assert not list(cache.glob("apps/*/bin/old"))


@pytest.fixture(scope="module")
def on_nfs(tmp_path_factory) -> Path:
    """A program that takes each folder for one of a file server's; no such server runs here."""
    need_gcc()
    source = build_folder() / "nfs.c"
    source.write_text(
        "#include <sys/vfs.h>\nint __real_statfs64(const char *, struct statfs *);\n"
        "int __wrap_statfs64(const char *p, struct statfs *s);\n"
        "int __wrap_statfs64(const char *p, struct statfs *s)\n"
        "{ int e = __real_statfs64(p, s); s->f_type = 0x6969; return e; }\n"
    )
    made = by_gcc("stub-on-nfs", "-Wl,--wrap=statfs64", source).read_bytes()
    return write(tmp_path_factory.mktemp("nfs") / "hello", bundle(made, recipe()))


def test_a_damaged_layer_that_others_may_have_open_is_replaced_and_kept(cache, on_nfs):
    hello, foreign = on_nfs, cache
    run([hello], environment(foreign))
    layer = layer_with(foreign, "bin")
    (layer / "bin/python3.13").unlink()
    module = next((layer / "lib").glob("long*")) / "module.py"
    with module.open() as stream:
        assert root_of(run([hello], environment(foreign))) == os.fspath(foreign)
        assert os.fstat(stream.fileno()).st_nlink == 1
    (kept,) = drafts(foreign)
    assert kept.startswith(f"kept-{layer.name}.")
    assert root_of(run([hello], environment(foreign))) == os.fspath(foreign)


def test_clean_says_what_it_cannot_know(cache, on_nfs):
    hello, foreign = on_nfs, cache
    run([hello], environment(foreign))
    before = sorted(foreign.rglob("*"))
    done = run([hello], environment(foreign, PYPACK_SELF="clean"))
    assert done.returncode == 110
    assert "may be one that other machines use too" in done.stderr
    (app,) = (foreign / "apps").iterdir()
    assert f"end it on all machines, then remove the folder {app}" in done.stderr
    assert sorted(foreign.rglob("*")) == before


# --- locks that are not given -----------------------------------------------------------------------------------------


@pytest.fixture
def impatient(tmp_path, cache) -> Path:
    """A program that waits two seconds; its layers are there, but for the runtime."""
    need_gcc()
    program = write(tmp_path / "hello", bundle(by_gcc("stub-impatient", "-DLOCK_SECONDS=2").read_bytes(), recipe()))
    assert run([program], environment(cache)).returncode == 0
    return program


def test_a_lock_that_is_held_too_long_is_no_end(cache, impatient):
    layer = layer_with(cache, "bin")
    shutil.rmtree(layer)
    with (cache / f"tmp/{layer.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert root_of(run([impatient], environment(cache))) == os.fspath(cache)
        done = run([impatient], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 105
    assert "at work on it for too long" in done.stderr
    assert layer.exists()


def test_who_shows_that_it_works_is_waited_for(cache, impatient):
    layer = layer_with(cache, "bin")
    shutil.rmtree(layer)
    path = cache / f"tmp/{layer.name}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen([impatient], env=environment(cache), stdout=-1, stderr=-1)
        for _ in range(16):
            time.sleep(0.5)
            os.utime(path)
        assert process.poll() is None
        assert not layer.exists()
        fcntl.flock(lock, fcntl.LOCK_UN)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert layer.exists()


def test_a_long_unpacking_shows_that_it_works(tmp_path, cache):
    """Its lock's time grows younger while it lasts: strace makes each write of it slow."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here: a slow file system was NOT tested")
    data = [File(path=f"data/{number:04}", data=random.Random(number).randbytes(20_000)) for number in range(150)]
    made = recipe(runtime=[*data, *recipe().runtime])
    program = write(tmp_path / "hello", bundle(launcher(), made, cut=(1 << 16, 1 << 17)))
    seen: set[tuple[str, float]] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            for lock in cache.glob("tmp/*.lock"):
                with contextlib.suppress(OSError):
                    seen.add((lock.name, lock.stat().st_mtime))

    watcher = threading.Thread(target=watch)
    watcher.start()
    slow = "inject=write:delay_enter=150000"
    done = run(["strace", "-f", "-o", "/dev/null", "-e", "trace=write", "-e", slow, program], environment(cache))
    ended.set()
    watcher.join()
    if done.returncode:
        pytest.skip(f"strace may not trace here, a slow file system was NOT tested: {done.stderr}")
    times = [when for name, when in seen if name.startswith(layer_with(cache, "bin").name)]
    assert len(times) > 1
    assert max(times) - min(times) > 4
