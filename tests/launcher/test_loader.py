"""Programs that are linked with musl's shared library, started by the bundled loader on whatever system this is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pypack.base import targets
from pypack.cli import runner
from pypack.formats.image import read_image
from pypack.steps import zig
from pypack.steps.step import Context, Settings
from tests.support.bundles import File, bundle, write
from tests.support.launchers import STAND_IN, environment, launcher, recipe
from tests.support.steps import made

TARGETS = ("linux-musl-x86_64", "linux-musl-aarch64")
HELPER = "int helped(void);\nint helped(void) { return 41; }\n"
MODULE = "int helped(void);\nint answer(void);\nint answer(void) { return helped() + 1; }\n"


@pytest.fixture(scope="module", params=TARGETS)
def target(request) -> str:
    runner_for(request.param)
    return request.param


def runner_for(target: str) -> runner.Runner:
    found = runner.find(targets.load()[target])
    if isinstance(found, runner.Missing):
        pytest.skip(f"programs for {target} were NOT started: {found.why} -> {found.hint}")
    return found


@pytest.fixture(scope="module")
def loader(tmp_path_factory, target) -> bytes:
    """musl's own, by the product's recipe."""
    product = made(f"sources.loader_step(targets.load()['{target}'])", tmp_path_factory.mktemp("loader"))
    for member, stream in read_image(product):
        if member.path.startswith("lib/ld-musl-") and stream is not None:
            return stream.read()
    raise AssertionError("the image of the loader holds none")


@pytest.fixture(scope="module")
def programs(target) -> dict[str, bytes]:
    """A program, a library that it needs and a module that it loads, all dynamic."""
    context = Context(product=STAND_IN, inputs=(), params={}, settings=Settings(say=lambda _: None))
    with zig.workshop(target.removeprefix("linux-musl-") + "-linux-musl") as tool:
        (tool.work / "helper.c").write_text(HELPER)
        (tool.work / "module.c").write_text(MODULE)
        tool.cc(context, ["-shared", "-fPIC", "-Wl,-soname,libhelper.so", "helper.c", "-o", "libhelper.so"])
        tool.cc(context, ["-shared", "-fPIC", "module.c", "libhelper.so", "-o", "module.so"])
        tool.cc(context, ["-dynamic", STAND_IN.with_name("dynamic.c"), "libhelper.so", "-o", "python"])
        return {name: (tool.work / name).read_bytes() for name in ("python", "libhelper.so", "module.so")}


@pytest.fixture(scope="module")
def content(target, loader, programs) -> bytes:
    return bundle(launcher(target), dynamic(target, loader, programs))


def dynamic(target: str, loader: bytes, programs: dict[str, bytes], **changes):
    place = f"lib/ld-musl-{target.rpartition('-')[2]}.so.1"
    runtime = [
        File(path="bin/python3", data=programs["python"], executable=True),
        File(path=place, data=loader, executable=True),
        File(path="lib/libhelper.so", data=programs["libhelper.so"], executable=True),
        File(path="lib/module.so", data=programs["module.so"], executable=True),
    ]
    keys = ("version=1.0", f"target={target}", "launch=exec", f"loader={place}")
    return recipe(runtime=runtime, options=(), sentinels=(), extra=keys, **changes)


@pytest.fixture
def program(tmp_path, content) -> Path:
    return write(tmp_path / "hello", content)


def start(target: str, program: Path, cache: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    found = runner_for(target)
    env = {**environment(cache, **more), **found.environment}
    return subprocess.run(
        [*found.command_prefix, program, *words], env=env, capture_output=True, text=True, check=False
    )


def test_starts_with_its_libraries_and_loads_modules(target, program, cache):
    module = "module=module.so"
    for _ in ("cold", "warm"):
        done = start(target, program, cache, module)
        (app,) = cache.glob("apps/*")
        assert (done.returncode, done.stderr) == (7, "")
        first, second, third = done.stdout.splitlines()
        assert first == f"started {app}/bin/hello words 7"
        assert second.startswith("preload none helped 41 name ")
        assert third == "module loaded"


def test_name_of_the_process(target, program, cache):
    if runner_for(target).command_prefix:
        pytest.skip("under an emulator the process bears the emulator's name")
    assert start(target, program, cache).stdout.splitlines()[1].endswith("name hello")


def test_children_go_through_the_loader_again(target, program, cache):
    done = start(target, program, cache, "depth=2")
    (app,) = cache.glob("apps/*")
    assert (done.returncode, done.stderr) == (7, "")
    names = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("started")]
    assert names == [f"{app}/bin/hello"] * 3
    assert done.stdout.count("helped 41") == 3


def test_what_the_host_preloads_is_left_to_the_host(target, program, cache):
    if runner_for(target).command_prefix:
        pytest.skip("the variable would hit the emulator")
    libraries = ("/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/nowhere/none.so")
    library = next((each for each in libraries if Path(each).exists()), libraries[-1])
    done = start(target, program, cache, "depth=1", LD_PRELOAD=library, LD_LIBRARY_PATH="/lib64")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.count(f"preload {library} ") == 2


def test_name_that_ends_like_ldd(tmp_path, target, loader, programs, cache):
    """musl's loader would list libraries instead."""
    named = write(tmp_path / "x", bundle(launcher(target), dynamic(target, loader, programs, name="myldd")))
    done = start(target, named, cache)
    assert done.returncode == 7, done.stdout
    assert done.stdout.splitlines()[0].endswith("/bin/myldd words 6")


def test_without_proc(tmp_path, target, program, cache):
    """Neither the launcher nor the loader needs /proc."""
    if runner_for(target).command_prefix or not shutil.which("unshare"):
        pytest.skip("no way to take /proc away here: NOT tried without it")
    script = f"mount -t tmpfs none /proc && exec '{program}' depth=1"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], env=environment(cache), capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"/proc cannot be taken away here, NOT tried without it: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.count("helped 41") == 2
