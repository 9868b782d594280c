"""Other users of the machine: links that they turn, folders that they plant, locks that they hold."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_cache import NOBODY, layer_with, need_root, nothing_in_tmp, root_of, run
from tests.support.bundles import File, bundle, write
from tests.support.launchers import compile_c, environment, launcher, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

VICTIM = 65533
OTHER = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
"""Another user than the one whose program is started."""


def act_as_other(*words: str | Path, **more) -> None:
    """Let the other user run a command."""
    done = run(list(words), {"PATH": os.environ["PATH"]}, **OTHER, **more)
    assert done.returncode == 0, done.stderr


def tree(folder: Path) -> list[str]:
    return sorted(os.fspath(each.relative_to(folder)) for each in folder.rglob("*"))


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that all users can get to, unlike those of pytest."""
    need_root("what another user can do to a cache")
    folder = Path(tempfile.mkdtemp(prefix="pypack-trust-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def sticky(room) -> Path:
    """A folder like /tmp."""
    folder = room / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def home(room) -> Path:
    folder = room / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def started(room, program, home):
    """Start the program as root with a cache folder named: ``started(cache)``; the home folder is the next place."""
    hello = write(room / "hello", program)

    def start(cache: Path | str | None, home: Path = home, **more: str) -> subprocess.CompletedProcess[str]:
        return run([hello], environment(cache, HOME=os.fspath(home), PYPACK_DEBUG="1", **more))

    return start


# --- the way to the folder --------------------------------------------------------------------------------------------


def refused(done, home: Path, reason: str) -> None:
    """The named folder was not used, for this reason, and the next one was."""
    assert reason in done.stderr
    assert root_of(done) == f"{home}/.cache/pypack"


def test_a_link_of_another_user_is_not_followed(started, room, sticky, home):
    """They could turn it between two looks, from a folder that is right to one of theirs."""
    right, theirs, link = room / "right", sticky / "theirs", sticky / "way"
    right.mkdir(mode=0o700)
    act_as_other("mkdir", theirs)
    act_as_other("ln", "-s", right, link)
    for name in (link, link / "cache", f"{link}/../way"):
        refused(started(name), home, "belongs to another user")
    act_as_other("ln", "-s", link, theirs / "again")
    refused(started(theirs / "again"), home, f"{theirs} belongs to another user")
    assert not tree(right)


def test_a_link_that_turns_all_the_while(started, room, sticky, home):
    right, theirs, link = room / "right", sticky / "theirs", sticky / "way"
    right.mkdir(mode=0o700)
    assert root_of(started(right)) == os.fspath(right)
    turn = 'while :; do ln -sfn "$1" "$3.new"; mv -T "$3.new" "$3"; ln -sfn "$2" "$3.new"; mv -T "$3.new" "$3"; done'
    act_as_other("mkdir", theirs)
    act_as_other("ln", "-s", right, link)
    turning = subprocess.Popen(["sh", "-c", turn, "sh", right, theirs, link], **OTHER)
    try:
        for _ in range(30):
            assert root_of(started(link)) == f"{home}/.cache/pypack"
    finally:
        turning.kill()
        turning.wait()
    assert not tree(theirs)


def test_a_link_of_ones_own_is_followed_once(started, room, sticky):
    """What is used, and told, is where it leads to."""
    right = room / "right"
    right.mkdir()
    (sticky / "own").symlink_to("../right/deep")
    assert root_of(started(sticky / "own/cache")) == f"{right}/deep/cache"
    assert root_of(started(f"{sticky}/./own/../other//cache/")) == f"{right}/other/cache"
    (sticky / "turn").symlink_to("turn")
    assert "too many links" in started(sticky / "turn/cache").stderr


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_folder_above_that_others_can_write_to(started, room, home, mode):
    above = room / "abo ve"
    (above / "cache").mkdir(parents=True, mode=0o700)
    above.chmod(mode)
    refused(started(above / "cache"), home, f"others can write to {above} (chmod go-w '{above}' would end that)")
    above.chmod(0o755)
    assert root_of(started(above / "cache")) == f"{above}/cache"


def test_a_folder_like_tmp_leads_on_but_is_none_itself(started, sticky, home):
    refused(started(sticky), home, "others can write to it")
    assert root_of(started(sticky / "cache")) == f"{sticky}/cache"


def test_a_folder_above_of_another_user(started, sticky, home):
    act_as_other("mkdir", sticky / "theirs")
    mine = sticky / "theirs/mine"
    mine.mkdir(mode=0o700)
    refused(started(mine), home, f"{sticky}/theirs belongs to another user")


@pytest.mark.parametrize("there", [True, False])
def test_root_uses_no_home_of_another_user(started, room, there):
    """`sudo` keeps HOME, and maybe more; what that user has there already counts as little as what would be made."""
    theirs = room / "theirs"
    theirs.mkdir()
    if there:
        (theirs / ".cache/pypack").mkdir(parents=True)
        (theirs / "pypack").mkdir()
        (theirs / f"pypack-{os.geteuid()}").mkdir()
    shutil.chown(theirs, NOBODY)
    before = tree(theirs)
    done = started(None, theirs, XDG_CACHE_HOME=os.fspath(theirs), TMPDIR=os.fspath(theirs))
    assert done.returncode == 104
    assert done.stderr.split("tried:")[1].count("belongs to another user\n") == 2
    done = started(theirs / "cache", theirs, TMPDIR=os.fspath(theirs))
    assert done.returncode == 104
    assert done.stderr.split("tried:")[1].count("belongs to another user\n") == 3
    assert tree(theirs) == before


def test_a_user_namespace_that_does_not_know_root(started, room, program):
    """There all of root's folders are shown as nobody's, "/" too."""
    folder = room / "victim"
    folder.mkdir(mode=0o700)
    shutil.chown(folder, VICTIM)
    words = ["setpriv", f"--reuid={VICTIM}", "--clear-groups", "unshare", "--user", "--map-root-user"]
    probe = run([*words, "true"], None)
    if probe.returncode:
        pytest.skip(f"no user namespaces here: starts in one were NOT tested: {probe.stderr}")
    hello = write(room / "hello", program)
    assert root_of(run([*words, hello], environment(folder / "cache"))) == f"{folder}/cache"


# --- what is in it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["layers", "apps", "tmp"])
@pytest.mark.parametrize("kind", ["theirs", "open", "link"])
def test_a_planted_folder(started, room, home, inner, kind):
    """It was put there while others could write to the folder; that they no longer can makes it none of ours."""
    cache = room / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    (room / "elsewhere").mkdir(mode=0o700)
    if kind == "link":
        act_as_other("ln", "-s", room / "elsewhere", cache / inner)
    else:
        act_as_other("mkdir", cache / inner)
    if kind == "open":
        os.chown(cache / inner, 0, 0)
        (cache / inner).chmod(0o775)
    refused(started(cache), home, "others can write to it")
    cache.chmod(0o755)
    refused(started(cache), home, f"{inner} in it is no folder that only its owner can write to")
    run(["rm", "-r", cache / inner], None)
    assert root_of(started(cache)) == os.fspath(cache)


def plant(cache: Path, path: Path) -> Path:
    """Let the other user put a copy of ``path`` into its place, with another content of the same size."""
    kept = cache.parent / "kept"
    path.rename(kept)
    path.parent.chmod(0o777)
    act_as_other("cp", "-r", kept, path)
    path.parent.chmod(0o755)
    return kept


@pytest.mark.parametrize("what", ["runtime", "app", "apps"])
def test_what_others_planted_is_made_anew(started, room, what):
    cache = room / "cache"
    root_of(started(cache))
    cache.chmod(0o755)
    path = next((cache / "apps").iterdir()) if what == "apps" else None
    path = path or layer_with(cache, "bin" if what == "runtime" else "boot.pyc")
    plant(cache, path)
    assert path.stat().st_uid == NOBODY
    assert root_of(started(cache)) == os.fspath(cache)
    assert path.stat().st_uid == 0
    nothing_in_tmp(cache)
    assert not [each for each in cache.rglob("*") if each.lstat().st_uid == NOBODY]


def test_what_others_planted_and_may_not_be_moved(started, room, program):
    """A user can often not even move what another one has made: then the next folder serves."""
    folder = room / "victim"
    (folder / "home").mkdir(parents=True)
    for each in (folder, folder / "home"):
        shutil.chown(each, VICTIM)
    hello, cache = write(room / "hello", program), folder / "cache"
    env, victim = environment(cache, HOME=f"{folder}/home"), {"user": VICTIM, "group": VICTIM, "extra_groups": ()}
    assert root_of(run([hello], env, **victim)) == os.fspath(cache)
    cache.chmod(0o755)
    plant(cache, layer_with(cache, "boot.pyc"))
    assert root_of(run([hello], env, **victim)) == f"{folder}/home/.cache/pypack"


# --- locks of others --------------------------------------------------------------------------------------------------


def test_a_lock_on_the_administrators_folder_holds_nobody_up(started, room, program):
    """Whoever can read a file can lock it."""
    cache = room / "cache"
    cache.mkdir(mode=0o755)
    root_of(started(cache))
    (settings,) = cache.glob("apps/*/pyvenv.cfg")
    hello, victim = room / "hello", {"user": VICTIM, "group": VICTIM, "extra_groups": ()}
    with settings.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        before = time.monotonic()
        assert root_of(run([hello], environment(cache), **victim)) == os.fspath(cache)
        assert time.monotonic() - before < 5


def test_paths_are_looked_up_from_the_folder_that_was_checked(room, program, tmp_path):
    """Not from "/" again, where a name on the way may mean another folder by now."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here: it was NOT looked at how paths are looked up")
    cache, log, hello = room / "cache", tmp_path / "log", write(room / "hello", program)
    for number in ("first", "second"):
        done = run(["strace", "-f", "-o", log, hello], environment(cache))
        if done.returncode:
            pytest.skip(f"strace may not trace here, it was NOT looked at how paths are looked up: {done.stderr}")
        calls = log.read_text(errors="replace").splitlines()
        last = max(at for at, line in enumerate(calls) if " execve(" in line)
        absolute = [line for line in calls[:last] if f'"{cache}/' in line]
        assert not absolute, number


# --- rights that the file brings --------------------------------------------------------------------------------------

RIGHTS = r"""
#include <stdio.h>
#include <string.h>
extern char **environ;
int main(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "CapEff", 6) == 0 || strncmp(line, "Uid", 3) == 0)
            fputs(line, stdout);
    for (char **variable = environ; *variable; variable++)
        puts(*variable);
    return 0;
}
"""


@pytest.fixture
def privileged(room, tmp_path):
    """Start, as another user, a program that tells its rights and variables, from a file that ``give`` was done to."""
    source, made = tmp_path / "rights.c", tmp_path / "rights"
    source.write_text(RIGHTS)
    compile_c(["-O1", source], made)
    runtime = [File(path="bin/python3", data=made.read_bytes(), executable=True)]
    path = write(room / "rights", bundle(launcher(), recipe(runtime=runtime, sentinels=())))

    def start(*give: str | Path) -> dict[str, str]:
        done = run([*give, path], None)
        if done.returncode:
            pytest.skip(f"files cannot be given rights here, starts by them were NOT tested: {done.stderr}")
        (room / "theirs").mkdir(exist_ok=True)
        (room / "theirs").chmod(0o777)
        env = environment(room / "theirs/cache", LD_PRELOAD="x", PYTHONINSPECT="1", PYTHONPATH="/x", LANG="C", HOME="/")
        done = run([path], env, **OTHER)
        shutil.rmtree(f"/tmp/pypack-{NOBODY}", ignore_errors=True)
        shutil.rmtree(f"/tmp/pypack-{VICTIM}", ignore_errors=True)
        assert done.returncode == 0, done.stderr
        assert not tree(room / "theirs"), "what the starting user says about folders does not count"
        return dict(re.split(r":\s*|=", line, maxsplit=1) for line in done.stdout.splitlines())

    return start


def test_file_capabilities_last_until_python(privileged):
    """They were given to the program. What could lead it to other code does not come along."""
    told = privileged("setcap", "cap_net_bind_service=+ep")
    assert int(told["CapEff"], 16) == 1 << 10
    assert told["LANG"] == "C"
    assert not {"LD_PRELOAD", "PYTHONINSPECT"} & set(told)
    assert told.get("PYTHONPATH") != "/x"


def test_a_file_that_sets_the_user(privileged):
    told = privileged("sh", "-c", f'chown {VICTIM} "$0" && chmod 4755 "$0"')
    assert told["Uid"].split()[:2] == [str(NOBODY), str(VICTIM)]
    assert int(told["CapEff"], 16) == 0
    assert not {"LD_PRELOAD", "PYTHONINSPECT"} & set(told)
    assert told.get("PYTHONPATH") != "/x"
