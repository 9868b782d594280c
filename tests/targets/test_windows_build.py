"""The building blocks of Windows programs, for real: python.org's CPython, a module compiled for it, resources.

CPython comes from the pin of runtimes/pins/embed.toml, zig compiles, wine starts what was made. That is x86_64 only: no
CPython for Windows on arm64 can be had here, so for that processor what zig made is read and not started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lief
import pefile
import pytest

from pypack.base import targets
from pypack.bundle import facts, manifest
from pypack.formats import binaries
from pypack.formats.binaries.loading import Expected
from pypack.formats.image import unpack
from pypack.launcher import resources
from pypack.project import program
from pypack.runtimes.base import Request
from pypack.runtimes.embed import MISSING_MODULES, EmbedProvider
from pypack.steps import zig
from pypack.steps.step import Context, Settings
from tests.cases.conftest import run
from tests.support.foreign import runner_for
from tests.unit.launcher.test_windows_resources import bitmap, ico, png

HERE = Path(__file__).parents[2]
TABLE = targets.load()
X86, ARM = TABLE["windows-x86_64"], TABLE["windows-aarch64"]
SETTINGS = Settings(say=lambda _: None)
SCONSTRUCT = """
import pypack
from pypack.base import targets
from pypack.runtimes.base import Request
from pypack.runtimes.embed import EmbedProvider

env = Environment(tools=[pypack.generate])
runtime = EmbedProvider().runtime(Request(target=targets.load()["windows-x86_64"]))
Default([env.PyStep(runtime.image), env.PyStep(runtime.dev)])
"""
MODULE = r"""
#include <Python.h>

static PyObject *add(PyObject *self, PyObject *words)
{
    (void)self;
    int a, b;
    return PyArg_ParseTuple(words, "ii", &a, &b) ? PyLong_FromLong(a + b) : NULL;
}

static PyObject *is_int(PyObject *self, PyObject *value) /* reaches for a variable of the DLL */
{
    (void)self;
    return PyBool_FromLong(Py_TYPE(value) == &PyLong_Type);
}

