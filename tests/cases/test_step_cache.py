"""The step cache: what it gives to other checkouts, builds and Pythons, and what it never mixes up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uv

from .conftest import GNU, HERE, Checkout, copy_tree, run, steps


def test_everything_but_the_bundle_comes_out_of_the_cache(checkout, own_cache):
    checkout.scons(*own_cache)
    before = checkout.bundle("hello").read_bytes()
    shutil.rmtree(checkout.path / ".pypack")
    shutil.rmtree(checkout.path / "dist")
    again = checkout.scons(*own_cache)
    assert set(steps(again)) <= {"fetch", "bundle"}, again.out
    assert checkout.bundle("hello").read_bytes() == before


def test_another_checkout_shares_the_cache(checkout, own_cache, tmp_path):
    checkout.scons(*own_cache)
    other = Checkout(path=copy_tree(tmp_path / "elsewhere" / "other"))
    assert set(steps(other.scons(*own_cache))) <= {"fetch", "bundle"}
    assert other.bundle("hello").read_bytes() == checkout.bundle("hello").read_bytes()


def test_another_minor_version_of_the_host_s_python_shares_the_cache(checkout, own_cache, tmp_path, other_python):
    """The runtime is a pinned one of its own here: ``host`` would be another with another Python."""
    runtime = tmp_path / "runtime.tar"
    checkout.scons(*own_cache)
    shutil.copy(next(checkout.path.glob(f".pypack/runtime/{GNU}/host-*/runtime.tar")), runtime)
    words = ("app=examples/hello", "profile=dev", f"runtime={runtime}", f"cache={tmp_path / 'cache'}")
    checkout.scons(*words)
    other = Checkout(path=copy_tree(tmp_path / "other"), python=other_python)
    done = other.scons(*words)
    assert set(steps(done)) <= {"fetch", "bundle"}, done.out
    assert other.bundle("hello").read_bytes() == checkout.bundle("hello").read_bytes()


def installed_pythons():
    """Yield the Pythons of other minor versions that are on PATH or kept by pyenv."""
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for minor in ("3.11", "3.12", "3.13"):
        if minor != mine:
            yield from filter(None, [shutil.which(f"python{minor}")])
            versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
            yield from sorted(versions.glob(f"{minor}.*/bin/python"))


@pytest.fixture(scope="session")
def other_python(tmp_path_factory):
    """The interpreter of a virtual environment with another minor version than this one, and pypack's needs in it."""
    for found in installed_pythons():
        folder = tmp_path_factory.mktemp("other") / "venv"
        if run([uv.find_uv_bin(), "venv", "--python", found, folder]).code == 0:
            python = str(folder / "bin/python")
            needs = run([uv.find_uv_bin(), "pip", "install", "-q", "--python", python, "-e", HERE])
            assert needs.code == 0, needs.text
            return python
    pytest.skip("CANNOT RUN: no second version of Python (3.11 to 3.13) is on this machine")


SLOW = """\
import time
import pypack
from pypack.steps.step import Step

def run(context):
    with open("../log", "a") as log:
        log.write("begun\\n")
    time.sleep(3)
    context.product.write_text("made")

env = Environment(tools=[pypack.generate])
env.CacheDir("../cache")
Default(env.PyStep(Step(product="slow", action="test", version=1, run=run, slow=True)))
"""


@pytest.mark.parametrize("killed", [False, True])
def test_builds_that_share_a_cache_do_slow_work_once(tmp_path, killed):
    """The other waits; when the first one is killed, it goes on by itself."""
    builds, log = [], tmp_path / "log"
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "SConstruct").write_text(SLOW)
        words = [sys.executable, "-m", "SCons", "-Q"]
        env = {**os.environ, "PYTHONPATH": str(HERE / "site_scons")}
        builds.append(subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, text=True))
        while not log.exists():
            assert builds[0].poll() is None
            time.sleep(0.05)
    if killed:
        while "waiting for another build that makes slow" not in (line := builds[1].stdout.readline()):
            assert line, "it did not wait"
        builds[0].kill()
    told = [build.communicate(timeout=120)[0] for build in builds]
    assert killed or "waiting for another build that makes slow" in told[1]
    assert (tmp_path / "two/.pypack/slow").read_text() == "made"
    assert log.read_text() == "begun\n" * (2 if killed else 1)
    assert [build.returncode for build in builds] == [-9 if killed else 0, 0]


WRITES = """\
import pypack
from pypack.steps.step import Step

def run(context):
    with open("log", "a") as log:
        log.write(context.params["text"])
    context.product.write_text(context.params["text"])

CacheDir("cache")
env = Environment(tools=[pypack.generate])
node = env.PyStep(Step(product="made", action="test", version=1, run=run, params={"text": ARGUMENTS["text"]}))
if "always" in ARGUMENTS:
    AlwaysBuild(node)
Default(node)
"""


@pytest.fixture
def writes(tmp_path):
    """Build a step that writes ``text`` and logs that it ran: ``writes("a")`` returns the product and the log."""
    (tmp_path / "SConstruct").write_text(WRITES)
    env = {**os.environ, "PYTHONPATH": str(HERE / "site_scons"), "PYPACK_CACHE_DIR": str(tmp_path / "unused")}

    def call(text, *words):
        done = run([sys.executable, "-m", "SCons", "-Q", f"text={text}", *words], cwd=tmp_path, env=env)
        assert done.code == 0, done.text
        return (tmp_path / ".pypack/made").read_text(), (tmp_path / "log").read_text()

    return call


def test_a_node_that_scons_makes_anew_is_not_lost(writes):
    for _ in range(3):
        assert writes("a", "always=1") == ("a", "a")


def test_a_build_that_was_killed_leaves_nothing_that_passes_for_another_s(writes, tmp_path):
    """SCons writes down what it made when it ends: a killed one's products stand under the old names."""
    writes("a")
    signatures = (tmp_path / ".sconsign.dblite").read_bytes()
    writes("b")
    (tmp_path / ".sconsign.dblite").write_bytes(signatures)  # as if that build had been killed
    assert writes("a") == ("a", "ab"), "it comes from the step cache, and is not what the other left"
    (tmp_path / ".sconsign.dblite").unlink()
    assert writes("a", "--cache-disable") == ("a", "ab"), "what is there need not be made again"


def test_a_cache_dir_for_all_environments_is_the_step_cache(writes, tmp_path):
    writes("a")
    shutil.rmtree(tmp_path / ".pypack")
    assert writes("a") == ("a", "a")
    assert (tmp_path / "cache/ac").is_dir()
    assert not (tmp_path / "unused").exists()
