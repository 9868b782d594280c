"""Where Python is started through a loader: the command, and the shim that the program's children see as Python.

The loader is a stand-in here that tells its words; tests/launcher/test_loader.py has musl's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.launcher.test_start import start
from tests.support.bundles import File, bundle, write
from tests.support.launchers import environment, launcher, recipe, sanitized, stand_in

ODD = "a b\n'\"$(x)` \\ äöü☃ \udcff*"
LOADER = "lib/ld-musl-x86_64.so.1"
KEYS = ("version=1.0", "target=linux-musl-x86_64", "launch=exec", f"loader={LOADER}")


def loader_recipe(**changes):
    base = recipe()
    loader = File(path=LOADER, data=stand_in(), executable=True)
    return recipe(**{"runtime": [*base.runtime, loader], "extra": KEYS, **changes})


@pytest.fixture(scope="module")
def through_loader() -> bytes:
    return bundle(launcher(), loader_recipe())


@pytest.fixture
def program(tmp_path, through_loader) -> Path:
    return write(tmp_path / "hello", through_loader)


@pytest.fixture
def shim(program, cache) -> Path:
    """The interpreter of the program's children."""
    start([program], environment(cache))
    (found,) = cache.glob("apps/*/bin/hello")
    return found


def layer_of(cache: Path, inside: str) -> Path:
    (found,) = cache.glob(f"layers/*/{inside}")
    return found


def prefix(cache: Path, name: str = "hello") -> list[str]:
    """The words in front of Python's own arguments."""
    (app,) = cache.glob("apps/*")
    return [
        f"{app}/loader/{name}", "--preload", "", "--library-path", f"{layer_of(cache, 'lib')}",
        "--argv0", f"{app}/bin/{name}", f"{layer_of(cache, 'bin/python3')}",
    ]  # fmt: skip


def test_words(program, cache):
    for _ in ("cold", "warm"):
        facts = start([program, "one", "", ODD], environment(cache))
        words = facts["word"]
        assert words[:8] == prefix(cache)
        option, main, path, lock, number, called = words[8:14]
        assert option == "-O"
        assert re.fullmatch(re.escape(f"{cache}") + r"/layers/[0-9a-f]{32}/app/main\.py", main)
        assert (path, called) == (os.fspath(program), os.fspath(program))
        assert int(lock) >= 10
        assert re.fullmatch("[0-9a-f]{32}", number)
        assert words[14:] == ["one", "", ODD]


def test_environment_is_that_of_the_caller(program, cache):
    env = environment(cache, LD_PRELOAD="/nowhere/x.so", LD_LIBRARY_PATH="/nowhere", UMLAUT="ä\udcff")
    facts = start([program], env)
    added = f"PYTHONPATH={layer_of(cache, 'boot.pyc').parent}"
    assert sorted(facts["variable"]) == sorted([*(f"{name}={value}" for name, value in env.items()), added])


def test_shim_starts_python_through_the_loader(program, cache, shim):
    env = environment(cache, PYPACK_DEBUG="0", LD_PRELOAD="/nowhere/x.so", UMLAUT="ä\udcff")
    facts = start([shim, "-c", ODD, ""], env)
    assert facts["word"] == [*prefix(cache), "-c", ODD, ""]
    assert sorted(facts["variable"]) == sorted(f"{name}={value}" for name, value in env.items())


def test_shim_is_the_launcher_itself(program, cache, shim):
    plain = launcher()
    content = shim.read_bytes()
    assert content.rstrip(b"\0") == plain.rstrip(b"\0")
    assert len(content) - len(plain) < 8
    assert shim.stat().st_mode & 0o777 == 0o755
    lines = dict(line.split("=", 1) for line in (shim.parent.parent / "shim").read_text().splitlines())
    loader, _, _, _, libraries, _, _, python = prefix(cache)
    named = {"python": python, "interpreter": os.fspath(shim), "loader": loader, "libraries": libraries}
    named["main"] = os.fspath(layer_of(cache, "boot.pyc").parent)
    named["id"] = shim.parents[1].name
    assert lines == {"launch": "loader", **named}


