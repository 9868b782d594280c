"""Looking after what a bundle unpacked on Windows: its own commands, damage, whose folders are trusted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pypack.base import folders
from tests.support.bundles import File, bundle, write
from tests.support.windows import facts, launcher, program, recipe, text, told, windows, windows_path

__all__ = ["facts", "windows"]  # fixtures


# --- looking after it -------------------------------------------------------------------------------------------------


def test_self_commands(windows, facts, tmp_path):
    own = windows.with_cache(tmp_path / "cache")

    def run(word: str) -> subprocess.CompletedProcess[bytes]:
        return own.start(facts, PYPACK_SELF=word)

    assert "not in the cache" in text(run("info").stdout)
    assert run("extract").returncode == 0
    assert "not in the cache" not in text(run("info").stdout)
    assert text(run("verify").stdout).count("sound in the bundle and in the cache") == 2
    damaged = next((own.cache / "layers").glob("*/Lib/os.pyc"))
    assert not damaged.stat().st_mode & 0o222, "files in a layer are read-only"
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert "was damaged in the cache, unpacked again" in text(run("verify").stdout)
    done = run("clean")
    assert (done.returncode, text(done.stdout).count("removed")) == (0, 3), done.stderr
    assert not list((own.cache / "layers").iterdir()) + list((own.cache / "apps").iterdir())


def test_clean_spares_a_running_program(windows, tmp_path):
    source = (
        "import os, subprocess, sys\n"
        "env = {**os.environ, 'PYPACK_SELF': 'clean'}\n"
        "done = subprocess.run([sys.pypack.bundle], env=env, capture_output=True, text=True)\n"
        "print(done.returncode, 'nothing was removed' in done.stderr)\nimport json\n"
    )
    path = program(tmp_path / "busy.exe", source, name="busy")
    done = windows.start(path)
    assert text(done.stdout) == "110 True\n", done.stderr


@pytest.mark.parametrize(("kept", "code"), [(0.5, 101), (0.999, 101)])
def test_a_cut_bundle_is_named(windows, facts, tmp_path, kept, code):
    content = facts.read_bytes()
    path = write(tmp_path / "cut.exe", content[: int(len(content) * kept)])
    done = windows.start(path)
    assert done.returncode == code
    assert "holds no program" in text(done.stderr)


def test_a_damaged_layer_is_named(windows, facts, tmp_path):
    content = bytearray(facts.read_bytes())
    content[len(content) // 2] ^= 1
    done = windows.with_cache(tmp_path / "cache").start(write(tmp_path / "bad.exe", bytes(content)))
    assert done.returncode == 103
    assert "piece" in text(done.stderr)


def test_threads_that_make_the_same_folders(windows, tmp_path):
    """Two files of one new folder are unpacked at the same time, again and again."""
    folders = [f"site-packages/n{number}/a/b/c" for number in range(150)]
    deps = [File(path=f"{folder}/{name}", data=b"x") for folder in folders for name in ("one", "two")]
    made = recipe("", deps=deps)
    many = write(tmp_path / "many.exe", bundle(launcher(), made, cut=(1, 8 << 20)))  # each file is a frame of its own
    windows = windows.with_cache(tmp_path / "cache")
    done = windows.start(many, PYPACK_SELF="extract")
    assert done.returncode == 0, text(done.stderr)
    assert len(list((tmp_path / "cache" / "layers").glob("*/site-packages/*/a/b/c/*"))) == len(deps)


@pytest.mark.parametrize("name", ["nul.txt", "com1", "what?", "a:stream", "ends."])
def test_names_that_windows_reads_otherwise(windows, tmp_path, name):
    made = recipe("")
    made.app.append(File(path=f"app/{name}", data=b"x"))
    path = write(tmp_path / "names.exe", bundle(launcher(), made))
    done = windows.start(path)
    assert done.returncode == 103, text(done.stderr)
    assert name in text(done.stderr)


def test_a_folder_that_others_can_write_to(windows, facts, tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    open_to_all.chmod(0o777)
    done = windows.with_cache(open_to_all).start(facts, PYPACK_DEBUG="1")
    if not told(done)["prefix"].startswith(windows_path(open_to_all)):
        assert "others can write to it" in text(done.stderr)
    else:
        pytest.skip("wine does not show this folder's mode as rights: it was NOT refused")


RIGHTS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "os/windows/rights.c"
void system_show_error(const char *bytes, size_t size) { (void)bytes, (void)size; }
int main(int argc, char **argv)
{
    TOKEN_USER *self = find_user();
    for (int i = 1; i + 1 < argc; i += 2) {
        PSECURITY_DESCRIPTOR whole;
        BOOL given, defaulted;
        PACL list;
        void *entry;
        if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(argv[i + 1], SDDL_REVISION_1, &whole, NULL) ||
            !GetSecurityDescriptorDacl(whole, &given, &list, &defaulted) || !given)
            return 2;
        if (GetAce(list, 0, &entry) && atoi(argv[i]))
            ((ACE_HEADER *)entry)->AceType = (BYTE)atoi(argv[i]);
        printf("%d", open_to_others(list, self->User.Sid));
    }
    wchar_t *name;
    ConvertSidToStringSidW(self->User.Sid, &name);
    printf(" %ls\n", name);
    return 0;
}
"""
INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
CALLBACK, OBJECT, COMPOUND = "9", "5", "4"
FIT = [("0", "D:(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"), ("0", f"D:(A;;FA;;;{INSTALLER})"), ("0", "D:(A;OICIIO;GA;;;CO)"),
       ("0", "D:(A;;0x1200a9;;;WD)"), ("0", "D:(D;;FA;;;WD)"), (CALLBACK, "D:(A;;FA;;;SY)")]  # fmt: skip
