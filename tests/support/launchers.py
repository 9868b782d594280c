"""Build the launcher by its real steps, once for all tests, and a static C program that stands in for Python."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pypack.base import folders, targets
from pypack.launcher import stub
from pypack.steps import zig
from pypack.steps.step import Context, Settings, Step
from tests.support.bundles import File, Recipe

MUSL = "linux-musl-x86_64"
STAND_IN = Path(__file__).with_name("stand_in.c")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DMEMORY_ARENA=0")


def run_step(step: Step, build: Path) -> Path:
    """Make a step's product, after its inputs, and return it; what is there already is taken as it is."""
    product = build / step.product
    if product.exists():
        return product
    inputs = tuple(run_step(each, build) if isinstance(each, Step) else each for each in step.inputs)
    product.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings(say=lambda _: None)
    step.run(Context(product=product, inputs=inputs, params=step.params, unhashed=step.unhashed, settings=settings))
    return product


@functools.cache
def build_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pypack-stub-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def launcher(target: str = MUSL, launch: str = "") -> bytes:
    return run_step(stub.steps(targets.load()[target], launch=launch), build_folder()).read_bytes()


@functools.cache
def zstd_folder() -> Path:
    from pypack.formats import image

    objects = stub.steps(targets.load()[MUSL]).inputs[0]
    assert isinstance(objects, Step)
    step = objects.inputs[0]
    assert isinstance(step, Step)
    folder = build_folder() / "zstd"
    if not folder.exists():
        image.unpack(run_step(step, build_folder()), folder)
    return folder


@functools.cache
def stand_in() -> bytes:
    """The program that tells what it was started with; real Pythons are started by the other cases."""
    product = build_folder() / "stand-in"
    compile_c(["-O1", "-s", STAND_IN], product)
    return product.read_bytes()


def compile_c(words: list[str | Path], product: Path) -> None:
    """Make a static program for this processor with the product's own compiler."""
    settings = Settings(say=lambda _: None)
    context = Context(product=product, inputs=(), params={}, settings=settings)
    with zig.workshop("x86_64-linux-musl") as tool:
        tool.cc(context, ["-static", *words, "-o", product])


@functools.cache
def sanitized() -> Path:
    """The same launcher by gcc with the address and undefined behaviour sanitizers."""
    return by_gcc("stub-sanitized", *SANITIZED)


@functools.cache
def by_gcc(name: str, *flags: str | Path) -> Path:
    """The same launcher by gcc, for the C library of this machine."""
    product, zstd = build_folder() / name, build_folder() / "zstd-gcc.o"
    if not zstd.exists():
        subprocess.run(["gcc", "-O1", "-w", "-c", zstd_folder() / "zstd.c", "-o", zstd], check=True)
    sources = [each for each in stub.c_files(targets.load()[MUSL]) if each.suffix == ".c" and each.parent.name != "zig"]
    include = (f"-I{folders.data('stubs')}", "-isystem", zstd_folder())
    words = ["gcc", *stub.STANDARD, "-g", "-O1", *flags, *include, *sources, zstd, "-lpthread"]
    subprocess.run([*words, "-o", product], check=True)
    return product


@functools.cache
def macos_reader() -> Path:
    """The launcher for this system that reads the macOS bundle ``$TEST_BUNDLE``, of ``$TEST_PROCESSOR``; sanitized."""
    stubs = folders.data("stubs")
    wrap = ("-Wl,--wrap=system_self", "-Wl,--wrap=system_payload", "-Wl,--wrap=system_version",
            "-Wl,--wrap=system_copies_launcher")  # fmt: skip
    sources = (STAND_IN.with_name("foreign_bundle.c"), stubs / "os/macos/macho.c")
    return by_gcc("stub-macos-reader", *SANITIZED, *wrap, *sources)


def recipe(**changes) -> Recipe:
    """A small program whose runtime is the stand-in."""
    python = stand_in()
    values = {
        "runtime": [
            File(path="bin/python3", link="python3.13"),
            File(path="bin/python3.13", data=python, executable=True),
            File(path="lib/" + "long" * 40 + "/module.py", data=b"x = 1\n"),
            File(path="lib/empty.py"),
            File(path="lib/folder", folder=True),
        ],
        "deps": [File(path="site-packages/package/__init__.py", data=b"y = 2\n" * 100)],
        "app": [
            File(path="boot.pyc", data=b"boot"),
            File(path="app/tool.sh", data=b"#!/bin/sh\n", executable=True),
            File(path="app/link", link="tool.sh"),
            File(path="app/folder", folder=True),
        ],
        "paths": ("3:app", "2:site-packages"),
        "sentinels": (f"1:{len(python)}:bin/python3.13", "3:4:boot.pyc"),
        "site": "lib/python3.13/site-packages",
    }
    return Recipe(**{**values, **changes})


def environment(cache: Path | str | None, **more: str) -> dict[str, str]:
    """A small environment without any other place for a cache; ``cache`` None leaves PYPACK_CACHE_DIR out."""
    named = {} if cache is None else {"PYPACK_CACHE_DIR": os.fspath(cache)}
    return {"PATH": os.environ["PATH"], "HOME": "/nowhere", "TMPDIR": "/proc", **named, **more}
