"""Wheels that carry code for other systems, libraries of each other, plugins: compiled for real, and started."""

from __future__ import annotations

import json
import subprocess
import sysconfig

import pytest

from pypack.bundle import verify
from pypack.steps import zig
from tests.support.wheels import wheel

from .conftest import GNU

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
DEV = ("--profile", "dev", "--runtime", "host", "--target", GNU)
MODULE = """
#include <Python.h>
extern int helped(void);
static PyObject *word(PyObject *self, PyObject *none) { (void)self, (void)none; return PyLong_FromLong(helped()); }
static PyMethodDef methods[] = {{"word", word, METH_NOARGS, ""}, {0}};
static struct PyModuleDef about = {PyModuleDef_HEAD_INIT, "_fast", "", -1, methods, 0, 0, 0, 0};
PyMODINIT_FUNC PyInit__fast(void);
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&about); }
"""
HELPER = "int helped(void); int helped(void) { return 42; }"
PLUGIN = "extern int nowhere(void); int plugged(void); int plugged(void) { return nowhere(); }"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile what the wheels bring: name -> content."""
    room = tmp_path_factory.mktemp("compiled")

    def cc(name, source, *words, target="x86_64-linux-gnu.2.17"):
        (room / "source.c").write_text(source)
        command = [zig.binary(), "cc", "-target", target, "-g0", "-s", "-o", name, "source.c", *words]
        subprocess.run(command, cwd=room, check=True, capture_output=True)
        return (room / name).read_bytes()

    shared, include = ("-shared", "-fPIC"), f"-I{sysconfig.get_path('include')}"
    helper = cc("libhelper.abi3.so.1", HELPER, *shared, "-Wl,-soname,libhelper.abi3.so.1")
    cc("libnowhere.so.9", "int nowhere(void); int nowhere(void) { return 1; }", *shared, "-Wl,-soname,libnowhere.so.9")
    library = ("libhelper.abi3.so.1", "-Wl,-rpath,$ORIGIN/../helper/lib", include)
    arm, foreign = "aarch64-linux-gnu.2.17", {}
    foreign["libhelper.abi3.so.1"] = cc("libhelper.abi3.so.1.arm", HELPER, *shared, target=arm)
    foreign["_fast"] = cc("_fast.arm", MODULE, *shared, include, target=arm)
    program = "int main(void) { return 0; }"
    return {
        "helper": helper,
        "fast": cc("_fast.so", MODULE, *shared, *library),
        "plugin": cc("plugin.so", PLUGIN, *shared, "libnowhere.so.9"),
        "foreign": foreign,
        "arm": cc("program", program, target=arm),
        "exe": cc("program.exe", program, target="x86_64-windows-gnu"),
        "mac": cc("program.mac", program, target="aarch64-macos"),
    }


def app(folder, *wheels):
    folder.mkdir()
    (folder / "main.py").write_text("from odd import _fast\nprint(_fast.word())\n")
    (folder / "pyproject.toml").write_text(f"[tool.pypack]\nwheels = {json.dumps([str(path) for path in wheels])}\n")
    return folder


def odd(folder, compiled, **more):
    data = {"linux-arm64/tool": "arm", "windows/tool.exe": "exe", "mac-arm64/tool": "mac"}
    files = {
        "odd/__init__.py": "",
        f"odd/_fast{SUFFIX}": compiled["fast"],
        "odd/_fast.cp399-win_amd64.pyd": compiled["exe"],
        "odd/plugins/libplugin.so": compiled["plugin"],
        **{f"odd/{path}": compiled[name] for path, name in data.items()},
        **{path.replace("__", "/"): content for path, content in more.items()},
    }
    return wheel(folder, "odd", files, needs=["helper"])


def test_code_for_other_systems_plugins_and_libraries_of_another_wheel(checkout, start, tmp_path, compiled):
    helper = wheel(tmp_path, "helper", {"helper/lib/libhelper.abi3.so.1": compiled["helper"]})
    folder = app(tmp_path / "app", odd(tmp_path, compiled), helper)
    done = checkout.pypack("build", str(folder), *DEV, "-o", "out/app", "--report", "report.json", "--sizes")
    assert "note: programs and libraries for other systems go in as data: odd (4)" in done.text
    assert "it expects" not in done.text
    assert done.text.count("optional parts expect libnowhere.so.9 on the target") == 2  # the summary, the sizes
    assert start(checkout.path / "out/app").text == "42\n"
    told = verify.read(checkout.path / "out/app").manifest
    assert (told["system_libraries"], told["optional_libraries"]) == ([], ["libnowhere.so.9"])
    shown = checkout.pypack("inspect", "out/app").out
    assert "optional   parts that no import loads expect libnowhere.so.9 on the target" in shown
    assert "expects    " not in shown
    (bundle,) = json.loads((checkout.path / "report.json").read_text())["bundles"]
    assert (bundle["expects"], bundle["optional"]) == ([], ["libnowhere.so.9"])


def test_what_an_import_would_load_must_be_for_the_target(checkout, tmp_path, compiled):
    wrong = {f"odd/_fast{SUFFIX}": compiled["foreign"]["_fast"]}
    helper = wheel(tmp_path, "helper", {"helper/lib/libhelper.abi3.so.1": compiled["helper"]})
    folder = app(tmp_path / "app", odd(tmp_path, compiled, **wrong), helper)
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert f"code that {GNU} cannot load:\n  site-packages/odd/_fast{SUFFIX}: it is made for aarch64\n" in done.text
    other = {"helper/lib/libhelper.abi3.so.1": compiled["foreign"]["libhelper.abi3.so.1"]}
    folder = app(tmp_path / "other", odd(tmp_path, compiled), wheel(tmp_path, "helper", other))
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert f"libhelper.abi3.so.1: it is made for aarch64, and _fast{SUFFIX} needs it" in done.text


def test_a_missing_library_of_a_module_is_told(checkout, tmp_path, compiled):
    folder = app(tmp_path / "app", odd(tmp_path, compiled), wheel(tmp_path, "helper", {"helper.py": ""}))
    done = checkout.pypack("build", str(folder), *DEV)
    assert "it expects libhelper.abi3.so.1 on the target" in done.text
