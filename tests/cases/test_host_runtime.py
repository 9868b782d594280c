"""Provider ``host`` for real: the copies of two kinds of CPython start elsewhere and see nothing of this machine.

The kinds are the interpreter that runs the tests and the distribution's own, seen through a virtual environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypack.formats import binaries, image
from pypack.runtimes import host_interpreter, host_libraries

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="provider host serves Linux with glibc only"
)
SITE_SCONS = Path(__file__).parents[2] / "site_scons"
SYSTEM_PYTHON = Path("/usr/bin/python3")
EXPECTED = ["ssl", "sqlite3", "ctypes", "lzma", "bz2", "zlib", "hashlib", "readline", "curses", "decimal", "uuid"]

# Runs in the interpreter that is to be copied: what the build does, without SCons.
MAKE = """
import json, sys
from pathlib import Path
from pypack.base import targets
from pypack.steps.step import Context, Settings
from pypack.runtimes.base import Request
from pypack.runtimes.host import HostProvider

said = []
request = Request(target=targets.find("host", targets.load()))
assert not HostProvider().unsupported_reason(request), HostProvider().unsupported_reason(request)
runtime = HostProvider().runtime(request)
context = Context(product=Path(sys.argv[1]), inputs=(), params=runtime.image.params, unhashed=runtime.image.unhashed,
    settings=Settings(say=lambda text: said.append(str(text))))
runtime.image.run(context)
import sysconfig
print(json.dumps({"said": said, "notes": runtime.notes, "python": runtime.image.params["layout"]["python"],
    "prefix": sys.base_prefix, "build": sysconfig.get_config_var("abs_builddir") or ""}))
