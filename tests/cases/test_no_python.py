"""The proof that no Python is needed: bundles in places that hold nothing but what they are allowed to need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pypack.bundle import verify

from .conftest import GNU, MUSL, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="CANNOT RUN: chroot takes root")

GLIBC = (
    "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
    "libresolv.so.2",
)  # fmt: skip


@pytest.fixture
def empty(tmp_path):
    """A root folder with a writable ``/tmp`` and nothing else."""
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    return root


def inside(root: Path, *words: str, proc: bool):
    """Run a command with ``root`` as its root and an empty environment."""
    if proc:
        (root / "proc").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    try:
        return run([shutil.which("chroot") or "/usr/sbin/chroot", root, *words], env={})
    finally:
        if proc:
            subprocess.run(["umount", root / "proc"], check=True)


def twice(root: Path, *words: str, proc: bool) -> str:
    """Start a bundle cold and warm; both must succeed with the same output and an empty stderr."""
    cold, warm = inside(root, *words, proc=proc), inside(root, *words, proc=proc)
    assert (cold.code, cold.err) == (0, ""), cold.text
    assert (warm.code, warm.out, warm.err) == (0, cold.out, "")
    return cold.out


@pytest.mark.parametrize("proc", [True, False], ids=["with /proc", "without /proc"])
@pytest.mark.parametrize("name", ["hello", "greet"])
def test_musl_needs_nothing_at_all(built, empty, name, proc):
    shutil.copy2(built(name, MUSL), empty / name)
    words = ["--name", "Ada"] if name == "greet" else ["Ada"]
    assert "Ada" in twice(empty, f"/{name}", *words, proc=proc)
    assert sorted(path.name for path in empty.iterdir()) == sorted({name, "tmp"} | ({"proc"} if proc else set()))


@pytest.mark.parametrize("proc", [True, False], ids=["with /proc", "without /proc"])
@pytest.mark.parametrize("name", ["hello", "calc"])
def test_gnu_needs_nothing_but_glibc(built, empty, name, proc):
    glibc = next(folder for folder in map(Path, ("/lib/x86_64-linux-gnu", "/lib64")) if (folder / "libc.so.6").exists())
    for library in GLIBC:
        place = empty / ("lib64" if library.startswith("ld-") else str(glibc).lstrip("/"))
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2((glibc / library).resolve(), place / library)
    bundle = built(name, GNU)
    expected = verify.read(bundle).manifest["system_libraries"]  # numpy's wheels rely on the system's libstdc++
    assert not expected or name == "calc"
    for library in expected:
        shutil.copy2((glibc / library).resolve(), empty / str(glibc).lstrip("/") / library)
    shutil.copy2(bundle, empty / name)
    said = twice(empty, f"/{name}", *(["Ada"] if name == "hello" else []), proc=proc)
    assert ("Ada" in said) if name == "hello" else ("z = -1" in said)


def test_gnu_without_glibc_is_one_clear_error(built, empty):
    shutil.copy2(built("hello", GNU), empty / "hello")
    done = inside(empty, "/hello", proc=False)
    assert done.code not in {0, 1}
    assert "glibc" in done.err
    assert len(done.err.splitlines()) <= 4


def test_musl_finds_certificates_wherever_the_distribution_keeps_them(built, empty, https_server):
    address, authority = https_server
    for place in ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem"):
        file = empty / place
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority, file)
        (empty / "etc/hosts").write_text("127.0.0.1 localhost\n")
        shutil.copy2(built("fetch", MUSL), empty / "fetch")
        done = inside(empty, "/fetch", address, proc=False)
        assert (done.code, done.err) == (0, ""), done.text
        assert done.out.startswith("200 ")
        file.unlink()
    assert inside(empty, "/fetch", address, proc=False).code == 1


STDLIB = """
import importlib, sys
for name in ("ctypes", "ssl", "sqlite3", "readline", "curses", "lzma", "bz2", "zlib", "hashlib", "decimal", "uuid",
             "asyncio", "multiprocessing", "curses.panel", "xml.etree.ElementTree", "zoneinfo", "unicodedata"):
    importlib.import_module(name)
import sqlite3, ssl, hashlib, lzma
assert sqlite3.connect(":memory:").execute("select json_extract('{\\"a\\": 7}', '$.a')").fetchone() == (7,)
assert hashlib.sha256(lzma.decompress(lzma.compress(b"x"))).hexdigest().startswith("2d711642b726b044")
import curses
curses.setupterm("xterm-256color", 1)
assert curses.tigetnum("colors") == 256
print(ssl.OPENSSL_VERSION, sys.version_info[:2])
"""


def test_the_whole_stdlib_works_in_an_empty_root(checkout, empty):
    (checkout.path / "probe.py").write_text(STDLIB)
    checkout.scons("app=probe.py", f"target={MUSL}")
    shutil.copy2(checkout.bundle("probe", MUSL), empty / "probe")
    assert twice(empty, "/probe", proc=False).startswith("OpenSSL 3.")