def test_shim_takes_the_path_it_is_called_by(shim, cache, tmp_path):
    """A virtual environment is a link to the interpreter; Python finds pyvenv.cfg beside the link, or above it."""
    link = tmp_path / "env/bin/python"
    link.parent.mkdir(parents=True)
    link.symlink_to(shim)
    assert start([link], environment(cache))["word"][6] == os.fspath(shim), "no environment goes with the link"
    for place in (link.parent, link.parent.parent):
        (place / "pyvenv.cfg").write_text("home = /nowhere\n")
        assert start([link], environment(cache))["word"][6] == os.fspath(link)
        (place / "pyvenv.cfg").unlink()
    done = start(["sh", "-c", f"exec '{shim}' x"], environment(cache))
    assert done["word"][6:] == [os.fspath(shim), prefix(cache)[7], "x"]
    for name in ("python", "/nowhere/python", ""):
        facts = start([name, "x"], environment(cache), executable=shim)
        assert facts["word"][6] == os.fspath(shim)


def test_shim_that_path_leads_to(shim, cache, tmp_path):
    """A link in a virtual environment, called by its bare name: Python looks for pyvenv.cfg beside the link."""
    link = tmp_path / "lk/bin/mypy3"
    link.parent.mkdir(parents=True)
    link.symlink_to(shim)
    (tmp_path / "lk/pyvenv.cfg").write_text("home = /nowhere\n")
    for folder in (os.fspath(link.parent), "lk/bin"):
        env = environment(cache, PATH=folder)
        facts = start([shutil.which("env"), "mypy3", "x"], env, cwd=tmp_path)
        assert facts["word"][6:] == [f"{folder}/mypy3", prefix(cache)[7], "x"]


def test_interpreter_and_plan(program, cache):
    plan = subprocess.run([program, "x"], env=environment(cache, PYPACK_DRYRUN="1"), capture_output=True, check=True)
    assert b"/loader/hello --preload '' --library-path " in plan.stdout
    assert not cache.exists()
    facts = start([program, "-c", "x"], environment(cache, PYPACK_INTERPRETER="1"))
    assert facts["word"] == [*prefix(cache), "-c", "x"]


def test_name_that_would_turn_the_loader_into_ldd(tmp_path, cache):
    program = write(tmp_path / "program", bundle(launcher(), loader_recipe(name="myldd")))
    words = start([program], environment(cache))["word"]
    assert words[0].endswith("/loader/myldd_")
    assert words[6].endswith("/bin/myldd")


def test_what_is_missing_is_mended(program, cache, shim):
    env = environment(cache)
    app = shim.parent.parent
    damages = [
        shim.unlink,
        (app / "shim").unlink,
        lambda: os.truncate(shim, 9),
        lambda: os.truncate(app / "shim", 9),
        (app / "loader/hello").unlink,
        lambda: shutil.rmtree(app / "loader"),
    ]
    for damage in damages:
        damage()
        start([program], env)
        assert start([shim, "x"], env)["word"][8:] == ["x"]


def test_cache_that_was_moved(program, cache, shim, tmp_path):
    moved = cache.rename(tmp_path / "moved")
    python = Path(start([program], environment(moved))["word"][6])
    before = os.fspath(shim).replace(os.fspath(cache), os.fspath(moved))
    assert os.fspath(python) != before, "that one may be in use, by a machine that has the cache at its path"
    facts = start([python, "x"], environment(moved))
    assert facts["word"][6:] == [os.fspath(python), os.fspath(layer_of(moved, "bin/python3")), "x"]


