"""Bundles for macOS of real parts, read by the launcher's own code on this system."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess

import lief
import pytest
from macholib.MachO import MachO

from pypack.bundle import verify
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


def test_two_foreign_parsers_read_the_bundle(hello):
    """The finished file: segments, load commands and the end as lief and macholib see them."""
    whole = lief.MachO.parse(os.fspath(hello[0]))
    assert whole
    program = whole.at(0)
    assert lief.MachO.check_layout(program) == (True, "")
    assert [segment.name for segment in program.segments][-2:] == ["__PYPACK", "__LINKEDIT"]
    signature = program.code_signature
    assert signature.data_offset + signature.data_size == hello[0].stat().st_size
    assert program.build_version.minos == [11, 0, 0]
    payload = program.get_section("__PYPACK", "__payload")
    found = verify.read(hello[0])
    assert (payload.offset, payload.size) == (found.start, found.size)
    (header,) = MachO(os.fspath(hello[0])).headers
    assert {name for _, _, name in header.walkRelocatables()} == {"/usr/lib/libSystem.B.dylib"}


def test_two_foreign_parsers_find_no_name_of_another_machine(launch, tmp_path):
    """Every library and module of the runtime layer, as it lies in the cache."""
    launch(PYPACK_SELF="extract")
    seen = 0
    for file in sorted(tmp_path.glob("cache/layers/*/lib/**/*")):
        if file.is_symlink() or file.suffix not in {".dylib", ".so"}:
            continue
        whole = lief.MachO.parse(os.fspath(file))
        assert whole
        told = {library.name for number in range(whole.size) for library in whole.at(number).libraries}
        headers = MachO(os.fspath(file)).headers
        assert {name for header in headers for _, _, name in header.walkRelocatables()} <= told
        odd = [name for name in told if not name.startswith(("@rpath/", "@loader_path/", "/usr/lib/", "/System/"))]
        assert odd == [], file.name
        seen += 1
    assert seen > 50


def test_the_plan(launch):
    done = launch(PYPACK_DRYRUN="1")
    assert done.returncode == 0
    assert re.search(r"\nexec +\S+/apps/[0-9a-f]{32}/bin/hello \S+/(app/\S+\.py|run\.pyc) ", done.stdout), done.stdout


def test_info(launch, hello):
    told = launch(PYPACK_SELF="info").stdout
    assert f"target   {hello[1]}\n" in told
    assert "start    not prepared" in told


def test_archives_are_the_same_each_time(pins, tmp_path):
    made = [macos.archive("macos-x86_64", tmp_path), windows_arm.archive(tmp_path)]
    for file in made:
        assert filecmp.cmp(file, pins.parent / file.name, shallow=False), file.name
