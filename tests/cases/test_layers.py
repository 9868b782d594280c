"""Packages of real builds: a layer joined of parts, what of it is made again, what a program and its children see."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wheels import entry_points, wheel

from .conftest import GNU, HERE, Checkout, copy_tree

ONCE = int.from_bytes(os.urandom(4), "big")
OLD, NEW = f"1.{ONCE}", f"2.{ONCE}"
"""Versions that no cache has seen yet."""
STEP = re.compile(r"^(\w+) +((?:build|dist)/\S+|\S+)$", re.M)
PKGUTIL = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
RUNS = {"runs.pth": "import ran\n", "ran.py": ""}
LOOK = """\
import importlib.metadata as metadata, importlib.util, sys
import inner, nspace.one, nspace.two, pkgutil_style.one, pkgutil_style.two
print(inner.__file__.replace("\\\\", "/").split("/site-packages/")[1])
print(nspace.one.x, nspace.two.x, pkgutil_style.one.x, pkgutil_style.two.x)
print(*sorted(each.load()() for each in metadata.entry_points(group="demo.plugins")))
print("ran" in sys.modules, "_distutils_hack" in sys.modules, "sphinxcontrib" in sys.modules)
found = importlib.util.find_spec("sphinxcontrib.jsmath")
print(found is not None, len(sys.path) == len(set(sys.path)), len(metadata.files("one")) > 4)
"""
APP = f"""\
import subprocess, sys
LOOK = {LOOK!r}
print("site" in sys.modules)
exec(LOOK)
sys.stdout.flush()
subprocess.run([sys.executable, "-c", LOOK], check=True)
"""
SEEN = """\
hidden/inner.py
a b A B
one two
True True True
True True True
"""
OPTIMIZED = """\
import json, multiprocessing, subprocess, sys, one
CHILD = "import sys, json, one, pkgutil_style.one; print(sys.flags.optimize, __debug__)"
def level(queue):
    queue.put((sys.flags.optimize, __debug__))
def documented():
    "text"
    assert not sys.argv
if __name__ == "__main__":
    documented()
    print(sys.flags.optimize, __debug__, documented.__doc__, one.__doc__, json.__doc__)
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=level, args=(queue,))
        child.start()
        print(*queue.get())
        child.join()
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    subprocess.run([sys.executable, "-OO", "-c", CHILD], check=True)
    print(json.__cached__[-10:], one.__cached__[-10:])
