"""Bundles for macOS of real parts, read by the launcher's own code on this system."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess

import lief
import pytest

from tests.support import macos, windows_arm
from tests.support.foreign import TABLE
from tests.support.launchers import environment, macos_reader


@pytest.fixture(scope="module", params=macos.TARGETS)
def hello(request, apps):
    """A bundle and the name of its target."""
    return apps.bundle("hello", request.param), request.param


@pytest.fixture
def launch(hello, tmp_path):
    """Start the bundle as far as that goes here: what follows PYPACK_SELF and PYPACK_DRYRUN."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: bundles for macOS were NOT read by the launcher's code")
    file, target = hello

    def call(**more: str) -> subprocess.CompletedProcess[str]:
        env = environment(tmp_path / "cache", TEST_BUNDLE=os.fspath(file), TEST_PROCESSOR=TABLE[target].arch, **more)
        return subprocess.run([macos_reader(), "Ada"], env=env, capture_output=True, text=True, check=False)

    return call


def test_every_hash_is_right_and_everything_unpacks(launch, tmp_path):
    done = launch(PYPACK_SELF="extract")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'cache'}\n", "")
    verified = launch(PYPACK_SELF="verify")
    assert verified.stdout.count("sound in the bundle and in the cache") == 2
    (python,) = tmp_path.glob("cache/layers/*/bin/python3.13")
    (link,) = tmp_path.glob("cache/apps/*/bin/hello")
    assert link.resolve() == python
    assert [path.name for path in tmp_path.glob("cache/layers/*/lib/libpython*")] == [macos.LIBPYTHON]


def test_what_is_unpacked_finds_its_library(launch, hello, tmp_path):
    launch(PYPACK_SELF="extract")
    (python,) = tmp_path.glob("cache/layers/*/bin/python3.13")
    file = lief.MachO.parse(os.fspath(python))
    assert file
    program = file.at(0)
    assert f"@rpath/{macos.LIBPYTHON}" in [library.name for library in program.libraries]
    assert [path.path for path in program.rpaths] == ["@executable_path/../lib"]


def test_the_plan(launch):
    done = launch(PYPACK_DRYRUN="1")
    assert done.returncode == 0
    assert re.search(r"\nexec +\S+/apps/[0-9a-f]{32}/bin/hello -I -S -B \S+/boot\.pyc ", done.stdout), done.stdout


def test_info(launch, hello):
    told = launch(PYPACK_SELF="info").stdout
    assert f"target   {hello[1]}\n" in told
    assert "start    not prepared" in told


def test_archives_are_the_same_each_time(pins, tmp_path):
    made = [macos.archive("macos-x86_64", tmp_path), windows_arm.archive(tmp_path)]
    for file in made:
        assert filecmp.cmp(file, pins.parent / file.name, shallow=False), file.name