def test_folder_with_a_colon_is_passed_over(program, tmp_path):
    """musl's loader takes a list that colons part."""
    other = tmp_path / "home"
    other.mkdir()
    env = {**environment(tmp_path / "a:b"), "HOME": os.fspath(other)}
    assert start([program], env)["word"][0].startswith(f"{other}/.cache/pypack/apps/")
    done = subprocess.run([program], env=environment(tmp_path / "a:b"), capture_output=True, text=True, check=False)
    assert done.returncode == 104
    assert f'{tmp_path}/a:b (PYPACK_CACHE_DIR): its name holds ":"' in done.stderr


def test_two_machines_that_have_a_cache_at_two_paths(program, cache, tmp_path):
    """Neither takes the other's folder away, however often they start by turns."""
    if os.geteuid() != 0:
        pytest.skip("a second path takes root: one cache at two paths was NOT tested")
    start([program], environment(cache))
    (app,) = cache.glob("apps/*")
    number = app.joinpath("pyvenv.cfg").stat().st_ino
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["mount", "--bind", cache, other], check=True)
    try:
        names = {Path(start([program], environment(place))["word"][6]).parents[1].name for place in (other, cache) * 3}
    finally:
        subprocess.run(["umount", other], check=True)
    assert app.name in names
    assert len(names) == 2
    assert app.joinpath("pyvenv.cfg").stat().st_ino == number


def plain_recipe():
    return recipe(extra=("version=1.0", "target=linux-musl-x86_64", "launch=exec"))


@pytest.fixture
def interpreter(tmp_path, cache) -> Path:
    """The interpreter of a program whose Python needs no loader."""
    start([write(tmp_path / "hello", bundle(launcher(), plain_recipe()))], environment(cache))
    (found,) = cache.glob("apps/*/bin/hello")
    return found


def test_an_interpreter_is_hidden_what_would_mislead_it(interpreter, cache):
    env = environment(cache, PYTHONHOME="/nowhere", PYTHONPATH="/some", PYTHONUNBUFFERED="1")
    facts = start([interpreter, "-c", ""], env)
    assert facts["word"] == [os.fspath(interpreter), "-c", ""]
    env["PYPACK_HIDDEN_PYTHONHOME"] = env.pop("PYTHONHOME")
    assert sorted(facts["variable"]) == sorted(f"{name}={value}" for name, value in env.items())
    outer = start([interpreter], {**env, "PYTHONHOME": "", "PYPACK_OUTER_PYTHONPATH": "/some"})["variable"]
    assert "PYPACK_HIDDEN_PYTHONPATH=/some" in outer, "it comes from outside: only what the program sets counts"
    assert [name for name in ("python", "python3") if not interpreter.with_name(name).samefile(interpreter)] == []


def test_an_interpreter_holds_the_program(interpreter, cache, tmp_path):
    env = environment(cache, STAND_IN_WAIT="30")
    running = subprocess.Popen([interpreter, "x"], env=env, stdout=subprocess.PIPE)
    assert running.stdout
    while b"folder" not in running.stdout.readline():
        pass
    clean = [tmp_path / "hello"]
    done = subprocess.run(clean, env=environment(cache, PYPACK_SELF="clean"), capture_output=True, check=False)
    running.kill()
    running.communicate()
    assert done.returncode == 110
    assert b" is running" in done.stderr
    subprocess.run(clean, env=environment(cache, PYPACK_SELF="clean"), capture_output=True, check=True)


def test_the_words_of_a_main_program_start_the_bundle(tmp_path, cache):
    """Reloaders start themselves by the words of their process; a lock's number among them means nothing any more."""
    program = write(tmp_path / "hello", bundle(launcher(), plain_recipe()))
    words = start([program, "one", "-two"], environment(cache))["word"]
    assert words[-2:] == ["one", "-two"]
    again = start(words, environment(cache))["word"]
    assert again == words
    other = start([words[0], *words[2:4], "x"], environment(cache))["word"]
    assert other == [words[0], *words[2:4], "x"], "fewer words are a child's"
    main = words[2]
    for child in (
        [main, "worker", "7", "0" * 32, "x"],
        [main, words[3], "7", "0" * 32, "x"],
        [main, "./x", *words[4:]],
    ):
        assert start([words[0], *child], environment(cache))["word"] == [words[0], *child]