UNFIT = [("0", "D:(A;;FA;;;WD)"), ("0", "D:(A;;FA;;;S-1-5-21-1-2-3-1234)"), ("0", "D:(A;;0x2;;;S-1-5-21-1-2-3-513)"),
         ("0", "D:(A;;0x4;;;AU)"), ("0", "D:(A;;SD;;;BU)"), ("0", "D:(A;;WD;;;BU)"), ("0", "D:(A;;WO;;;BU)"),
         ("0", "D:(A;OICIIO;GW;;;BU)"), ("0", "D:(A;;FA;;;SY)(A;;FA;;;S-1-15-2-1)"), (CALLBACK, "D:(A;;FA;;;BU)"),
         (OBJECT, "D:(A;;FA;;;BU)"), (COMPOUND, "D:(A;;FA;;;SY)")]  # fmt: skip


def test_whose_rights_are_trusted(windows, tmp_path):
    """Permissions as the system parses them; wine keeps none on a folder, so the function is asked directly."""
    stubs, source, made = folders.data("stubs"), tmp_path / "rights.c", tmp_path / "rights.exe"
    source.write_text(RIGHTS)
    parts = [stubs / f"{name}.c" for name in ("base/memory", "base/text", "os/windows/text")]
    words = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", f"-I{stubs}"]
    subprocess.run([*words, source, *parts, "-ladvapi32", "-o", made], check=True, cwd=tmp_path)
    done = windows.start(made, *[word for pair in FIT + UNFIT for word in pair])
    assert done.returncode == 0, done.stderr
    found, user = text(done.stdout).split()
    assert found == "0" * len(FIT) + "1" * len(UNFIT)
    own = windows.start(made, "0", f"D:(A;OICI;FA;;;{user})(A;;FA;;;BA)")
    assert text(own.stdout).split()[0] == "0"


RELATIVE = """
import os, subprocess, sys
os.chdir(sys.argv[1])
names = ["LOCALAPPDATA", "TMP", "TEMP"]
env = {**os.environ, **dict.fromkeys(names, "here"), "PYPACK_CACHE_DIR": "", "PYPACK_SELF": "info"}
done = subprocess.run(sys.argv[2:], env=env, capture_output=True, text=True, timeout=60)
print(done.returncode, "here" in done.stdout + done.stderr, "AppData" in done.stdout, os.listdir("."))
"""


def test_relative_folders_of_the_system_do_not_count(windows, facts, tmp_path):
    done = windows.python(RELATIVE, windows_path(tmp_path), windows_path(facts))
    assert text(done.stdout) == "0 False True []\n", done.stderr
