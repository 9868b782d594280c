"""A place that is full in one of the less usual ways, and one whose folders cannot be renamed."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_cache import layer_with, need_root, root_of, run
from tests.support.bundles import File, bundle, write
from tests.support.launchers import by_gcc, environment, launcher, recipe

if TYPE_CHECKING:
    from pathlib import Path

LATE = """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int __real_close(int file);
int __wrap_close(int file);
/* As NFS and quotas do it: what was written did not get there, and close is the first to know. */
int __wrap_close(int file)
{
    char name[64], path[4096];
    int modes = fcntl(file, F_GETFL);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t size = readlink(name, path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
    int done = __real_close(file);
    if (modes >= 0 && (modes & O_ACCMODE) == O_WRONLY && strstr(path, "/refused/") && strstr(path, LATE)) {
        errno = EDQUOT;
        return -1;
    }
    return done;
}
"""


@pytest.mark.parametrize("what", ["package/__init__.py", "boot.pyc", "pyvenv.cfg"])
def test_a_quota_that_is_told_of_when_a_file_is_closed(tmp_path, what):
    """Nothing of that place is used: the next one serves."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: errors of close were NOT tested")
    source = tmp_path / "late.c"
    source.write_text(LATE)
    name = what.replace("/", "-")
    stub = by_gcc(f"stub-late-{name}", "-Wl,--wrap=close", f'-DLATE="{what}"', source).read_bytes()
    hello = write(tmp_path / "hello", bundle(stub, recipe()))
    home = tmp_path / "home"
    home.mkdir()
    done = run([hello], environment(tmp_path / "refused/cache", HOME=os.fspath(home), PYPACK_DEBUG="1"))
    assert root_of(done) == f"{home}/.cache/pypack"
    assert os.strerror(122) in done.stderr
    assert not [each for each in (tmp_path / "refused/cache/layers").iterdir() if (each / what).exists()]


def limited(size: int, ignored: bool = False):
    def prepare() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if ignored else signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def test_files_that_may_not_be_long(tmp_path, cache):
    """The limit is the process's own, and so of all places: one error, and no signal."""
    data = File(path="data/long", data=os.urandom(300_000))
    long = write(tmp_path / "long", bundle(launcher(), recipe(runtime=[data, *recipe().runtime])))
    home = tmp_path / "home"
    home.mkdir()
    done = run([long], environment(cache, HOME=os.fspath(home)), preexec_fn=limited(100_000))
    assert done.returncode == 104
    assert done.stderr.count("File too large") == 2
    assert not list(tmp_path.rglob("data"))


@pytest.mark.parametrize("ignored", [False, True])
def test_the_signal_is_as_before_in_the_program(hello, cache, ignored):
    for _ in ("cold", "warm"):
        done = run([hello], environment(cache), preexec_fn=limited(10 << 20, ignored))
        assert root_of(done) == os.fspath(cache)
        assert (f"ignored {signal.SIGXFSZ.value}" in done.stdout.splitlines()) == ignored


@contextlib.contextmanager
def image(folder: Path, cache: Path):
    """Put an overlayfs over what is in the cache, as a container has it over its image; on a disk of its own."""
    need_root("an overlayfs")
    folder.mkdir()
    if run(["mount", "-t", "tmpfs", "tmpfs", folder], None).returncode:
        pytest.skip("mounting is not permitted here: the lower layer of an overlayfs was NOT tested")
    for name in ("lower", "upper", "work", "merged"):
        (folder / name).mkdir(mode=0o700)
    subprocess.run(["cp", "-a", f"{cache}/.", folder / "lower"], check=True)
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work,redirect_dir=off"
    mounted = run(["mount", "-t", "overlay", "overlay", "-o", options, folder / "merged"], None)
    try:
        if mounted.returncode:
            pytest.skip(f"this kernel has no overlayfs: its lower layer was NOT tested: {mounted.stderr}")
        yield folder / "merged"
        subprocess.run(["umount", "-l", folder / "merged"], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def merged(hello, tmp_path, cache):
    """The program's cache as it comes with an image; its folders cannot be renamed."""
    made = tmp_path / "image" / "merged"
    assert run([hello], environment(cache)).returncode == 0
    with image(tmp_path / "image", cache):
        assert run([hello], environment(made)).returncode == 0  # another path: apps/<id> is made anew
        with pytest.raises(OSError, match="cross-device"):
            layer_with(made, "bin").rename(made / "elsewhere")
        yield made


def whole(hello: Path, cache: Path) -> None:
    done = run([hello], environment(cache))
    assert root_of(done) == os.fspath(cache)
    done = run([hello], environment(cache, PYPACK_SELF="check"))
    assert done.returncode == 0, done.stderr


def test_verify_in_an_image(hello, merged):
    module = layer_with(merged, "site-packages") / "site-packages/package/__init__.py"
    module.write_text("z = 3\n")
    done = run([hello], environment(merged, PYPACK_SELF="verify"))
    assert "deps     was damaged in the cache, unpacked again" in done.stdout, done.stderr
    assert module.read_bytes() == recipe().deps[0].data
    whole(hello, merged)


def test_what_is_foreign_in_an_image(hello, merged):
    """A folder that came with the image."""
    layer = layer_with(merged, "site-packages")
    lower = merged.parent / "lower" / layer.relative_to(merged)
    planted = lower / "site-packages/planted/x.py"
    planted.parent.mkdir()
    planted.write_text("x")
    subprocess.run(["mount", "-o", "remount", merged], check=True)
    done = run([hello], environment(merged, PYPACK_SELF="verify"))
    assert "site-packages/planted is not of the bundle" in done.stdout, (done.stdout, done.stderr)
    assert (merged / "kept" / f"{layer.name}-1/site-packages/planted/x.py").read_text() == "x"
    whole(hello, merged)


def test_replacement_in_an_image(hello, merged):
    (layer_with(merged, "bin") / "bin/python3.13").unlink()
    whole(hello, merged)


def test_clean_in_an_image(hello, merged):
    done = run([hello], environment(merged, PYPACK_SELF="clean"))
    assert (done.returncode, done.stdout.count("removed")) == (0, 5), "two programs: that of the image's own path, too"
    assert not any((merged / "layers").iterdir())
    whole(hello, merged)


def test_removal_in_an_image_that_is_cut_short(hello, merged):
    """Killed at each of its calls: the next start uses nothing that is half removed."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here: a removal that is cut short was NOT tested")
    survived = False
    for number in range(1, 90):
        when = f"inject=unlink,unlinkat,rmdir,chmod,fchmod:signal=KILL:when={number}"
        words = ["strace", "-f", "-qq", "-e", "trace=unlink,unlinkat,rmdir,chmod,fchmod", "-e", when, hello]
        done = run(words, environment(merged, PYPACK_SELF="clean"))
        if "PTRACE" in done.stderr:
            pytest.skip(f"strace may not trace here, a removal that is cut short was NOT tested: {done.stderr}")
        survived = done.returncode == 0
        whole(hello, merged)
    assert survived, "there were more calls than were tried"


def test_a_cold_start_leaves_an_image_alone(tmp_path, hello, merged):
    """What is old in it frees nothing, and keeps no start."""
    settings = next((merged / "apps").glob("*/pyvenv.cfg"))
    os.utime(settings, (0, 0))
    (merged / "layers" / ("0" * 32)).mkdir()
    other = write(tmp_path / "other", bundle(launcher(), recipe(name="other")))
    assert root_of(run([other], environment(merged))) == os.fspath(merged)
    whole(hello, merged)
