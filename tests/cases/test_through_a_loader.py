"""A real CPython that a loader of the bundle's own starts: what it says of itself, and its children.

The loader is glibc's here, which takes the same words as musl's; the Python is this machine's own, made relocatable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pypack.formats.image import read_image
from tests.support.bundles import File, Recipe, bundle, write
from tests.support.launchers import environment, launcher
from tests.support.steps import made

from .conftest import GNU

SYSTEM_LOADER = Path("/lib64/ld-linux-x86-64.so.2")
LOADER = "lib/loader.so"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
HOST = f"HostProvider().runtime(Request(target=targets.load()['{GNU}'])).image"
PROGRAM = """
import json, multiprocessing, os, pathlib, subprocess, sys

CHILD = "import json, sys; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix, sys.argv, sys.path]))"


def double(number):
    return number * 2, sys.executable


def main():
    told = {
        "executable": sys.executable, "prefix": sys.prefix, "argv": sys.argv, "preload": os.environ.get("LD_PRELOAD"),
        "name": pathlib.Path("/proc/self/comm").read_text().strip(), "flags": [sys.flags.isolated, sys.flags.no_site],
        "variables": sorted(os.environ),
    }
    child = subprocess.run([sys.executable, "-c", CHILD, "x"], capture_output=True, check=True)
    told["child"] = json.loads(child.stdout)
    module = subprocess.run([sys.executable, "-m", "helper", "y z"], capture_output=True, text=True, check=True)
    told["module"] = module.stdout
    told["code"] = subprocess.run([sys.executable, "-c", "raise SystemExit(43)"]).returncode
    told["started"] = {}
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            told["started"][method] = pool.map(double, [1, 2])
    print(json.dumps(told))


if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> bytes:
    if not SYSTEM_LOADER.exists() or not hasattr(os, "fork"):
        pytest.skip("no glibc for x86_64 here: a real CPython was NOT started through a loader")
    runtime = [File(path=LOADER, data=SYSTEM_LOADER.read_bytes(), executable=True)]
    for member, stream in read_image(made(HOST, tmp_path_factory.mktemp("host"))):
        data = stream.read() if stream else b""
        folder = member.kind == "dir"
        runtime.append(File(path=member.path, data=data, executable=member.executable, link=member.link, folder=folder))
    app = [
        File(path="app/main.py", data=PROGRAM.encode()),
        File(path="app/helper.py", data=b"import sys\nprint(sys.argv[1:], sys.path[-1].endswith('/app'))\n"),
    ]
    return bundle(
        launcher(),
        Recipe(
            runtime=sorted(runtime, key=lambda file: file.path), app=app, name="hello", python=f"bin/python{MINOR}",
            boot="none/encodings.py", options=(), site=f"lib/python{MINOR}/site-packages", paths=("3:app",),
            extra=("version=1.0", f"target={GNU}", "launch=exec", f"loader={LOADER}"),
        ),
    )  # fmt: skip


@pytest.fixture
def told(program, tmp_path):
    """What the program says of itself."""
    hello = write(tmp_path / "hello", program)
    env = environment(tmp_path / "cache", UMLAUT="ä", LD_PRELOAD="/nowhere/x.so")
    done = subprocess.run([hello, "one"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "env": sorted(env), "cache": tmp_path / "cache"}


def test_what_it_says_of_itself_and_its_children(told):
    (app,), (layer,) = told["cache"].glob("apps/*"), [p.parent for p in told["cache"].glob("layers/*/bin")]
    shim, home = f"{app}/bin/hello", str(layer)
    assert (told["executable"], told["prefix"], told["name"]) == (shim, str(app), "hello")
    assert told["flags"] == [0, 0]
    assert told["argv"][-1] == "one"
    assert told["preload"] == "/nowhere/x.so"
    assert set(told["variables"]) - {"LC_CTYPE", "PYTHONPATH"} == set(told["env"])
    executable, prefix, base, argv, path = told["child"]
    assert (executable, prefix, base, argv) == (shim, str(app), home, ["-c", "x"])
    assert [entry for entry in path if entry.endswith("/app")]
    assert told["module"] == "['y z'] True\n"
    assert told["code"] == 43
    for method, answers in told["started"].items():
        assert answers == [[2, shim], [4, shim]], method


def test_a_virtual_environment_of_the_shim_s_own_name(program, tmp_path, told):
    """A link elsewhere, with a pyvenv.cfg of its own beside it, is a virtual environment of that place."""
    (shim,) = told["cache"].glob("apps/*/bin/hello")
    place = tmp_path / "venv"
    (place / "bin").mkdir(parents=True)
    (place / "bin/python").symlink_to(shim)
    (place / "pyvenv.cfg").write_text((shim.parent.parent / "pyvenv.cfg").read_text())
    words = [place / "bin/python", "-c", "import sys; print(sys.prefix)"]
    done = subprocess.run(words, env=environment(told["cache"]), capture_output=True, text=True, check=True)
    assert done.stdout == f"{place}\n"
