"""Every runtime that is built from source: built for real, looked at, and started, foreign ones under an emulator.

From an empty cache each takes some minutes; they come from the shared build cache after that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pypack.formats import binaries
from pypack.formats.image import read_image
from pypack.runtimes import cpython
from pypack.runtimes.cpython import table

STATIC = [("linux-musl-x86_64", False), ("linux-musl-aarch64", False)]
GNU = [("linux-gnu-x86_64", True), ("linux-gnu-aarch64", True)]
MUSL = [("linux-musl-x86_64", True), ("linux-musl-aarch64", True)]
SHARED = [*GNU, *MUSL]


def name_of(value: object) -> str:
    return f"{value[0]}-{'native' if value[1] else 'usual'}" if isinstance(value, tuple) else ""


def variants(rows: list[tuple[str, bool]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", rows, ids=name_of)


@pytest.fixture
def runtime(built, variant):
    return built(variant[0], native=variant[1])


def natives(runtime):
    target = runtime.target
    machine = binaries.Machine(container=target.container, arch=target.arch, libc=target.libc)
    return binaries.rows(binaries.look(runtime.image), machine)


def foreign(runtime):
    return [row["path"] for row in natives(runtime) if row["foreign"]]


USE = """
import bz2, ctypes, curses, curses.panel, decimal, hashlib, json, lzma, multiprocessing, os, platform, readline, socket
import sqlite3, ssl, sys, sysconfig, zlib
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
curses.setupterm("xterm-256color", 1)
database = sqlite3.connect(":memory:")
text = b"x" * 1000
print(json.dumps({
    "version": platform.python_version(), "machine": os.uname().machine, "prefix": sys.prefix, "exe": sys.executable,
    "sqlite": database.execute("select json_extract('[1,2]', '$[1]'), sqrt(16)").fetchone(),
    "digest": hashlib.sha3_256(text).hexdigest()[:8], "openssl": ssl.OPENSSL_VERSION,
    "colors": curses.tigetnum("colors"),
    "packed": [module.decompress(module.compress(text)) == text for module in (bz2, lzma, zlib)],
    "decimal": [str(decimal.Decimal(1) / 7), decimal.__name__], "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "callback": ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)(41),
    "threads": sys.thread_info.lock, "ca": ssl.get_default_verify_paths().openssl_cafile_env,
}))
"""


@variants([*STATIC, *SHARED])
def test_every_module_works(runtime):
    wanted = table.load().cpython.recipe["modules"]
    seen = json.loads(runtime.python(USE, *wanted))
    assert seen["version"] == table.load().cpython.version
    assert seen["machine"] == runtime.target.arch
    assert seen["prefix"] == str(runtime.folder)
    assert seen["sqlite"] == [2, 4.0]
    assert seen["digest"] == "9392d9e3"
    assert seen["openssl"].startswith("OpenSSL 3.")
    assert seen["packed"] == [True, True, True]
    assert seen["decimal"][0].startswith("0.142857")
    assert seen["colors"] == 256
    assert seen["callback"] == 42
    assert seen["suffix"] == f".cpython-313-{runtime.target.arch}-linux-{runtime.target.libc}.so"


@variants([*STATIC, *SHARED])
def test_children_threads_and_subprocesses(runtime):
    code = (
        "import threading, os\n"
        "found = []\nthread = threading.Thread(target=found.append, args=(7,))\nthread.start(); thread.join()\n"
        "child = os.fork()\nif not child: os._exit(found[0])\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert runtime.python(code) == "7"


@variants([*STATIC, *SHARED])
def test_nothing_tells_where_it_was_built(runtime):
    for member, stream in read_image(runtime.image):
        if stream is not None:
            data = stream.read()
            for trace in (b"pypack-source-", str(Path.home()).encode() + b"/", b"/tmp/pypack"):
                assert trace not in data, f"{member.path} holds {trace!r}"


@variants(STATIC)
def test_a_static_one_needs_nothing(runtime):
    binary = binaries.read_file(runtime.folder / "bin" / "python3.13")
    assert (binary.needed, binary.interpreter, binary.machines) == ((), "", (runtime.target.arch,))
    assert not foreign(runtime)
    said = runtime.python("import ctypes\ntry: ctypes.CDLL('libz.so.1')\nexcept OSError as e: print(e)")
    assert "linked statically" in said


@variants(GNU)
def test_a_gnu_one_runs_on_the_oldest_glibc(runtime):
    floor = binaries.glibc_floor([runtime.image])
    assert floor is not None
    assert floor.version <= runtime.target.floor_version
    assert {name for row in natives(runtime) for name in row["needs"]} == {"libpython3.13.so.1.0"}


@variants(SHARED)
def test_its_parts_are_shared_libraries_that_export_only_python(runtime):
    assert not foreign(runtime)
    python = binaries.read_file(runtime.folder / "bin" / "python3.13")
    assert "libpython3.13.so.1.0" in python.needed
    assert (*python.rpath, *python.runpath) == ("$ORIGIN/../lib",)
    library = binaries.read_file(runtime.folder / "lib" / "libpython3.13.so.1.0")
    assert library.soname == "libpython3.13.so.1.0"
    modules = sorted((runtime.folder / "lib" / "python3.13" / "lib-dynload").glob("*.so"))
    assert len(modules) > 50
    for path in [*modules, runtime.folder / "lib" / "libpython3.13.so.1.0"]:
        odd = [name for name in exported(path) if not name.startswith(("Py", "_Py"))]
        assert not odd, f"{path.name} exports {odd[:5]}"


def exported(path: Path) -> list[str]:
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        return [
            symbol.name for symbol in symbols.iter_symbols() if symbol.name and symbol.entry.st_shndx != "SHN_UNDEF"
        ]


LOAD = """
import ctypes, sys
other = ctypes.CDLL(sys.argv[1])
print(other.Py_GetVersion is not None, ctypes.CDLL(None).getpid() > 0)
math = ctypes.CDLL({math!r})
math.cos.restype, math.cos.argtypes = ctypes.c_double, [ctypes.c_double]
print(math.cos(0.0))
"""


@variants(SHARED)
def test_ctypes_loads_libraries(runtime):
    math = "libm.so.6" if runtime.target.libc == "gnu" else "libc.so"
    said = runtime.python(LOAD.format(math=math), str(runtime.folder / "lib" / "libpython3.13.so.1.0"))
    assert said.split() == ["True", "True", "1.0"]


@variants(MUSL)
def test_a_musl_one_brings_its_loader(runtime):
    arch = runtime.target.arch
    assert runtime.loader == cpython.loader_path(runtime.target) == f"lib/ld-musl-{arch}.so.1"
    loader = runtime.folder / runtime.loader
    assert os.access(loader, os.X_OK)
    for name in ("libc.so", f"libc.musl-{arch}.so.1"):
        assert (runtime.folder / "lib" / name).resolve() == loader.resolve()
    assert (runtime.folder / "share" / "licenses" / "musl" / "COPYRIGHT").is_file()
    said = runtime.python("print(open('/proc/self/maps').read())")
    assert "libc.so.6" not in said, "glibc got into the process"


ZLIB = """
import ctypes
library = ctypes.CDLL("libz.so.1")
library.zlibVersion.restype = ctypes.c_char_p
print(library.zlibVersion().decode(), library.crc32(0, b"123456789", 9) & 0xFFFFFFFF == 0xCBF43926)
"""


@variants(MUSL)
def test_a_musl_one_brings_the_library_that_wheels_take_from_their_system(runtime):
    library = binaries.read_file(runtime.folder / "lib" / "libz.so.1")
    assert library is not None
    assert (library.soname, set(library.needed)) == ("libz.so.1", {"libc.so"})
    assert runtime.python(ZLIB) == f"{table.load().libraries['zlib'].version} True"


NUMPY = """
import numpy
print(numpy.linalg.solve(numpy.array([[3., 1.], [1., 2.]]), numpy.array([9., 8.])).tolist())
"""
OTHERS = """
import markupsafe._speedups, pydantic
print(markupsafe._speedups.__file__.rsplit(".cpython", 1)[-1], pydantic.TypeAdapter(list[int]).validate_json("[1, 2]"))
"""


@variants(SHARED)
def test_native_wheels(runtime, tmp_path):
    target = runtime.target
    platform = f"{target.arch}-manylinux_2_17" if target.libc == "gnu" else f"{target.arch}-unknown-linux-musl"
    # numpy's wheel takes libz.so.1 from the system, as manylinux allows; Debian's cross packages have none
    numpy = [] if (target.libc, target.arch) == ("gnu", "aarch64") else ["numpy==2.2.6"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", tmp_path / "wheels", "--only-binary", ":all:",
         "--python-version", "3.13", "--python-platform", platform, "pydantic", "markupsafe", *numpy],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    env = {"PYTHONPATH": str(tmp_path / "wheels")}
    assert runtime.python(OTHERS, env=env) == f"-313-{target.arch}-linux-{target.libc}.so [1, 2]"
    if numpy:
        assert runtime.python(NUMPY, env=env) == "[2.0, 3.0]"


@variants([*STATIC, *SHARED])
def test_the_dev_image(runtime):
    dev = runtime.dev
    kind = "shared" if (runtime.folder / "lib" / "libpython3.13.so.1.0").exists() else "static"
    described = json.loads((dev / "python.json").read_text(encoding="utf-8"))
    assert described["kind"] == kind
    assert (dev / described["libpython"]).is_file()
    assert (dev / "include" / "python3.13" / "Python.h").is_file()
    assert (dev / "lib" / "libcrypto.a").is_file()
    for file in described["extensions"].values():
        assert (runtime.folder / file).is_file()
    assert ("_ssl" in described["extensions"]) == (kind == "shared")


PROGRAM = """
#include <Python.h>
int main(void) {
    printf("%d\\n", PY_VERSION_HEX == 0x030d05f0);
    return Py_IsInitialized();
}
"""


@variants(GNU)
def test_the_dev_image_is_enough_to_link_against(runtime, tmp_path):
    from pypack.steps import zig

    (tmp_path / "main.c").write_text(PROGRAM)
    words = [zig.binary(), "cc", "-target", runtime.target.runtime_zig, f"-I{runtime.dev}/include/python3.13", "main.c"]
    words += [f"-L{runtime.dev}/lib", "-lpython3.13", "-o", "main"]
    done = subprocess.run([str(word) for word in words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "libpython3.13.so.1.0" in binaries.read_file(tmp_path / "main").needed
