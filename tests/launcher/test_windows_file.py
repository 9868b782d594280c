"""The launcher for Windows as a file: what it is linked with, signed bundles, hostile headers."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pypack.base import folders, targets
from pypack.launcher import stub
from tests.support.bundles import bundle, write
from tests.support.launchers import SANITIZED, build_folder, run_step
from tests.support.windows import TARGET, facts, launcher, recipe, text, windows

__all__ = ["facts", "windows"]  # fixtures


SYSTEM_LIBRARIES = {"advapi32.dll", "kernel32.dll", "ntdll.dll"}


# --- the file itself --------------------------------------------------------------------------------------------------


def imports(path: Path) -> list[str]:
    import lief

    binary = lief.PE.parse(os.fspath(path))
    assert isinstance(binary, lief.PE.Binary)
    return [str(each.name).lower() for each in binary.imports] + [str(e.name).lower() for e in binary.delay_imports]


@pytest.mark.parametrize("name", ["windows-x86_64", "windows-aarch64"])
@pytest.mark.parametrize("subsystem", ["console", "gui"])
def test_launcher_is_linked(name, subsystem):
    """Only the system's own libraries; the subsystem that was asked for; nothing of this machine."""
    lief = pytest.importorskip("lief")
    target = targets.load()[name]
    made = run_step(stub.steps(target, subsystem=subsystem), build_folder())
    strange = [
        each for each in imports(made) if each not in SYSTEM_LIBRARIES and not each.startswith("api-ms-win-crt-")
    ]
    assert not strange
    header = lief.PE.parse(os.fspath(made)).optional_header
    wanted = lief.PE.OptionalHeader.SUBSYSTEM.WINDOWS_GUI if subsystem == "gui" else None
    assert header.subsystem == (wanted or lief.PE.OptionalHeader.SUBSYSTEM.WINDOWS_CUI)
    assert header.sizeof_stack_reserve >= 4 << 20
    content = made.read_bytes()
    assert len(content) < 400_000
    for word in (os.fspath(Path.home()), os.fspath(Path.cwd()), "zig-cache", "/pypack-"):
        assert word == "/" or word.encode() not in content, word


def test_same_bytes_again(tmp_path):
    assert run_step(stub.steps(TARGET), tmp_path).read_bytes() == launcher()


# --- signed -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    """Signs a file as its owner would, with a certificate that was made for this."""
    if not shutil.which("osslsigncode") or not shutil.which("openssl"):
        pytest.skip("osslsigncode or openssl is not here: a signed bundle was NOT started")
    folder = tmp_path_factory.mktemp("identity")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"]
    more = ["-subj", "/CN=throwaway", "-addext", "extendedKeyUsage=codeSigning"]
    subprocess.run(["openssl", *words, *more], check=True, capture_output=True)

    def sign(path: Path, signed: Path) -> Path:
        words = ["sign", "-certs", certificate, "-key", key, "-in", path, "-out", signed]
        subprocess.run(["osslsigncode", *words], check=True, capture_output=True)
        signed.chmod(0o755)
        return signed

    return sign


def certificates(content: bytes) -> tuple[int, int]:
    at = struct.unpack_from("<I", content, 60)[0] + 24 + 112 + 4 * 8
    return struct.unpack_from("<II", content, at)


@pytest.mark.parametrize("padding", range(8))
def test_signed_bundle(windows, signer, tmp_path, padding):
    """The certificate table follows the trailer after 0 to 7 zero bytes, as many as make the file's length right."""
    source = (
        "import subprocess, sys; print('signed')\n"
        "print(subprocess.run([sys.executable, '-c', 'print(2)'], stdout=-1).stdout)\n"
    )
    plain = recipe(source, name="signed")
    for salt in range(8):
        version = f"version={'1' * (1 + salt)}"
        made = bundle(launcher(), replace(plain, extra=(version, *plain.extra[1:])))
        if -len(made) % 8 == padding:
            break
    signed = signer(write(tmp_path / "plain.exe", made), tmp_path / "signed.exe")
    offset, size = certificates(signed.read_bytes())
    assert (offset, offset + size) == (len(made) + padding, signed.stat().st_size)
    done = windows.start(signed)
    assert (done.returncode, text(done.stdout)) == (0, "signed\nb'2\\r\\n'\n"), done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((0, 4), "signature's place is wrong"),  # offset past the end
        ((4, 4), "signature's place is wrong"),  # size past the end
    ],
)
def test_hostile_certificate_table(windows, facts, tmp_path, change, words):
    content = bytearray(facts.read_bytes())
    at = struct.unpack_from("<I", content, 60)[0] + 24 + 112 + 4 * 8
    struct.pack_into("<II", content, at, 8, 8)
    content[at + change[0] : at + sum(change)] = b"\xff" * change[1]
    done = windows.start(write(tmp_path / "odd.exe", bytes(content)))
    assert done.returncode == 101
    assert words in text(done.stderr)


HEADERS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "format/trailer.h"
#include "os/windows/pe.h"
static void look(const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    struct pe_table table;
    memcpy(copy, bytes, size);
    const char *why = pe_certificates(copy, size, &table);
    pe_forget_certificates(copy, size);
    if (!why && (pe_certificates(copy, size, &table) || table.size || table.offset))
        abort();
    free(copy);
}
int main(void)
{
    static unsigned char head[4096];
    size_t size = fread(head, 1, sizeof head, stdin);
    for (size_t cut = 0; cut <= size; cut++)
        look(head, cut);
    for (size_t at = 0; at < 512; at++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char before = head[at];
            head[at] = (unsigned char)value;
            look(head, size);
            look(head, at + 1);
            head[at] = before;
        }
    return 0;
}
"""


def test_hostile_headers(tmp_path):
    """Every cut and many changed bytes of a header, under the sanitizers."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: damaged headers were NOT read under the sanitizers")
    source, made, stubs = tmp_path / "headers.c", tmp_path / "headers", folders.data("stubs")
    source.write_text(HEADERS)
    words = ["gcc", *stub.STANDARD, *SANITIZED, f"-I{stubs}", source, stubs / "os/windows/pe.c", "-o", made]
    subprocess.run(words, check=True)
    done = subprocess.run([made], input=launcher()[:4096], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
