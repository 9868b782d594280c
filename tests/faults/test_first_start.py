"""First starts that are raced, killed, or find little room, few files or odd paths: a right run, or one error.

``PYPACK_FAULTS=200`` kills two hundred and tries a hundred sizes of disks (``nox -s faults``); without it, a tenth.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.test_cache import NOBODY, layer_with, mounted, need_root, nothing_in_tmp, root_of, run
from tests.support.bundles import File, bundle, write
from tests.support.launchers import environment, launcher, recipe

KILLS = int(os.environ.get("PYPACK_FAULTS") or 20)
DEEP = "/".join(f"folder{number}" for number in range(30))


@pytest.fixture(scope="module")
def large() -> bytes:
    """Takes long enough to be killed, raced and to fill a small disk."""
    data = [File(path=f"data/{number:02}", data=random.Random(number).randbytes(3 << 20)) for number in range(16)]
    return bundle(launcher(), recipe(name="large", runtime=[*data, *recipe().runtime]))


@pytest.fixture(scope="module")
def deep() -> bytes:
    """Has folders in folders, in several frames."""
    data = [
        File(path=f"{DEEP}/{number % 3}/f{number:03}", data=random.Random(number).randbytes(3000))
        for number in range(90)
    ]
    more = [File(path=f"{DEEP[:90]}x/{number}", data=b"y" * 5000) for number in range(9)]
    made = recipe(name="deep", runtime=[*sorted(data, key=lambda file: file.path), *more, *recipe().runtime])
    return bundle(launcher(), made, cut=(4096, 8192))


def nothing_half_made(cache: Path) -> None:
    """Layers are whole when they are there, and tmp/ holds locks only."""
    if (cache / "tmp").is_dir():
        nothing_in_tmp(cache)
    for place in ("layers", "apps"):
        if (cache / place).is_dir():
            assert all(any(each.iterdir()) for each in (cache / place).iterdir() if each.is_dir())


def whole(cache: Path) -> None:
    for number in (0, 15):
        data = layer_with(cache, "data") / f"data/{number:02}"
        assert data.read_bytes() == random.Random(number).randbytes(3 << 20)


def test_64_first_starts_at_once(tmp_path, cache, large):
    program = write(tmp_path / "large", large)
    env = environment(cache, PYPACK_DEBUG="1")
    several = [subprocess.Popen([program], env=env, stdout=-1, stderr=-1, text=True) for _ in range(64)]
    told = [each.communicate(timeout=300) for each in several]
    assert [each.returncode for each in several] == [0] * 64
    assert sum(err.count("unpacking the runtime layer") for _, err in told) == 1
    nothing_half_made(cache)
    whole(cache)


def test_killed_at_any_moment(tmp_path, cache, large):
    """Whatever a killed start left behind, the next one runs the program, and leaves nothing half made."""
    program = write(tmp_path / "large", large)
    began = time.monotonic()
    assert run([program], environment(cache)).returncode == 0
    length = time.monotonic() - began
    chance = random.Random(7)
    survived = 0
    for _ in range(KILLS):
        shutil.rmtree(cache)
        process = subprocess.Popen([program], env=environment(cache), stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, length))
        process.kill()
        survived += process.wait() != -signal.SIGKILL
        done = run([program], environment(cache))
        assert done.returncode == 0, done.stderr
        nothing_half_made(cache)
        whole(cache)
    assert survived < KILLS * 5 // 6, "nearly all starts had ended before they were killed: nothing was tested"


def test_all_disks_full(tmp_path, large):
    need_root("a full disk")
    program = write(tmp_path / "large", large)
    with mounted(tmp_path / "disk", "size=4m,mode=700") as disk:
        env = environment(disk / "one", HOME=os.fspath(disk), TMPDIR=os.fspath(disk))
        done = run([program], env)
        assert done.returncode == 104
        assert done.stderr.count("No space left on device") == 3
        assert not list(disk.rglob("data"))


@pytest.mark.parametrize("what", ["size", "nr_inodes"])
def test_disk_full_at_every_stage(hello, tmp_path, what):
    """From a disk with no room at all to one with just enough: the folder that has room serves."""
    need_root("a disk that gets full")
    steps = max(KILLS // 2, 10)
    served = []
    for step in range(steps):
        home = tmp_path / f"home{step}"
        home.mkdir()
        limit = f"{4 + step * 900 // steps}k" if what == "size" else str(2 + step * 60 // steps)
        with mounted(tmp_path / "disk", f"{what}={limit},mode=700") as disk:
            done = run([hello], environment(disk / "cache", HOME=os.fspath(home)))
            served.append(root_of(done) == os.fspath(disk / "cache"))
            assert done.stderr == ""
            nothing_half_made(disk / "cache")
            nothing_half_made(home / ".cache/pypack")
    assert not served[0]
    assert served[-1]


def test_home_that_cannot_be_used(program, hello, tmp_path):
    """Read-only, another user's, and none at all: the temporary folder serves."""
    need_root("homes of others")
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    temporary.mkdir()
    last = f"{temporary}/pypack-0"
    env = environment(None, HOME=os.fspath(home), TMPDIR=os.fspath(temporary))
    with mounted(home, "ro,mode=700"):
        assert root_of(run([hello], env)) == last
    os.chown(home, NOBODY, NOBODY)
    assert root_of(run([hello], env)) == last
    assert not any(home.iterdir()), "sudo leaves nothing of root's in a user's home"
    del env["HOME"]
    chroot = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o ro tmpfs /root && exec '{hello}'"]
    done = run(chroot, env)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"a home out of the user database was NOT tested: {done.stderr}")
    assert root_of(done) == last