"""


def package(folder, name, *, version=OLD, more=None):
    """Write a wheel that shares namespaces with others and brings a plugin."""
    letter = {"one": "a", "two": "b"}[name]
    files = {
        f"nspace/{name}.py": f"x = {letter!r}\n",
        "pkgutil_style/__init__.py": PKGUTIL,
        f"pkgutil_style/{name}.py": f"x = {letter.upper()!r}\ndef plugin():\n    return {name!r}\n",
        f"{name}/__init__.py": '"""documented"""\n',
        f"{name}/tests/test_it.py": "assert False\n",
        **(more or {}),
    }
    points = entry_points(name, f"[demo.plugins]\n{name} = pkgutil_style.{name}:plugin\n", version=version)
    return wheel(folder, name, files, version=version, extra=points)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Checkout:
    """One checkout for all; ``apps/look`` is a program with four packages, two of them real ones."""
    checkout = Checkout(path=copy_tree(tmp_path_factory.mktemp("layers") / "checkout"))
    app = checkout.path / "apps/look"
    (app / "wheels").mkdir(parents=True)
    package(app / "wheels", "one", more={"paths.pth": "# folders\nhidden\nnowhere\n", "hidden/inner.py": ""})
    package(app / "wheels", "two", more=RUNS)
    (app / "look.py").write_text(APP)
    (app / "requirements.txt").write_text(
        f"./wheels/one-{OLD}-py3-none-any.whl\n./wheels/two-{OLD}-py3-none-any.whl\nsetuptools==80.9.0\n"
        "sphinxcontrib-jsmath==1.0.1\n"
    )
    (app / "pyproject.toml").write_text("[tool.pypack]\nexclude = ['wheels']\n")
    return checkout


def build(place, app, *words):
    """Build a program and return which products were made."""
    done = place.scons("-Q", f"app=apps/{app}", "runtime=host", "profile=dev", *words)
    return [(action, product.rpartition("/")[2]) for action, product in STEP.findall(done.out)], done


def unpacked(done):
    return re.findall(r"unpacking the (\w+) layer", done.err)


def test_pth_files_namespaces_and_plugins_as_an_installed_program_sees_them(place, start):
    _, done = build(place, "look")
    assert "note: a .pth file names nowhere, which no package brings" in done.out
    said = start(place.bundle("look"))
    assert said.out == "True\n" + SEEN * 2, said.err


def test_an_app_s_new_version_unpacks_its_app_layer_only_and_programs_share_the_runtime(place, start):
    build(place, "look")
    first = start(place.bundle("look"), env={"PYPACK_DEBUG": "1"})
    assert unpacked(first) == ["runtime", "deps", "app"], first.err
    script = place.path / "apps/look/look.py"
    script.write_text(f"{script.read_text()}print('new version', {ONCE})\n")
    made, _ = build(place, "look")
    assert sorted(action for action, _ in made) == ["app", "bundle", "check"]
    again = start(place.bundle("look"), env={"PYPACK_DEBUG": "1"})
    assert again.out.endswith(f"new version {ONCE}\n")
    assert unpacked(again) == ["app"]
    place.scons("-Q", "app=examples/hello", "runtime=host", "profile=dev")
    other = start(place.bundle("hello"), env={"PYPACK_DEBUG": "1"})
    assert other.code == 0
    assert unpacked(other) == ["app"]


def test_a_change_of_one_requirement_makes_only_that_package_s_parts_again(place, start):
    build(place, "look")
    app = place.path / "apps/look"
    package(
        app / "wheels",
        "two",
        version=NEW,
        more={"runs.pth": "import ran\n", "ran.py": "", "nspace/two.py": "x = 'b'\n"},
    )
    requirements = app / "requirements.txt"
    before = requirements.read_text()
    requirements.write_text(before.replace(f"two-{OLD}", f"two-{NEW}"))
    made, _ = build(place, "look")
    assert sorted(action for action, _ in made) == [
        "bundle", "check", "contents", "facts", "fetch", "layer", "pack", "resolve", "wheel",
    ]  # fmt: skip
    assert {name.split("-")[0] for action, name in made if action in {"contents", "fetch", "pack", "wheel"}} == {"two"}
    requirements.write_text(before)
    made, _ = build(place, "look")
    assert {action for action, _ in made} <= {"bundle", "fetch"}


def test_the_report_says_of_each_file_who_brought_it_and_why(place):
    words = ("report=told.json", "sizes=yes")
    _, done = build(place, "look", *words)
    text = (place.path / "told.json").read_text()
    (bundle,) = json.loads(text)["bundles"]
    rows = {(row["layer"], row["path"]): row for row in bundle["files"]}
    assert rows["deps", "site-packages/one/__init__.py"]["distribution"] == "one"
    assert rows["deps", "site-packages/one/__init__.py"]["why"] == "requirements.txt > one"
    shared = [row for row in bundle["files"] if row["path"] == "site-packages/pkgutil_style/__init__.py"]
    assert [row["distribution"] for row in shared] == ["one"]
    assert rows["app", "app/look.py"]["why"] == "it is in the program's folder"
    assert rows["app", "launch"]["distribution"] == "bootstrap"
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert rows["runtime", f"lib/python{minor}/os.py"]["distribution"] == "stdlib"
    totals = {row["name"]: row for row in bundle["distributions"]}
    assert totals["setuptools"]["version"] == "80.9.0"
    sums = [row["size"] for row in bundle["files"] if row["distribution"] == "setuptools"]
    assert (totals["setuptools"]["size"], totals["setuptools"]["files"]) == (sum(sums), len(sums))
    inspected = json.loads(place.pypack("inspect", "--json", str(place.bundle("look"))).out)
    assert {row["layer"]: row["packed"] for row in bundle["layers"][1:]} == {
        row["kind"]: row["size"] for row in inspected["layers"]
    }
    assert re.search(r"^ +\d+\.\d\d MB +\d+ files  setuptools 80\.9\.0$", done.out, re.M)
    made, again = build(place, "look", *words)
    assert made == []
    assert "files  setuptools" in again.out
    (place.path / "told.json").unlink()
    (part,) = (place.path / ".pypack/apps/look" / GNU).glob("report-*.json")
    part.unlink()
    build(place, "look", *words)
    assert (place.path / "told.json").read_text() == text
    refused = place.scons("-Q", "app=apps/look", "runtime=host", "report=README.md", ok=False)
    assert "README.md is there already, and is no report" in refused.err


def test_the_files_in_a_bundle_are_shown_compared_and_extracted(place):
    build(place, "look")
    bundle, other = place.bundle("look"), place.path / "other"
    shutil.copy(bundle, other)
    tree = place.pypack("inspect", "--tree", str(bundle)).out
    assert re.search(r"^  deps +\d+\.\d MB packed +\d+\.\d MB unpacked$", tree, re.M)
    assert re.search(r"^ +\d+\.\d MB +\d+ files  setuptools 80\.9\.0$", tree, re.M)
    assert re.search(r"^ +\d+\.\d MB +\d+ files  standard library$", tree, re.M)
    taken = place.pypack("inspect", "--extract", "app/app/look.py", str(bundle)).out
    assert taken == (place.path / "apps/look/look.py").read_text()
    digest = hashlib.sha256(taken.encode()).hexdigest()
    assert f"{digest}  app/app/look.py\n" in place.pypack("inspect", "--files", str(bundle)).out
    missing = place.pypack("inspect", "--extract", "app/app/lok.py", str(bundle), ok=False)
    assert "did you mean app/app/look.py" in missing.err
    assert place.pypack("inspect", "--diff", str(other), str(bundle)).out == "all files are the same\n"
    (place.path / "apps/look/look.py").write_text(taken + "# more\n")
    build(place, "look")
    differs = place.pypack("inspect", "--diff", str(other), str(bundle), ok=False).out
    (place.path / "apps/look/look.py").write_text(taken)
    assert "! app/app/look.py  -7 bytes\n" in differs
    assert "deps/" not in differs


def test_the_files_that_init_adds_build_the_program(place, tmp_path, start):
    (tmp_path / "main.py").write_text("print('made by init')\n")
    place.pypack("init", str(tmp_path), "--nox", "--scons")
    for command in (["nox", "-s", "bundle"], ["SCons", "-Q"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=place.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (built,) = (tmp_path / "dist" / GNU).iterdir()
        assert start(built).out == "made by init\n"
        shutil.rmtree(tmp_path / "dist")


def test_optimized_without_tests_and_without_whole_packages(place, start):
    """Children by multiprocessing inherit the level, as from any Python; what others write never lands in a layer."""
    (place.path / "apps/look/level.py").write_text(OPTIMIZED)
    words = ("name=level", "entry=level.py", "optimize=2", "exclude_tests=yes", "exclude_packages=setuptools,two")
    build(place, "look", *words, "report=level.json")
    (bundle,) = json.loads((place.path / "level.json").read_text())["bundles"]
    assert {row["name"] for row in bundle["distributions"] if row["layer"] == "deps"} == {
        "one",
        "sphinxcontrib-jsmath",
        "pypack's own",
    }
    paths = {row["path"] for row in bundle["files"]}
    assert not [path for path in paths if "/tests/" in path]
    first = start(place.bundle("level"))
    level = "2 False\n"
    assert first.out == f"2 False None None None\n{level * 3}0 True\n{level}.opt-2.pyc .opt-2.pyc\n", first.err
    checked = start(place.bundle("level"), env={"PYPACK_SELF": "info"}).out
    layers = {row["layer"]: row for row in bundle["layers"][1:]}
    folder = re.search(r"^cache +(\S+)", checked, re.M)
    assert folder, checked
    files = [path for path in Path(folder[1], "layers").rglob("*") if path.is_symlink() or path.is_file()]
    assert len(files) == sum(row["files"] for row in layers.values())
    lists = {path.stat().st_size for path in files if path.name == ".pypack-files"}
    assert lists == {row["size"] for row in bundle["files"] if row["distribution"] == "pypack's own"}


def test_a_layer_of_20_000_files_is_made_in_256_mb(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.many", tmp_path, "20000", "release"],
        cwd=HERE, env={"PYTHONPATH": f"{HERE / 'site_scons'}:{HERE}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 256 << 20
