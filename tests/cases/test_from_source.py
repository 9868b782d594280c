"""Packages that are built: sdists of the index, and local projects, pure and in C, for this machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from pypack.base import folders, targets
from pypack.deps.build import source, steps
from pypack.deps.build.builder import Builder
from pypack.runtimes.base import Request
from pypack.runtimes.host import HostProvider
from pypack.steps.cache import LocalStepCache
from pypack.steps.producer import Producer
from pypack.steps.step import Context, Settings
from tests.cases.conftest import GNU, Checkout, copy_tree, run

PROJECTS = Path(__file__).parents[1] / "projects"
DEV = ("--profile", "dev", "--runtime", "host")

SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=68"]\nbuild-backend = "setuptools.build_meta"\n'
PLAIN = f'{SETUPTOOLS}[project]\nname = "plain"\nversion = "1.5"\n'
SETUP = """
from setuptools import Extension, setup
setup(name="adder", version="0.3", ext_modules=[Extension("adder", ["adder.c"])])
"""
ADDER = """
#include <Python.h>
static PyObject *add(PyObject *self, PyObject *args) {
    long a, b;
    (void)self;
    if (!PyArg_ParseTuple(args, "ll", &a, &b)) return NULL;
    return PyLong_FromLong(a + b);
}
static PyObject *file(PyObject *self, PyObject *none) { (void)self; (void)none; return PyUnicode_FromString(__FILE__); }
static PyMethodDef methods[] = {{"add", add, METH_VARARGS, ""}, {"file", file, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "adder", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_adder(void) { return PyModule_Create(&module); }
"""
PROGRAM = """
import json
from importlib import metadata
import adder, docopt, plain
record = json.loads(metadata.distribution("adder").read_text("pypack-build.json"))
print(json.dumps({
    "docopt": docopt.docopt("Usage: x NAME", ["Ada"]), "plain": plain.said(), "sum": adder.add(40, 2),
    "file": adder.file(), "module": adder.__file__, "record": record,
    "versions": [metadata.version(name) for name in ("docopt", "plain", "adder")],
}))
"""
REQUIREMENTS = "docopt\n./plain\n-e ./adder\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Checkout:
    """A checkout with a program that takes an sdist of the index, a local project, and one in C."""
    checkout = Checkout(path=copy_tree(tmp_path_factory.mktemp("from-source") / "checkout"))
    files = {
        "prog.py": PROGRAM, "requirements.txt": REQUIREMENTS, "plain/pyproject.toml": PLAIN,
        "plain/plain/__init__.py": 'def said():\n    return "plain"\n', "adder/setup.py": SETUP, "adder/adder.c": ADDER,
        "pyproject.toml": '[tool.pypack]\nexclude = ["plain", "adder"]\n',
    }  # fmt: skip
    for name, text in files.items():
        path = checkout.path / "prog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return checkout


def build(place, **more):
    return place.scons("app=prog", "runtime=host", "profile=dev", **more)


def made(done, action) -> list[str]:
    return [line.split()[1] for line in done.out.splitlines() if line.startswith(f"{action} ")]


@pytest.fixture(scope="module")
def built(place):
    return build(place)


def test_all_of_them_work(place, built, start):
    told = json.loads(start(place.bundle("prog")).out)
    assert (told["docopt"], told["plain"], told["sum"]) == ({"NAME": "Ada"}, "plain", 42)
    assert told["versions"] == ["0.6.2", "1.5", "0.3"]
    assert told["module"].endswith(f".cpython-{sys.version_info.major}{sys.version_info.minor}-x86_64-linux-gnu.so")
    assert told["file"] == "adder.c"
    assert {*told["record"]} == {"requires", "source", "zig"}
    assert "setuptools" in told["record"]["requires"]


def test_the_lock_names_no_folder_of_this_machine(place, built):
    text = (place.path / ".pypack" / "apps" / "prog" / GNU / "pylock.toml").read_text()
    assert str(place.path) not in text
    assert 'directory = { path = "plain" }' in text
    assert "native = false" in text


def test_only_what_changed_is_built_again(place, built, start):
    assert "is up to date" in build(place).out
    path = place.path / "prog" / "plain" / "plain" / "__init__.py"
    path.write_text(f'def said():\n    return "{os.urandom(8).hex()}"\n')  # what no cache can hold yet
    done = build(place)
    for action in ("gather", "build", "wheel"):
        assert [name.split("/")[2].split("-")[0] for name in made(done, action)] == ["plain"]
    assert json.loads(start(place.bundle("prog")).out)["plain"] in path.read_text()


def test_native_code_is_the_same_from_another_folder(place, built, tmp_path, monkeypatch):
    other, target = tmp_path / "elsewhere", targets.load()[GNU]
    (other / "adder").mkdir(parents=True)
    for name in ("setup.py", "adder.c"):
        (other / "adder" / name).write_bytes((place.path / "prog" / "adder" / name).read_bytes())
    runtime = HostProvider().runtime(Request(target=target))
    row = {"name": "adder", "directory": {"path": "adder"}}
    found = source.of_package(row, other, None)
    folder = place.path / "prog"
    step = steps.wheel_step(found, Builder(target=target, runtime=runtime, folder=folder), target, runtime)
    products = place.path / ".pypack"
    producer = Producer(products, LocalStepCache(folders.build_cache()))
    for each in (*step.inputs, step):  # where the cache has the wheel, the build needed none of its inputs
        producer.produce(each, Settings(say=lambda _: None), on_cache_hit=lambda _: None)
    inputs = [producer.path(each) for each in step.inputs]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    again = tmp_path / "wheel.tar"
    step.run(
        Context(product=again, inputs=tuple(inputs), params=step.params, unhashed=step.unhashed, settings=Settings())
    )
    assert again.read_bytes() == (products / step.product).read_bytes()
    assert str(tmp_path).encode() not in again.read_bytes()


def test_a_compiler_that_fails_is_one_error(place, built):
    file = place.path / "prog" / "adder" / "adder.c"
    before = file.read_text()
    file.write_text("int broken(")
    done = build(place, ok=False)
    file.write_text(before)
    assert done.code == 2
    for each in (
        "adder cannot be built: build_wheel of its backend",
        "error: expected parameter",
        "-> read what its backend says above",
    ):
        assert each in done.text, done.text


def test_packages_that_rust_cmake_and_meson_build(checkout, tmp_path):
    """Each is built for this machine itself, by its own tool; CMake, Meson and maturin come from the index."""
    top = tmp_path / "toolchains"
    shutil.copytree(PROJECTS / "toolchains", top)
    checkout.pypack("build", str(top / "app"), "--name", "toolchains", *DEV)
    assert run([checkout.bundle("toolchains")]).out == "42 42\nby Rust\n"
    assert {path.name for path in (top / "by_rust").iterdir()} == {"Cargo.toml", "pyproject.toml", "src"}