def test_temporary_folder_that_cannot_be_written(program):
    need_root("another user")
    folder = Path("/tmp") / f"pypack-test-first-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        hello = write(folder / "hello", program)
        env = environment(None, HOME=os.fspath(folder), TMPDIR=os.fspath(folder))
        done = run([hello], env, user=NOBODY, group=NOBODY, extra_groups=())
        assert done.returncode == 104
        assert done.stderr.count("Permission denied") == 2
        assert [each.name for each in folder.iterdir()] == ["hello"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("which", ["hello", "deep"])
def test_sixteen_files_at_most(tmp_path, cache, program, deep, which):
    bundled = write(tmp_path / which, program if which == "hello" else deep)
    for _ in ("cold", "warm"):
        done = run(
            [bundled], environment(cache), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
        )
        assert root_of(done) == os.fspath(cache)
    done = run([bundled], environment(cache, PYPACK_SELF="verify"))
    assert done.stdout.count("sound in the bundle and in the cache") == 3, done.stdout
    nothing_half_made(cache)


@pytest.mark.parametrize("limit", ["-s 64", "-v 100000", "-f 1", "-u 1"])
def test_other_limits(tmp_path, cache, large, program, limit):
    """A small stack, little memory, short files, no threads."""
    bundled = write(tmp_path / "large", program if limit == "-f 1" else large)
    done = run(["bash", "-c", f"ulimit {limit}; exec '{bundled}'"], environment(cache))
    if limit == "-f 1":  # the kernel's answer to a file that gets too long is a signal, if it is not ignored
        assert done.returncode == 104
        assert done.stderr.count("File too large") == 1
        done = run([bundled], environment(cache))
    assert root_of(done) == os.fspath(cache)
    nothing_half_made(cache)


def test_a_bundle_at_a_very_long_path(tmp_path, cache, program):
    """4,000 characters, and more than the kernel takes in one piece."""
    before = Path.cwd()
    try:
        os.chdir(tmp_path)
        while len(os.fspath(Path.cwd())) < 3900:
            Path("n" * 90).mkdir()
            os.chdir("n" * 90)
        hello = write(Path.cwd() / "hello", program)
        assert len(os.fspath(hello)) > 3900
        assert root_of(run([hello, "x"], environment(cache))) == os.fspath(cache)
        for _ in range(3):
            Path("n" * 90).mkdir()
            os.chdir("n" * 90)
        shutil.copy(hello, "hello")
        done = run(["./hello"], environment(cache))
        assert root_of(done) == os.fspath(cache)
    finally:
        os.chdir(before)


@pytest.mark.parametrize("length", [3000, 3700, 4100, 9000])
def test_a_cache_folder_that_is_too_long(hello, tmp_path, length):
    """Files in it must have names too, which a system limits to 4,096 characters in all."""
    long = os.fspath(tmp_path)
    while len(long) < length:
        long += "/" + "n" * 89
    done = run([hello], environment(long))
    if length == 3000:
        assert root_of(done) == long
        return
    assert done.returncode == 104
    assert "its name is so long" in done.stderr
    assert done.stderr.count("  -> ") == 1
    home = tmp_path / "home"
    home.mkdir()
    assert root_of(run([hello], environment(long, HOME=os.fspath(home)))) == f"{home}/.cache/pypack"


def test_bundle_replaced_and_deleted_while_it_runs(hello, cache, tmp_path):
    process = subprocess.Popen([hello], env=environment(cache, STAND_IN_WAIT="60"), stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    newer = write(tmp_path / "newer", bundle(launcher(), recipe(name="newer")))
    with hello.open("r+b") as file:  # in place too: it is not what runs any more
        file.write(newer.read_bytes())
    assert (root_of(run([hello], environment(cache)))) == os.fspath(cache)
    newer.replace(hello)
    assert list(cache.glob("apps/*/bin/newer"))
    hello.unlink()
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_bundle_deleted_while_it_unpacks(tmp_path, cache, large):
    for _ in range(5):
        program = write(tmp_path / "large", large)
        process = subprocess.Popen([program], env=environment(cache), stdout=-1, stderr=-1, text=True)
        time.sleep(0.05)
        program.unlink()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "word" in out
        whole(cache)
        shutil.rmtree(cache)


def test_a_very_slow_file_system(hello, cache):
    if not shutil.which("strace"):
        pytest.skip("strace is not here: a slow file system was NOT tested")
    calls = "openat,mkdir,mkdirat,write,rename,renameat"
    traced = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}"]  # what is not traced is not delayed either
    before = time.monotonic()
    done = run([*traced, "-e", f"inject={calls}:delay_enter=20000", hello], environment(cache))
    if "PTRACE" in done.stderr or "invalid" in done.stderr:
        pytest.skip(f"strace may not trace here, a slow file system was NOT tested: {done.stderr}")
    assert root_of(done) == os.fspath(cache)
    assert time.monotonic() - before > 0.5
    nothing_half_made(cache)


@pytest.mark.parametrize("kind", ["ext4 that folds case", "vfat"])
def test_file_systems_that_ignore_case(hello, tmp_path, kind):
    """One serves; on the other, which knows no links, the next folder does."""
    need_root(kind)
    image, disk, home = tmp_path / "image", tmp_path / "disk", tmp_path / "home"
    disk.mkdir()
    home.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    make = ["mkfs.ext4", "-q", "-O", "casefold"] if kind.startswith("ext4") else ["mkfs.vfat"]
    if not shutil.which(make[0]) or run([*make, image], None).returncode:
        pytest.skip(f"no {make[0]} here: {kind} was NOT tested")
    if run(["mount", "-o", "loop", image, disk], None).returncode:
        pytest.skip(f"this kernel does not mount it: {kind} was NOT tested")
    try:
        folder = disk / "folded"
        folder.mkdir(mode=0o700)
        if kind.startswith("ext4") and run(["chattr", "+F", folder], None).returncode:
            pytest.skip(f"this kernel does not fold case: {kind} was NOT tested")
        for _ in ("cold", "warm"):
            found = root_of(run([hello], environment(folder, HOME=os.fspath(home))))
        assert found == (os.fspath(folder) if kind.startswith("ext4") else f"{home}/.cache/pypack")
        nothing_half_made(folder)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
