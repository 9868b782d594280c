"""Where the launcher unpacks to, and what happens when that goes wrong, is done twice at once, or is killed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.bundles import File, bundle, write
from tests.support.launchers import by_gcc, environment, launcher, recipe

NOBODY = 65534


def run(words, env, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=env, capture_output=True, text=True, errors="replace", check=False, **more)


def root_of(done) -> str:
    """The cache folder that a start has used."""
    assert done.returncode == 0, done.stderr
    word = bytes.fromhex(done.stdout.splitlines()[0].removeprefix("word ")).decode()
    return word.partition("/apps/")[0]


def layer_with(cache: Path, path: str) -> Path:
    return next(each for each in (cache / "layers").iterdir() if (each / path).exists())


def nothing_in_tmp(cache: Path, seconds: float = 20) -> None:
    """What a start takes out of use is removed beside the program, and so a moment later."""
    until = time.monotonic() + seconds
    while left := [each for each in (cache / "tmp").iterdir() if each.is_dir()]:
        assert time.monotonic() < until, left
        time.sleep(0.02)


def need_root(what: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(f"needs root: {what} was NOT tested")


@contextlib.contextmanager
def mounted(folder: Path, options: str):
    folder.mkdir(exist_ok=True)
    done = run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], None)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here, {options} was NOT tested: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_order_of_places(hello, tmp_path):
    home, xdg, temporary = tmp_path / "home", tmp_path / "xdg", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    env = environment(None, HOME=os.fspath(home), TMPDIR=os.fspath(temporary))
    assert root_of(run([hello], env)) == f"{home}/.cache/pypack"
    assert root_of(run([hello], {**env, "XDG_CACHE_HOME": os.fspath(xdg)})) == f"{xdg}/pypack"
    assert root_of(run([hello], {**env, "XDG_CACHE_HOME": "not/absolute"})) == f"{home}/.cache/pypack"
    assert root_of(run([hello], {**env, "PYPACK_CACHE_DIR": "own"}, cwd=tmp_path)) == f"{tmp_path}/own"
    last = f"{temporary}/pypack-{os.geteuid()}"
    assert root_of(run([hello], {**env, "HOME": os.fspath(tmp_path / "nowhere")})) == last
    assert not (tmp_path / "nowhere").exists()
    for made in (home / ".cache/pypack", xdg / "pypack", tmp_path / "own", Path(last)):
        assert made.stat().st_mode & 0o777 == 0o700


def test_unfit_places_are_passed_over(hello, tmp_path):
    file, open_to_all = tmp_path / "file", tmp_path / "open"
    file.write_text("")
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    home = tmp_path / "home"
    home.mkdir()
    for unfit in (file, file / "below", open_to_all, tmp_path / "line\nbreak"):
        assert root_of(run([hello], environment(unfit, HOME=os.fspath(home)))) == f"{home}/.cache/pypack"
    assert not any(open_to_all.iterdir())


def test_temporary_folder_must_be_ours_and_no_link(hello, tmp_path):
    temporary, elsewhere = tmp_path / "temporary", tmp_path / "elsewhere"
    temporary.mkdir()
    elsewhere.mkdir(mode=0o700)
    (temporary / f"pypack-{os.geteuid()}").symlink_to(elsewhere)
    done = run([hello], environment(None, HOME="relative", TMPDIR=os.fspath(temporary)))
    assert done.returncode == 104
    assert "it is a link" in done.stderr
    assert not any(elsewhere.iterdir())


def test_one_error_names_each_place_and_its_reason(hello, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    env = environment(file, HOME=os.fspath(file), TMPDIR="/proc")
    done = run([hello], env)
    assert done.returncode == 104
    for word in (
        "PYPACK_CACHE_DIR",
        "$HOME/.cache",
        "TMPDIR",
        "it is not a folder",
        "No such file",
        "-> free some space on the disk; or set the variable PYPACK_CACHE_DIR",
    ):
        assert word in done.stderr, word
    assert done.stderr.startswith("hello: ")
    assert done.stderr.endswith("  (exit code 104)\n")


def test_another_users_folder(hello, tmp_path):
    need_root("a folder of another user")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    home = tmp_path / "home"
    home.mkdir()
    assert root_of(run([hello], environment(theirs, HOME=os.fspath(home)))) == f"{home}/.cache/pypack"


def test_the_administrators_warm_cache_is_read_only(program, tmp_path_factory):
    need_root("a cache that was warmed by root")
    folder = Path("/tmp") / f"pypack-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        hello, cache = write(folder / "hello", program), folder / "cache"
        cache.mkdir(mode=0o755)
        home = folder / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        env = environment(cache, HOME=os.fspath(home))
        nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
        assert root_of(run([hello], env, **nobody)) == f"{home}/.cache/pypack"
        assert root_of(run([hello], env)) == os.fspath(cache)
        before = sorted(cache.rglob("*"))
        assert root_of(run([hello], env, **nobody)) == os.fspath(cache)
        assert sorted(cache.rglob("*")) == before
        (next((layer_with(cache, "bin") / "lib").glob("long*")) / "module.py").write_text("x = 2\n")
        done = run([hello], {**env, "PYPACK_SELF": "verify"}, **nobody)
        assert done.returncode == 103
        assert "belongs to the administrator" in done.stderr
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("options", ["noexec,mode=700", "ro,mode=700", "size=16k,mode=700", "nr_inodes=8,mode=700"])
def test_disks_that_cannot_be_used(hello, tmp_path, options):
    """noexec, read-only, too small, no room for more files: the next place serves."""
    need_root(f"a disk with {options}")
    home = tmp_path / "home"
    home.mkdir()
    with mounted(tmp_path / "disk", options) as disk:
        env = environment(disk / "cache", HOME=os.fspath(home))
        done = run([hello], env)
        assert root_of(done) == f"{home}/.cache/pypack"
        assert done.stderr == ""
        layers = disk / "cache/layers"
        assert not layers.exists() or not [each for each in layers.iterdir() if (each / "bin").exists()]
        assert not (disk / "cache/tmp").exists() or not [
            each for each in (disk / "cache/tmp").iterdir() if each.is_dir()
        ]


def test_moved_cache(hello, cache, tmp_path):
    assert root_of(run([hello], environment(cache))) == os.fspath(cache)
    moved = tmp_path / "moved"
    cache.rename(moved)
    assert root_of(run([hello], environment(moved))) == os.fspath(moved)
    homes = [each.read_text().splitlines()[0] for each in (moved / "apps").glob("*/pyvenv.cfg")]
    assert sorted(each.rpartition("/layers/")[0] for each in homes) == sorted([f"home = {cache}", f"home = {moved}"])
    nothing_in_tmp(moved)


def test_two_programs_share_layers(tmp_path, cache, hello):
    other = write(tmp_path / "other", bundle(launcher(), recipe(name="other")))
    first, done = (run([each], environment(cache, PYPACK_DEBUG="1")) for each in (hello, other))
    assert done.returncode == 0
    assert first.stderr.count("  unpacking the ") == 3
    assert "unpacking" not in done.stderr
    assert len(list((cache / "apps").iterdir())) == 2


@pytest.mark.parametrize("damage", ["remove", "shorten", "folder"])
def test_damaged_sentinel_is_cured(hello, cache, damage):
    run([hello], environment(cache))
    layer = layer_with(cache, "bin")
    python = layer / "bin/python3.13"
    kept = cache / "layers" / layer_with(cache, "boot.pyc").name
    before = kept.stat().st_ino
    if damage == "remove":
        python.unlink()
    elif damage == "shorten":
        os.truncate(python, 100)
    else:
        shutil.rmtree(layer)
        layer.write_text("")
    assert root_of(run([hello], environment(cache))) == os.fspath(cache)
    assert python.stat().st_size == len(recipe().runtime[1].data)
    assert kept.stat().st_ino == before
    nothing_in_tmp(cache)


def test_file_system_without_locks(tmp_path, cache):
    """Every process unpacks for itself; who is first with a whole layer has won, and nobody's work is swept away."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: a file system without locks was NOT tested")
    refusing = tmp_path / "no_locks.c"
    refusing.write_text(
        "#include <errno.h>\nint no_locks(int f, int o) { (void)f; (void)o; errno = ENOLCK; return -1; }\n"
    )
    stub = by_gcc("stub-without-locks", "-Dflock=no_locks", refusing).read_bytes()
    data = [File(path=f"data/{number:02}", data=random.Random(number).randbytes(1 << 20)) for number in range(8)]
    program = write(tmp_path / "hello", bundle(stub, recipe(runtime=[*data, *recipe().runtime])))
    several = [subprocess.Popen([program], env=environment(cache), stdout=-1, stderr=-1, text=True) for _ in range(8)]
    told = [each.communicate(timeout=300) for each in several]
    assert [each.returncode for each in several] == [0] * 8, told
    nothing_in_tmp(cache)
    done = run([program], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 110
    assert "cannot tell" in done.stderr


def test_self_info(hello, cache):
    done = run([hello], environment(cache, PYPACK_SELF="info"))
    assert done.returncode == 0
    assert done.stdout.count("not in the cache") == 3
    assert not cache.exists()
    run([hello], environment(cache))
    done = run([hello], environment(cache, PYPACK_SELF="info"))
    assert "not in the cache" not in done.stdout
    assert "name     hello" in done.stdout


def test_self_extract(hello, cache):
    done = run([hello], environment(cache, PYPACK_SELF="extract"))
    assert (done.returncode, done.stdout) == (0, f"{cache}\n")
    done = run([hello], environment(cache, PYPACK_DEBUG="1"))
    assert "unpacking" not in done.stderr


def test_self_verify_cures_what_a_start_does_not_see(hello, cache):
    run([hello], environment(cache))
    module = next((layer_with(cache, "bin") / "lib").glob("long*")) / "module.py"
    boot = layer_with(cache, "boot.pyc") / "boot.pyc"
    module.write_bytes(b"x = 2\n")
    boot.chmod(0o755)
    done = run([hello], environment(cache, PYPACK_SELF="verify"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("unpacked again") == 2
    assert module.read_bytes() == b"x = 1\n"
    assert boot.stat().st_mode & 0o111 == 0
    done = run([hello], environment(cache, PYPACK_SELF="verify"))
    assert done.stdout.count("sound in the bundle and in the cache") == 3


def test_self_clean(tmp_path, hello, cache):
    other = write(
        tmp_path / "other", bundle(launcher(), recipe(name="other", app=[File(path="boot.pyc", data=b"more")]))
    )
    run([hello], environment(cache))
    run([other], environment(cache))
    done = run([hello], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept") == 2
    assert len(list((cache / "layers").iterdir())) == 3
    assert run([other], environment(cache, PYPACK_SELF="clean")).returncode == 0
    assert not any((cache / "layers").iterdir())
    assert not any((cache / "apps").iterdir())
    done = run([other], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 0


def test_self_clean_leaves_a_running_program(hello, cache):
    process = subprocess.Popen([hello], env=environment(cache, STAND_IN_WAIT="30"), stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    done = run([hello], environment(cache, PYPACK_SELF="clean"))
    assert done.returncode == 110
    assert "is running" in done.stderr
    process.kill()
    process.wait()
    process.stdout.close()
    assert run([hello], environment(cache, PYPACK_SELF="clean")).returncode == 0


@pytest.fixture
def public_folder():
    """A folder that another user can get to, unlike those of pytest."""
    folder = Path("/tmp") / f"pypack-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("locked", ["apps", "layers", "tmp"])
def test_self_clean_tells_what_it_could_not_remove(program, public_folder, locked):
    """Root may write everywhere: then another user does it."""
    hello, cache = write(public_folder / "hello", program), public_folder / "user" / "cache"
    cache.parent.mkdir()
    user = {}
    if os.geteuid() == 0:
        os.chown(cache.parent, NOBODY, NOBODY)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    assert run([hello], environment(cache), **user).returncode == 0
    kept = [each for each in (cache / "apps").iterdir() if locked != "layers"] + list((cache / "layers").iterdir())
    (cache / locked).chmod(0o555)
    done = run([hello], environment(cache, PYPACK_SELF="clean"), **user)
    assert done.returncode == 110
    assert f"could not be removed from {cache}: Permission denied" in done.stderr
    assert all(each.exists() for each in kept)
    (cache / locked).chmod(0o755)
    assert run([hello], environment(cache, PYPACK_SELF="clean"), **user).returncode == 0
    assert not [*(cache / "apps").iterdir(), *(cache / "layers").iterdir()]


def test_self_clean_passes_over_places_without_the_program(hello, tmp_path):
    """A place that holds nothing of it is no fault, whatever state it is in, and is left as it is."""
    home, empty = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    empty.mkdir(mode=0o700)
    run([hello], environment(None, HOME=os.fspath(home)))
    done = run([hello], environment(empty, HOME=os.fspath(home), PYPACK_SELF="clean"))
    assert (done.returncode, done.stdout.count("removed")) == (0, 4)
    assert not any(empty.iterdir())


def test_self_clean_of_the_administrators_cache(program, public_folder):
    need_root("a cache that was warmed by root")
    hello, cache = write(public_folder / "hello", program), public_folder / "cache"
    cache.mkdir(mode=0o755)
    assert run([hello], environment(cache)).returncode == 0
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    done = run([hello], environment(cache, PYPACK_SELF="clean"), **nobody)
    assert done.returncode == 110
    assert "belongs to the administrator" in done.stderr


def test_self_clean_of_a_folder_without_its_settings(hello, cache):
    run([hello], environment(cache))
    next((cache / "apps").glob("*/pyvenv.cfg")).unlink()
    assert run([hello], environment(cache, PYPACK_SELF="clean")).returncode == 0
    assert not [*(cache / "apps").iterdir(), *(cache / "layers").iterdir()]


def test_self_unknown_word(hello, cache):
    done = run([hello], environment(cache, PYPACK_SELF="inof"))
    assert done.returncode == 109
    assert "PYPACK_SELF=inof is not known (did you mean info?)" in done.stderr
    assert "info, info-json, check, verify, extract or clean" in done.stderr


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("verfy", "verify"), ("ifno", "info"), ("infojson", "info-json"), ("chek", "check"), ("clan", "clean"),
        ("extractt", "extract"), ("", None), ("1", None), ("x" * 400, None), ("run", None), ("ä" * 8, None),
    ],
)  # fmt: skip
def test_near_words(hello, cache, word, near):
    done = run([hello], environment(cache, PYPACK_SELF=word))
    if word == "":
        assert done.returncode != 109  # as if it were not set
    else:
        assert done.returncode == 109
        assert (f"(did you mean {near}?)" in done.stderr) if near else ("did you mean" not in done.stderr)


def test_python_that_is_no_program(tmp_path, cache):
    made = recipe(runtime=[File(path="bin/python3", data=b"\x7fELFnothing", executable=True)], sentinels=())
    done = run([write(tmp_path / "odd", bundle(launcher(), made))], environment(cache))
    assert done.returncode == 106
    assert "the program cannot be started" in done.stderr
    assert "Python" not in done.stderr


@pytest.mark.parametrize("needed", ["2.17", ""])
def test_loader_that_is_missing(tmp_path, cache, needed):
    """A dynamic program whose loader this system does not have, as a gnu one has none on a musl system."""
    python = Path("/bin/true").read_bytes().replace(b"/lib64/ld-linux-x86-64.so.2", b"/lib64/ld-missing-64.so.2..")
    if b"ld-missing" not in python:
        pytest.skip("/bin/true is no dynamic x86-64 program: the missing loader was NOT tested")
    more = [f"glibc={needed}"] if needed else []
    extra = ("target=linux-gnu-x86_64", "launch=exec", *more)
    made = recipe(runtime=[File(path="bin/python3", data=python, executable=True)], sentinels=(), extra=extra)
    done = run([write(tmp_path / "odd", bundle(launcher(), made))], environment(cache))
    assert done.returncode == 108
    assert ("glibc 2.17" in done.stderr) == bool(needed)


def test_glibc_that_is_too_old(tmp_path, cache):
    extra = ("target=linux-gnu-x86_64", "launch=exec", "glibc=2.999")
    program = write(tmp_path / "hello", bundle(launcher(), recipe(extra=extra)))
    done = run([program], environment(cache))
    if done.returncode == 0:
        pytest.skip("this system has no glibc: the comparison was NOT tested")
    assert done.returncode == 108
    assert "glibc 2.999 or newer" in done.stderr
    assert not any((cache / "layers").iterdir())
