"""C extensions that are compiled from source for another processor and C library, and do their work there."""

from __future__ import annotations

import json
import re

import pytest

from pypack.bundle import verify
from tests.support.foreign import planned_products, runner_for

TARGETS = ("linux-gnu-aarch64", "linux-musl-aarch64")
SETUP = """
from setuptools import Extension, setup
setup(name="packer", version="2", ext_modules=[Extension("packer", ["packer.c"], libraries=["z"])])
"""
PACKER = """
#include <Python.h>
#include <zlib.h>
static PyObject *ratio(PyObject *self, PyObject *none) {
    static const unsigned char plain[4096];
    unsigned char packed[4096];
    uLongf size = sizeof packed;
    (void)self;
    (void)none;
    if (compress(packed, &size, plain, sizeof plain) != Z_OK) return NULL;
    return PyLong_FromLong((long)(sizeof plain / size));
}
static PyMethodDef methods[] = {{"ratio", ratio, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "packer", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_packer(void) { return PyModule_Create(&module); }
"""
PROGRAM = """
import json, platform
import docopt, markupsafe, markupsafe._speedups, packer, simplejson, simplejson._speedups
from simplejson import encoder, scanner
print(json.dumps({
    "machine": platform.machine(),
    "docopt": docopt.docopt("Usage: x NAME", ["Ada"])["NAME"],
    "escaped": str(markupsafe.escape("<b>")), "by": markupsafe._escape_inner.__module__,
    "json": simplejson.dumps(simplejson.loads('{"a": [1.5, null]}')),
    "in C": [encoder.c_make_encoder is not None, scanner.c_make_scanner is not None],
    "packed": packer.ratio(),
    "modules": [each.__file__.rpartition("/")[2] for each in (markupsafe._speedups, simplejson._speedups, packer)],
}))
"""


@pytest.fixture(scope="module")
def built(place):
    """Build for both targets in one call; gives what SCons said."""
    files = {
        "sped.py": PROGRAM, "requirements.txt": "simplejson==3.20.2\nmarkupsafe==3.0.3\ndocopt\n./packer\n",
        "pyproject.toml": '[tool.pypack]\nno-binary = ["simplejson", "markupsafe"]\nexclude = ["packer"]\n',
        "packer/setup.py": SETUP, "packer/packer.c": PACKER,
    }  # fmt: skip
    for name, text in files.items():
        path = place.path / "programs" / "sped" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place.scons("app=programs/sped", f"target={','.join(TARGETS)}", "runtime=source", "profile=dev").out


@pytest.mark.parametrize("target", TARGETS)
def test_extensions_in_c_work_where_they_were_compiled_for(built, place, start, target):
    runner_for(target)
    bundle = place.bundle("sped", target)
    told = json.loads(start(bundle, target).out)
    libc = target.split("-")[1]
    assert told == {
        "machine": "aarch64", "docopt": "Ada", "escaped": "&lt;b&gt;", "by": "markupsafe._speedups",
        "json": '{"a": [1.5, null]}', "in C": [True, True], "packed": told["packed"],
        "modules": [f"{name}.cpython-313-aarch64-linux-{libc}.so" for name in ("_speedups", "_speedups", "packer")],
    }  # fmt: skip
    assert told["packed"] > 100
    assert not verify.read(bundle).manifest["system_libraries"]


def test_what_is_pure_is_built_once_for_both(place, built):
    """The plan tells: where the shared cache has what is made of a wheel, the build itself says nothing of it."""
    products = planned_products(place, "programs/sped", TARGETS, runtime="source")
    wheels = [path for path in products if re.fullmatch(r"built/.*/wheel\.tar", path)]
    assert len([path for path in wheels if path.startswith("built/docopt-")]) == 1
    assert len([path for path in wheels if path.startswith("built/simplejson-")]) == 2