static PyMethodDef methods[] = {
    {"add", add, METH_VARARGS, NULL}, {"is_int", is_int, METH_O, NULL}, {NULL, NULL, 0, NULL}
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tiny", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_tiny(void)
{
    return PyModule_Create(&module);
}
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    """The runtime and its dev image, in the folders ``python`` and ``dev``."""
    folder = tmp_path_factory.mktemp("windows")
    (folder / "SConstruct").write_text(SCONSTRUCT, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(HERE / "site_scons")}
    words = [sys.executable, "-m", "SCons", "-Q"]
    made = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    found = EmbedProvider().runtime(Request(target=X86))
    assert found.dev is not None
    unpack(folder / ".pypack" / found.image.product, folder / "python")
    unpack(folder / ".pypack" / found.dev.product, folder / "dev")
    return folder


@pytest.fixture(scope="module")
def python(runtime):
    """Run some code by the real python.exe and return what it printed."""
    found = runner_for(X86.name)
    start = [*found.command_prefix, runtime / "python" / "python.exe", "-I", "-S", "-B", "-c"]

    def told(code: str) -> str:
        done = run([*start, code], env={**os.environ, **found.environment}, timeout=300)
        assert done.code == 0, done.text
        return done.out.strip()

    return told


def compiled(runtime: Path, target: targets.Target, *words: str, library: str = "python313.lib") -> Path:
    (runtime / "tiny.c").write_text(MODULE)
    out = runtime / f"{target.arch}-{library.removesuffix('.lib')}" / "tiny.pyd"
    out.parent.mkdir(exist_ok=True)
    command = [zig.binary(), "cc", "-target", target.stub_zig, "-shared", "-s", "-g0", *words]
    command += [f"-I{runtime / 'dev' / 'include'}", runtime / "tiny.c", runtime / "dev" / "libs" / library, "-o", out]
    subprocess.run(command, check=True, cwd=runtime)
    return out


# --- the runtime ------------------------------------------------------------------------------------------------------


def test_it_starts_and_imports_what_needs_dlls(python, runtime):
    code = "import ssl, sqlite3, ctypes, hashlib, lzma, asyncio, decimal, multiprocessing, unicodedata, sys, os"
    told = python(f"{code}; print(sys.version.split()[0], os.path.basename(sys.prefix), len(sys.path))")
    assert told == f"{EmbedProvider().runtime(Request(target=X86)).version} python 4"


def test_sys_path_is_that_of_an_installed_cpython(python):
    told = python("import sys, os; print([os.path.relpath(path, sys.prefix) for path in sys.path])")
    assert told == "['python313.zip', 'DLLs', 'Lib', '.']"


def test_it_lacks_what_it_is_said_to_lack_and_nothing_else(python):
    """Against the names that CPython 3.13 itself lists, but for those of other systems."""
    other = {
        "_curses", "_curses_panel", "_dbm", "_gdbm", "_posixshmem", "_posixsubprocess", "_scproxy", "_suggestions",
        "fcntl", "grp", "posix", "pwd", "readline", "resource", "syslog", "termios",
    }  # fmt: skip
    code = "import sys, importlib.util as u; print(*(n for n in sys.stdlib_module_names if u.find_spec(n) is None))"
    absent = set(python(code).split()) - other
    assert absent <= set(MISSING_MODULES)
    assert {"tkinter", "ensurepip", "venv", "turtle", "idlelib"} <= absent


def test_its_dlls_need_nothing_that_it_does_not_bring(runtime):
    image = next(runtime.glob(".pypack/runtime/windows-x86_64/*/runtime.tar"))
    params = {"sentinels": ["python.exe"], "container": "pe", "arch": "x86_64", "libc": ""}
    found = facts.gather(binaries.look(image), params)
    assert manifest.system_libraries({"runtime": found}) == Expected(needed=(), optional=())
    assert not any(row["foreign"] for row in found["natives"])
    other = binaries.rows(binaries.look(image), binaries.Machine(container="pe", arch=ARM.arch, libc=""))
    assert len([row for row in other if row["foreign"]]) == len(binaries.natives(image, only=["pe"]))


def test_two_parsers_agree_on_what_is_needed(runtime):
    for path in sorted((runtime / "python").rglob("*.pyd")):
        found, other = binaries.read_file(path), lief.PE.parse(str(path))
        assert found is not None
        names = [each.name.lower() for each in [*other.imports, *other.delay_imports]]
        assert list(found.needed) == list(dict.fromkeys(names))
        assert (found.dll, found.signed) == (True, True)


# --- headers and import libraries -------------------------------------------------------------------------------------


def test_a_module_compiled_against_the_dev_image_is_imported(python, runtime):
    module = compiled(runtime, X86)
    told = python(f"import sys; sys.path.append(r'Z:{module.parent}'); import tiny; print(tiny.add(40, 2),"
                  " tiny.is_int(1), tiny.is_int(''))")  # fmt: skip
    assert told == "42 True False"


def test_a_module_of_the_stable_abi_is_imported(python, runtime):
    module = compiled(runtime, X86, "-DPy_LIMITED_API=0x030c0000", library="python3.lib")
    found = binaries.read_file(module)
    assert found is not None
    assert "python3.dll" in found.needed
    assert "python313.dll" not in found.needed
    told = python(f"import sys; sys.path.append(r'Z:{module.parent}'); import tiny; print(tiny.add(40, 2),"
                  " tiny.is_int(1))")  # fmt: skip
    assert told == "42 True"


# --- resources --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stamped(tmp_path_factory) -> dict[str, Path]:
    """A program for each processor, with resources from a project's settings."""
    folder = tmp_path_factory.mktemp("stamped")
    (folder / "main.py").write_text("print(1)\n")
    (folder / "app.ico").write_bytes(ico((16, bitmap(16)), (32, bitmap(32)), (256, png(256))))
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "greet"\nversion = "1.2.3rc4"\ndescription = "Grüßt „alle\\"\\\\ Leute“ 🐍"\n'
        'authors = [{ name = "Müller & Søn" }, { name = "日本" }]\n'
        '[tool.pypack]\nicon = "app.ico"\ncopyright = "© 2026"\n',
        encoding="utf-8",
    )
    app = program.load(folder)
    (folder / "main.c").write_text("int main(void) { return 7; }\n")
    done = {}
    for target in (X86, ARM):
        step = resources.step(app, target)
        assert step is not None
        res = folder / f"{target.arch}.res"
        context = Context(
            product=res, inputs=(folder / "app.ico",), params=step.params, unhashed=step.unhashed, settings=SETTINGS
        )
        step.run(context)
        done[target.arch] = folder / f"{target.arch}.exe"
        command = [zig.binary(), "cc", "-target", target.stub_zig, "-s", "-g0", "main.c", res, "-o", done[target.arch]]
        subprocess.run(command, check=True, cwd=folder)
    assert (folder / "x86_64.res").read_bytes() == (folder / "aarch64.res").read_bytes()
    assert str(folder).encode() not in (folder / "x86_64.res").read_bytes()
    return done


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_resources_are_read_back(stamped, arch):
    file = pefile.PE(str(stamped[arch]))
    kinds = {entry.id: len(entry.directory.entries) for entry in file.DIRECTORY_ENTRY_RESOURCE.entries}
    assert kinds == {3: 3, 14: 1, 16: 1, 24: 1}  # pictures, one icon of them, version, manifest
    fixed = file.VS_FIXEDFILEINFO[0]
    assert (fixed.FileVersionMS, fixed.FileVersionLS, fixed.FileFlags) == (1 << 16 | 2, 3 << 16, 2)
    raw = stamped[arch].read_bytes()
    for text in ("Müller & Søn, 日本", 'Grüßt „alle"\\ Leute“ 🐍', "© 2026", "greet.exe", "1.2.3rc4"):
        assert text.encode("utf-16-le") + b"\0\0" in raw
    assert resources.MANIFEST.encode() in raw
    other = lief.PE.parse(str(stamped[arch])).resources_manager
    assert isinstance(other, lief.PE.ResourcesManager)
    assert (other.has_manifest, other.has_version, len(list(other.icons))) == (True, True, 3)


def test_a_stamped_program_starts(stamped):
    assert runner_for(X86.name).run(stamped["x86_64"]) == 7