"""


@dataclass(frozen=True, kw_only=True)
class Copy:
    image: Path
    tree: Path
    python: Path
    original: Path
    facts: dict

    def run(self, *words: str, **options) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, **{"env": {}, **options})


def make(python: Path, target: Path) -> dict:
    packages = sysconfig.get_path("purelib")
    env = {**os.environ, "PYTHONPATH": f"{SITE_SCONS}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([python, "-c", MAKE, target], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=["running", "distribution"])
def copy(request, tmp_path_factory) -> Copy:
    folder = tmp_path_factory.mktemp(request.param)
    python, original = Path(sys.executable), host_interpreter.running().python
    if request.param == "distribution":
        original = SYSTEM_PYTHON
        wanted = "import sys; sys.exit(sys.version_info < (3, 11))"
        if not original.exists() or subprocess.run([original, "-c", wanted], check=False).returncode:
            pytest.skip(f"this machine has no {original} of version 3.11 or newer")
        subprocess.run([original, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        python = folder / "venv/bin/python"
    facts = make(python, folder / "image.tar")
    tree = folder / "a place with späces" / "runtime"
    image.unpack(folder / "image.tar", tree)
    return Copy(image=folder / "image.tar", tree=tree, python=tree / facts["python"], original=original, facts=facts)


def modules_of(copy: Copy) -> list[str]:
    """Return what the original can import of the modules that people expect."""
    probe = (
        "import importlib.util, json, sys; print(json.dumps([m for m in sys.argv[1:] if importlib.util.find_spec(m)]))"
    )
    done = subprocess.run([copy.original, "-I", "-c", probe, *EXPECTED], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_nothing_went_wrong_while_it_was_made(copy):
    assert copy.facts["said"] == []
    assert binaries.glibc_floor([copy.image]) is not None


@pytest.mark.parametrize("options", [["-I", "-S"], ["-I"], []])
def test_it_starts_from_any_folder(copy, options):
    done = copy.run(*options, "-c", "import sys; print(sys.prefix, sys.base_exec_prefix, *sys.path, sep='\\n')")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[:2] == [str(copy.tree)] * 2
    assert [line for line in lines if not line.startswith(str(copy.tree))] == []


def test_the_expected_modules_come_with_their_libraries(copy):
    names = modules_of(copy)
    assert {"ssl", "sqlite3", "ctypes", "zlib"} <= set(names)
    script = f"import {', '.join(names)}; print(open('/proc/self/maps').read())"
    done = copy.run("-I", "-S", "-c", script)
    assert done.returncode == 0, done.stderr
    libraries = {Path(line.split(maxsplit=5)[5]) for line in done.stdout.splitlines() if ".so" in line}
    foreign = [path for path in libraries if copy.tree not in path.parents and not binaries.is_glibc(path.name)]
    assert foreign == []
    assert any(path.name.startswith("libcrypto.so") for path in libraries)


def test_tls_and_sqlite_really_work(copy):
    script = (
        "import hashlib, sqlite3, ssl, ctypes; ssl.create_default_context();"
        "print(sqlite3.connect(':memory:').execute('select 6*7').fetchone()[0], hashlib.sha3_256(b'').name,"
        "ctypes.CDLL(None).abs(-3))"
    )
    assert copy.run("-I", "-S", "-c", script).stdout.split() == ["42", "sha3_256", "3"]


def test_packages_are_looked_for_in_site_packages(copy):
    packages = copy.tree / "lib" / copy.python.name / "site-packages"
    (packages / "fresh.py").write_text("here = True\n")
    done = copy.run("-I", "-c", "import fresh, sysconfig; print(fresh.here, sysconfig.get_path('purelib'), sep='\\n')")
    assert done.stdout.splitlines() == ["True", str(packages)]


def test_a_virtual_environment_can_be_made_of_it(copy, tmp_path):
    assert copy.run("-m", "venv", "--without-pip", str(tmp_path / "venv")).returncode == 0
    done = subprocess.run([tmp_path / "venv/bin/python", "-c", "import sys; print(sys.prefix)"], capture_output=True,
        text=True, check=True, env={})  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / "venv")


def test_a_foreign_library_path_does_not_get_in_between(copy, tmp_path):
    for library in (copy.tree / "lib").glob("*.so*"):
        (tmp_path / library.name).write_text("no library at all")
    done = copy.run("-I", "-S", "-c", "import ssl, zlib; print('fine')", env={"LD_LIBRARY_PATH": str(tmp_path)})
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_folders_of_this_machine_did_not_travel(copy):
    names = [copy.facts["build"], "" if copy.facts["prefix"] in {"/usr", "/usr/local"} else copy.facts["prefix"]]
    for name in filter(None, names):
        for member, stream in image.read_image(copy.image):
            assert stream is None or name.encode() not in stream.read(), f"{member.path} names {name}"


def test_no_debug_sections_no_tests_no_bytecode(copy):
    paths = [member.path for member in image.list_image(copy.image)]
    assert not [path for path in paths if "/test/" in path or "/idlelib/" in path or path.endswith(".pyc")]
    assert not [path for path in paths if "EXTERNALLY-MANAGED" in path or "sitecustomize" in path]
    natives = binaries.natives(copy.image)
    assert len(natives) > 20
    for path in natives:
        assert not [name for name in sections(copy.tree / path) if name == ".symtab" or name.startswith(".debug_")], (
            path
        )


def sections(path: Path) -> list[str]:
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        return [section.name for section in ELFFile(stream).iter_sections()]


def test_the_same_interpreter_gives_the_same_bytes(copy, tmp_path):
    python = copy.image.parent / "venv/bin/python"
    make(python if python.exists() else Path(sys.executable), tmp_path / "again.tar")
    one, two = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (copy.image, tmp_path / "again.tar"))
    assert one == two


@pytest.mark.parametrize("proc", [True, False])
def test_it_runs_where_there_is_nothing_but_glibc(copy, tmp_path, proc):
    """The loader learns from /proc where the program is ($ORIGIN), or is told by LD_ORIGIN_PATH."""
    if os.geteuid():
        pytest.skip("chroot needs root")
    tree = Path("/opt/moved here")
    python = tree / copy.facts["python"]
    shutil.copytree(copy.tree, tmp_path / tree.relative_to("/"), symlinks=True)
    if proc:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/exe").symlink_to(python)
    for source in glibc(copy.python):
        target = tmp_path / source.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.resolve(), target)
    script = f"import sys, {', '.join(modules_of(copy))}; print(sys.prefix)"
    env = {} if proc else {"LD_ORIGIN_PATH": str(python.parent)}
    done = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True, check=False, env=env,
        preexec_fn=lambda: os.chroot(tmp_path), cwd="/")  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{tree}\n", "")


def glibc(python: Path) -> list[Path]:
    """Return glibc's files on this machine, the loader included."""
    binary = binaries.read_file(python)
    assert binary is not None
    names = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"]
    folders = host_libraries.search_folders(host_interpreter.running().multiarch)
    found = [next((folder / name for folder in folders if (folder / name).is_file()), None) for name in names]
    return [Path(binary.interpreter), *filter(None, found)]