SENSELESS = {
    "empty": b"",
    "cut": b"launch=loader\npython=/x\nloader=/y\nlibraries=/z",
    "nothing to start": b"launch=loader\nloader=/y\nlibraries=/z\n",
    "no loader": b"launch=loader\npython=/x\n",
    "no library": b"launch=embed\npython=/x\n",
    "no such kind": b"launch=other\npython=/x\n",
    "no kind": b"python=/x\n",
    "relative": b"launch=loader\npython=x\nloader=/y\nlibraries=/z\n",
    "no value": b"launch\n",
    "zero": b"launch=loader\npython=/x\0\nloader=/y\nlibraries=/z\n",
    "long": b"launch=loader\n" + b"x=" + b"y" * 70000 + b"\n",
    "missing files": b"launch=loader\npython=/x\nloader=/nowhere\nlibraries=/z\n",
    "not for this system": b"launch=embed\npython=/x\nlibpython=/y\n",
    "noise": bytes(range(256)) * 16,
}


@pytest.mark.parametrize("content", SENSELESS.values(), ids=SENSELESS)
@pytest.mark.parametrize("build", ["product", "sanitized"])
def test_senseless_description(tmp_path, content, build):
    app = tmp_path / "apps" / ("0" * 32)
    (app / "bin").mkdir(parents=True)
    (app / "shim").write_bytes(content)
    if build == "sanitized" and not shutil.which("gcc"):
        pytest.skip("gcc is not here: NOT run with sanitizers")
    shim = write(app / "bin" / "x", launcher() if build == "product" else sanitized().read_bytes())
    done = subprocess.run([shim], capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 106, done.stderr
    assert f"{app}/shim" in done.stderr
    assert "exit code 106" in done.stderr


def test_a_bare_launcher_elsewhere_is_no_shim(tmp_path):
    """A file called `shim` means something in apps/<id>/ only."""
    good = f"launch=loader\npython=/x\nloader={shutil.which('true')}\nlibraries=/z\n"
    for place in ("apps/short", "else/" + "0" * 32, "apps/" + "g" * 32, "apps/" + "0" * 32 + "/deeper"):
        folder = tmp_path / place / "bin"
        folder.mkdir(parents=True)
        (folder.parent / "shim").write_text(good)
        done = subprocess.run([write(folder / "x", launcher())], capture_output=True, text=True, check=False)
        assert done.returncode == 101
        assert "holds no program" in done.stderr
    folder = tmp_path / "apps" / ("0" * 32) / "bin"
    folder.mkdir()
    for name in ("x", "cut bundle"):
        shim = write(folder / name, launcher() if name == "x" else bundle(launcher(), recipe())[:-100])
        (folder.parent / "shim").unlink(missing_ok=True)
        assert subprocess.run([shim], capture_output=True, check=False).returncode == 101
        (folder.parent / "shim").write_text(good)
        assert subprocess.run([shim], capture_output=True, check=False).returncode == 0


def test_whole_bundle_in_the_place_of_a_shim_is_a_bundle(tmp_path, cache, through_loader):
    folder = tmp_path / "apps" / ("0" * 32) / "bin"
    folder.mkdir(parents=True)
    (folder.parent / "shim").write_text("launch=loader\n")
    assert "word" in start([write(folder / "x", through_loader)], environment(cache))


def test_clean_removes_all_of_it(program, cache, shim):
    subprocess.run([program], env=environment(cache, PYPACK_SELF="clean"), check=True, capture_output=True)
    assert not list(cache.glob("apps/*"))
    assert not list(cache.glob("layers/*"))
