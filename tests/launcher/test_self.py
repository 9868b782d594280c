"""What PYPACK_SELF tells, and about which folder: the one that a start would use."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.faults.test_cache import layer_with, mounted, need_root, root_of, run
from tests.support.bundles import bundle, write
from tests.support.launchers import environment, launcher, recipe

KEYS = {
    "schema", "name", "version", "target", "launch", "id", "file", "cache", "no_cache", "layers", "prepared",
}  # fmt: skip


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def told(program: Path, env: dict[str, str], word: str = "info-json") -> dict:
    done = run([program], {**env, "PYPACK_SELF": word})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("word", ["info-json", "info --json"])
def test_info_for_tools(hello, cache, word):
    before = told(hello, environment(cache), word)
    assert set(before) == KEYS
    assert (before["schema"], before["name"], before["version"]) == (1, "hello", "1.0")
    assert before["cache"] == {
        "path": os.fspath(cache),
        "origin": "PYPACK_CACHE_DIR",
        "read_only": False,
        "sees": "all",
    }
    assert [(each["kind"], each["present"]) for each in before["layers"]] == [
        ("runtime", False),
        ("deps", False),
        ("app", False),
    ]
    assert not before["prepared"]
    assert before["no_cache"] is None
    assert not cache.exists()
    root_of(run([hello], environment(cache)))
    after = told(hello, environment(cache))
    assert after["prepared"]
    for layer in after["layers"]:
        assert layer["present"]
        assert Path(layer["path"]) == cache / "layers" / layer["hash"]
        assert Path(layer["path"]).is_dir()
    assert Path(after["file"]) == hello


def test_info_of_odd_names(tmp_path, program):
    """What is no UTF-8 comes as Python itself writes it."""
    folder = tmp_path / os.fsdecode(b'q"uo\\te \xff \xed\xa0\x80 \xc3\xa4 \xf0\x9f\x98\x80 \x01\t')
    folder.mkdir()
    hello = write(folder / "hello", program)
    cache = folder / "cache"
    answer = told(hello, environment(cache))
    assert answer["file"] == os.fspath(hello)
    assert answer["cache"]["path"] == os.fspath(cache)


def test_info_where_no_folder_would_do(hello, tmp_path):
    """What is in the file is told all the same, and why."""
    file = tmp_path / "file"
    file.write_text("")
    answer = told(hello, environment(file))
    assert answer["cache"] is None
    assert "it is not a folder" in answer["no_cache"]
    assert not answer["layers"][0]["present"]
    done = run([hello], environment(file, PYPACK_SELF="info"))
    assert done.returncode == 0
    assert "cache    there is no folder to unpack this program to" in done.stdout


def test_info_of_the_administrators_folder(hello, tmp_path, home):
    """One that does not hold the program is passed over by those who cannot write to it."""
    need_root("a folder of the administrator's")
    folder = Path("/opt") / f"pypack-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        program = write(folder / "hello", hello.read_bytes())
        cache, theirs = folder / "cache", folder / "home"
        cache.mkdir(mode=0o755)
        theirs.mkdir(mode=0o700)
        os.chown(theirs, 65533, 65533)
        env = environment(cache, HOME=os.fspath(theirs), PYPACK_SELF="info-json")
        user = {"user": 65533, "group": 65533, "extra_groups": ()}
        first = json.loads(run([program], env, **user).stdout)
        assert first["cache"]["path"] == f"{theirs}/.cache/pypack"
        root_of(run([program], environment(cache)))
        second = json.loads(run([program], env, **user).stdout)
        assert (second["cache"]["path"], second["cache"]["read_only"]) == (os.fspath(cache), True)
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


@pytest.mark.parametrize("options", ["noexec,mode=700", "ro,mode=700", "size=16k,mode=700", "nr_inodes=1,mode=700"])
def test_verbs_look_where_a_start_would(hello, tmp_path, home, options):
    """Not at the first folder, on a disk that a start would find full, read-only or not made for programs."""
    need_root(f"a disk with {options}")
    with mounted(tmp_path / "disk", options) as disk:
        for named in (disk / "cache", disk):
            env, place = environment(named, HOME=os.fspath(home)), f"{home}/.cache/pypack"
            assert told(hello, env)["cache"]["path"] == place
            assert root_of(run([hello], env)) == place
            assert all(each["present"] for each in told(hello, env)["layers"])
            assert f"cache    {place} ($HOME/.cache)" in run([hello], {**env, "PYPACK_SELF": "info"}).stdout
            module = layer_with(Path(place), "boot.pyc") / "app/tool.sh"
            module.chmod(0o755)
            kept = module.read_bytes()
            module.write_bytes(b"?" * len(kept))
            done = run([hello], {**env, "PYPACK_SELF": "check"})
            assert (done.returncode, place in done.stderr) == (111, True)
            done = run([hello], {**env, "PYPACK_SELF": "verify"})
            assert "was damaged in the cache, unpacked again" in done.stdout
            assert module.read_bytes() == kept


def test_a_folder_that_could_not_be_made(hello, tmp_path, home):
    """Its name alone does not make it the one that a start uses."""
    env = environment(None, HOME=os.fspath(tmp_path / "nowhere"), TMPDIR=os.fspath(home))
    place = f"{home}/pypack-{os.geteuid()}"
    assert told(hello, env)["cache"]["path"] == place
    assert root_of(run([hello], env)) == place


# --- words for those who did not build it -----------------------------------------------------------------------------


def test_messages_name_the_program_and_no_documents(tmp_path, cache):
    """Whoever starts a program did not choose what it was packed with."""
    made = bytearray(bundle(launcher(), recipe(name="report-tool")))
    program = write(tmp_path / "started-as", bytes(made))
    file = tmp_path / "file"
    file.write_text("")
    made[made.rindex(b"#!/bin/sh")] ^= 1
    damaged = write(tmp_path / "damaged", bytes(made))
    cut = write(tmp_path / "cut", bytes(made[:-1000]))
    cases = [
        (program, environment(file), 104),
        (program, environment(cache, PYPACK_SELF="inof"), 109),
        (damaged, environment(cache), 103),
        (cut, environment(cache), 101),
    ]
    for path, env, code in cases:
        done = run([path], env)
        assert done.returncode == code, done.stderr
        assert done.stderr.startswith("cut: " if path == cut else "report-tool: ")
        assert "\n  -> " in done.stderr
        assert done.stderr.endswith(f"  (exit code {code})\n")
        assert "docs/" not in done.stderr
        assert "bundle" not in done.stderr


# --- the program's own folder -----------------------------------------------------------------------------------------

PARTS = ("bin/hello", "bin/python", "bin/python3", "python/hello", "shim", "lib/python3.13/site-packages/pypack.pth")


@pytest.fixture
def prepared(hello, cache) -> Path:
    """The folder of a program that has run, and into which somebody has installed a package."""
    root_of(run([hello], environment(cache)))
    (folder,) = cache.glob("apps/*")
    (folder / "lib/python3.13/site-packages/installed.py").write_text("x = 1\n")
    return folder


def spoil(path: Path) -> None:
    """Change what stands there, and no size of it; other names of the same file stay as they are."""
    if path.is_symlink():
        path.unlink()
        path.symlink_to("/nowhere")
        return
    content, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    path.write_bytes(content[:-1] + b"?")
    path.chmod(mode)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_check_tells_what_differs_in_the_programs_folder(hello, cache, prepared, part, how):
    env = environment(cache)
    before = {each: each.read_bytes() for each in prepared.rglob("*") if each.is_file()}
    assert run([hello], {**env, "PYPACK_SELF": "check"}).returncode == 0
    spoil(prepared / part) if how == "changed" else (prepared / part).unlink()
    seen = {each: each.lstat().st_mtime_ns for each in prepared.rglob("*")}
    done = run([hello], {**env, "PYPACK_SELF": "check"})
    assert done.returncode == 111, done
    assert f"{prepared}: {part}: missing, or not what the bundle holds" in done.stderr
    assert seen == {each: each.lstat().st_mtime_ns for each in prepared.rglob("*")}, "nothing was written"
    done = run([hello], {**env, "PYPACK_SELF": "verify"})
    assert (done.returncode, done.stderr) == (0, "")
    assert f"start    was damaged in the cache, mended: {part}\n" in done.stdout
    assert {each: each.read_bytes() for each in prepared.rglob("*") if each.is_file()} == before
    assert (prepared / part).lstat().st_mode & 0o111 == (0o111 if part.startswith(("bin", "python")) else 0)
    assert run([hello], {**env, "PYPACK_SELF": "check"}).returncode == 0
    assert "start    sound in the cache\n" in run([hello], {**env, "PYPACK_SELF": "verify"}).stdout
    assert not list(cache.glob("tmp/*[!k]")), "nothing is left but locks"


def test_verify_mends_all_that_is_damaged(hello, cache, prepared):
    for part in PARTS:
        spoil(prepared / part)
    done = run([hello], environment(cache, PYPACK_SELF="verify"))
    assert done.returncode == 0, done
    named = done.stdout.rpartition("mended: ")[2].strip().split(", ")
    assert sorted(named) == sorted(PARTS)
    assert (prepared / "lib/python3.13/site-packages/installed.py").exists()
    assert (prepared / "bin/python").samefile(prepared / "bin/hello"), "one file, as before"
    root_of(run([hello], environment(cache)))


def test_what_is_no_longer_a_program_is_damaged(hello, cache, prepared):
    (prepared / "bin/python3").unlink()
    (prepared / "bin/python3").write_bytes((prepared / "bin/hello").read_bytes())
    (prepared / "bin/python3").chmod(0o644)
    done = run([hello], environment(cache, PYPACK_SELF="check"))
    assert "bin/python3: missing, or not what" in done.stderr
    (prepared / "bin/python3").unlink()
    (prepared / "bin/python3").mkdir()
    (prepared / "bin/python3/x").write_text("")
    assert "mended: bin/python3\n" in run([hello], environment(cache, PYPACK_SELF="verify")).stdout
    assert os.access(prepared / "bin/python3", os.X_OK)


def test_commands_and_packages_are_the_users(tmp_path, cache):
    """Pip may have put a newer command of a package in the place of the bundled one."""
    made = recipe(extra=("version=1.0", "target=linux-musl-x86_64", "launch=exec", "script=tool=package:main"))
    hello = write(tmp_path / "hello", bundle(launcher(), made))
    root_of(run([hello], environment(cache)))
    (tool,) = cache.glob("apps/*/bin/tool")
    tool.write_text("newer")
    assert run([hello], environment(cache, PYPACK_SELF="check")).returncode == 0
    assert "start    sound in the cache" in run([hello], environment(cache, PYPACK_SELF="verify")).stdout
    assert tool.read_text() == "newer"


def test_the_administrators_folder_is_mended_by_the_administrator(hello, tmp_path, prepared, cache):
    need_root("a folder of the administrator's")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
        if folder.name.startswith("pytest-of"):
            break
    cache.chmod(0o755)
    spoil(prepared / "bin/python")
    user = {"user": 65533, "group": 65533, "extra_groups": ()}
    assert run([hello], environment(cache, PYPACK_SELF="check"), **user).returncode == 111
    done = run([hello], environment(cache, PYPACK_SELF="verify"), **user)
    assert (done.returncode, "let the administrator run it" in done.stderr) == (103, True), done
