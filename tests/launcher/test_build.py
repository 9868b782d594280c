"""The launcher's build: the same bytes anywhere, no warning from a second compiler, nothing of this machine in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pypack.base import folders, targets
from pypack.launcher import stub
from tests.support.bundles import bundle, write
from tests.support.launchers import compile_c, environment, launcher, recipe, run_step, zstd_folder

TARGET = targets.load()["linux-musl-x86_64"]
OWN = stub.c_files(TARGET)


def test_same_bytes_in_another_folder_with_another_cache(tmp_path, monkeypatch):
    first = launcher()
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", os.fspath(tmp_path / "zig cache"))
    sources = tmp_path / "another checkout ü" / "stubs"
    shutil.copytree(folders.data("stubs"), sources)
    monkeypatch.setattr(stub, "c_files", lambda *_: [sources / file.relative_to(folders.data("stubs")) for file in OWN])
    again = run_step(stub.steps(TARGET), tmp_path / "another build")
    assert again.read_bytes() == first


def test_small_static_and_clean():
    content = launcher()
    assert len(content) < 300_000
    for word in (os.fspath(Path.home()), os.fspath(Path.cwd()), "zig-cache", "/pypack-"):
        assert word == "/" or word.encode() not in content, word
    assert b"ld-linux" not in content
    assert b"ld-musl" not in content


@pytest.mark.parametrize(
    "file", [each for each in OWN if each.suffix == ".c"], ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_gcc_has_nothing_to_say(file):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: the launcher was NOT checked by a second compiler")
    include = (f"-I{folders.data('stubs')}", "-isystem", zstd_folder())
    words = ["gcc", *stub.STANDARD, *stub.WARNINGS, "-O2", *include, "-c", file, "-o", os.devnull]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("target", ["linux-gnu-aarch64"])
def test_other_processor(tmp_path, target):
    """Compiled always; started where qemu is here. Its SHA-256 runs through the processor's own instructions."""
    other = launcher(target)
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not emulator:
        pytest.skip("qemu-aarch64 is not here: the aarch64 launcher was compiled and NOT started")
    program = write(tmp_path / "hello", bundle(other, recipe()))
    env = environment(tmp_path / "cache", PYPACK_SELF="extract")
    done = subprocess.run([emulator, program], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'cache'}\n"), done.stderr


SHA = """
#include <stdio.h>
#include "base/sha256.h"
int main(void)
{
    static unsigned char bytes[1 << 16];
    struct sha256 hash;
    unsigned char digest[32];
    sha256_begin(&hash);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes - 7, stdin)) > 0;)
        for (size_t at = 0, part = 1; at < size; at += part, part = part * 3 % 1009 + 1) {
            if (part > size - at)
                part = size - at;
            sha256_add(&hash, bytes + at, part);
        }
    sha256_end(&hash, digest);
    for (int i = 0; i < 32; i++)
        printf("%02x", digest[i]);
    return 0;
}
"""


@pytest.mark.parametrize("way", ["fast", "portable"])
def test_sha256(tmp_path, way):
    import hashlib

    main = tmp_path / "main.c"
    main.write_text(SHA)
    folder = folders.data("stubs")
    files = [folder / f"base/{name}.c" for name in ("sha256", "sha256_fast", "sha256_constants")]
    if way == "portable":
        files[1] = tmp_path / "none.c"
        files[1].write_text('#include "base/sha256_fast.h"\nsha256_blocks *sha256_fast(void) { return NULL; }\n')
    program = tmp_path / "sha"
    compile_c(["-O2", f"-I{folder}", main, *files], program)
    for size in [*range(200), 4095, 4096, 65536, 1_000_003]:
        data = os.urandom(size)
        done = subprocess.run([program], input=data, capture_output=True, check=True)
        assert done.stdout.decode() == hashlib.sha256(data).hexdigest(), size
