"""Packages of native code for other processors and C libraries: chosen by the target, loaded there."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace

import pytest

from pypack.bundle import verify
from tests.cases.test_no_python import empty, twice
from tests.support.foreign import runner_for

__all__ = ["empty"]  # a fixture


@pytest.mark.parametrize("target", ["linux-musl-x86_64", "linux-musl-aarch64"])
def test_numpy_computes_on_musl(apps, start, target):
    runner_for(target)
    computes(start, apps.bundle("calc", target), target)


def test_numpy_computes_on_glibc_for_arm(apps, start, place):
    target = "linux-gnu-aarch64"
    runner_for(target)
    folder = place.path / "programs" / "solve"
    folder.mkdir(parents=True)
    # numpy's wheels for glibc 2.17 also want the system's libz, which Debian has no cross package of
    (folder / "requirements.txt").write_text("numpy>=2.3\n")
    script = (place.path / "examples" / "calc" / "calc.py").read_text(encoding="utf-8")
    settings = '[tool.pypack]\nfloors = { glibc = "2.28" }\n'
    computes(start, apps.bundle("solve", target, script=script, settings=settings), target)


def computes(start, bundle, target):
    for _ in range(2):  # a cold start and a warm one
        done = start(bundle, target)
        assert "x = 2, y = 3, z = -1" in done.out, done.text
        assert done.code == 0
    told = verify.read(bundle).manifest
    assert not {"libc.so", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"} & set(told["system_libraries"])


@pytest.mark.parametrize("proc", [True, False], ids=["with /proc", "without /proc"])
@pytest.mark.skipif(os.geteuid() != 0, reason="CANNOT RUN: chroot takes root")
def test_native_code_on_musl_needs_nothing_at_all(apps, empty, proc):
    shutil.copy2(apps.bundle("calc", "linux-musl-x86_64"), empty / "calc")
    assert "x = 2, y = 3, z = -1" in twice(empty, "/calc", proc=proc)


def test_a_package_without_a_wheel_is_named_with_what_exists(place):
    folder = place.path / "programs" / "lacking"
    folder.mkdir(parents=True)
    (folder / "lacking.py").write_text("import pywin32_system32\n")
    (folder / "requirements.txt").write_text("pywin32==308\n")
    done = place.scons("app=programs/lacking", "target=macos-aarch64", "profile=dev", ok=False)
    assert done.code == 1
    assert "pywin32" in done.text
    assert "win_amd64" in done.text
    assert "Traceback" not in done.text


def test_a_runtime_for_another_system_is_refused(place, pins):
    archive = next(pins.parent.glob("*aarch64-apple-darwin*"))
    for target in ("macos-x86_64", "windows-aarch64", "linux-gnu-aarch64"):
        words = (f"runtime={archive}", "app=examples/hello", f"target={target}", "profile=dev", "out=refused")
        done = place.scons(*words, ok=False)
        refused(place, done)
        assert f"cannot serve {target}" in done.text


def test_a_pin_that_leads_to_another_system_is_refused(place, pins, tmp_path):
    archive = next(pins.parent.glob("*aarch64-apple-darwin*"))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    wrong = tmp_path / "pins.toml"
    wrong.write_text(
        f'[[pins]]\ntarget = "macos-x86_64"\nversion = "3.13.11"\nurl = "{archive}"\nsha256 = "{digest}"\n'
    )
    other = replace(place, env={**place.env, "PYPACK_PINS": str(wrong)})
    words = ["runtime=pbs", "app=examples/hello", "target=macos-x86_64", "profile=dev", "out=refused"]
    done = other.scons(*words, ok=False)
    refused(place, done)
    assert "this runtime is for another system: its interpreter is macho for aarch64" in done.text


def refused(place, done):
    assert done.code == 2
    assert "Traceback" not in done.text
    assert not (place.path / "refused").exists()  # other tests build hello in this checkout
