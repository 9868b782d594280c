"""Where Python is started through a loader: the command, and the shim that the program's children see as Python.

The loader is a stand-in here that tells its words; tests/launcher/test_loader.py has musl's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.launcher.test_start import start
from tests.support.bundles import File, bundle, write
from tests.support.launchers import environment, launcher, recipe, sanitized, stand_in

if TYPE_CHECKING:
    from pathlib import Path

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
        options, (boot, path, lock, called) = words[8:10], words[10:14]
        assert options == ["-I", "-S"]
        assert re.fullmatch(re.escape(f"{cache}") + r"/layers/[0-9a-f]{32}/boot\.pyc", boot)
        assert (path, called) == (os.fspath(program), os.fspath(program))
        assert int(lock) >= 10
        assert words[14:] == ["one", "", ODD]


def test_environment_is_that_of_the_caller(program, cache):
    env = environment(cache, LD_PRELOAD="/nowhere/x.so", LD_LIBRARY_PATH="/nowhere", UMLAUT="ä\udcff")
    facts = start([program], env)
    assert sorted(facts["variable"]) == sorted(f"{name}={value}" for name, value in env.items())


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
    assert lines == {"launch": "loader", **named}


def test_shim_takes_the_path_it_is_called_by(shim, cache, tmp_path):
    """A virtual environment is a link to the interpreter; Python finds pyvenv.cfg beside the link."""
    link = tmp_path / "python"
    link.symlink_to(shim)
    assert start([link], environment(cache))["word"][6] == os.fspath(link)
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
    start([program], environment(moved))
    (again,) = moved.glob("apps/*/bin/hello")
    assert start([again, "x"], environment(moved))["word"] == [*prefix(moved), "x"]


def test_folder_with_a_colon_is_passed_over(program, tmp_path):
    """musl's loader takes a list that colons part."""
    other = tmp_path / "home"
    other.mkdir()
    env = {**environment(tmp_path / "a:b"), "HOME": os.fspath(other)}
    assert start([program], env)["word"][0].startswith(f"{other}/.cache/pypack/apps/")
    done = subprocess.run([program], env=environment(tmp_path / "a:b"), capture_output=True, text=True, check=False)
    assert done.returncode == 104
    assert "colon" in done.stderr


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
