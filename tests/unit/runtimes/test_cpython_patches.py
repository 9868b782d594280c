"""Patches fit to the letter or are an error that names them and their bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypack.errors import InputError, StepError
from pypack.runtimes.cpython import patches, table
from pypack.runtimes.cpython.patches import Patch

DIFF = """\
--- a/src/one.c
+++ b/src/one.c
@@ -1,3 +1,4 @@
 first
-second
+2nd
+and a half
 third
"""
NEW = "--- /dev/null\n+++ b/new/file.c\n@@ -0,0 +1,2 @@\n+one\n+two\n"
ROW = 'file = "zlib/a.patch"\nsource = "zlib"\nsince = "1.3"\nbefore = "1.4"\nreason = "because"\nends = "never"\n'


def patch_of(folder: Path, diff: str) -> Patch:
    file = folder / "a.patch"
    file.write_text(diff, encoding="utf-8")
    return Patch(name="zlib/a.patch", file=file, source="zlib", since="1.3", before="1.4", reason="r", ends="e")


def tree_of(folder: Path, text: bytes) -> Path:
    (folder / "tree" / "src").mkdir(parents=True)
    (folder / "tree" / "src" / "one.c").write_bytes(text)
    return folder / "tree"


GIT = "diff --git a/src/one.c b/src/one.c\nindex 1..2 100644\n"


@pytest.mark.parametrize("diff", [DIFF + NEW, f"About it.\n{GIT}{DIFF}diff --git a/new/file.c b/new/file.c\n{NEW}"])
def test_a_patch_changes_and_adds_files(tmp_path, diff):
    tree = tree_of(tmp_path, b"first\nsecond\nthird\n\xff form\x0cfeed\n")
    patches.apply(patch_of(tmp_path, diff), tree, "1.3.1")
    assert (tree / "src" / "one.c").read_bytes() == b"first\n2nd\nand a half\nthird\n\xff form\x0cfeed\n"
    assert (tree / "new" / "file.c").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"first\nother\nthird\n", "does not match"),
        (b"zeroth\nfirst\nsecond\nthird\n", "does not match"),  # the right lines, one line below
        (b"first\n", "does not exist"),
    ],
)
def test_one_that_does_not_fit_is_named_with_its_bounds(tmp_path, text, why):
    tree = tree_of(tmp_path, text)
    with pytest.raises(StepError) as caught:
        patches.apply(patch_of(tmp_path, DIFF), tree, "1.3.1")
    assert "patch zlib/a.patch (meant for zlib >= 1.3, < 1.4) does not fit zlib 1.3.1" in caught.value.what
    assert why in caught.value.what
    assert (tree / "src" / "one.c").read_bytes() == text


def test_a_missing_file_is_named(tmp_path):
    tree = tree_of(tmp_path, b"")
    (tree / "src" / "one.c").unlink()
    with pytest.raises(StepError, match=r"src/one\.c does not exist"):
        patches.apply(patch_of(tmp_path, DIFF), tree, "1.3.1")


def test_a_new_file_that_is_there_already(tmp_path):
    tree = tree_of(tmp_path, b"")
    (tree / "new").mkdir()
    (tree / "new" / "file.c").write_text("theirs")
    with pytest.raises(StepError, match=r"new/file\.c is there already"):
        patches.apply(patch_of(tmp_path, NEW), tree, "1.3.1")


def test_an_empty_patch_is_an_error(tmp_path):
    with pytest.raises(StepError, match="holds no diff"):
        patches.apply(patch_of(tmp_path, "just words\n"), tree_of(tmp_path, b""), "1.3.1")


def write_patches(folder: Path, rows: str) -> Path:
    (folder / "patches" / "zlib").mkdir(parents=True)
    (folder / "patches" / "zlib" / "a.patch").write_text(DIFF)
    (folder / "patches" / "patches.toml").write_text(rows)
    return folder / "patches"


def test_a_pin_out_of_bounds_is_a_fault_not_a_silence(tmp_path):
    faults: list[str] = []
    known = patches.load(write_patches(tmp_path, f"[[patch]]\n{ROW}"), faults)
    assert faults == []
    assert patches.select(known, "zlib", "1.3.9", faults) == known
    assert patches.select(known, "bzip2", "1.0.8", faults) == ()
    assert faults == []
    patches.select(known, "zlib", "1.4", faults)
    assert faults == ["patch zlib/a.patch is meant for zlib >= 1.3, < 1.4, but the pin is zlib 1.4"]


def test_faults_of_the_list_are_collected(tmp_path):
    faults: list[str] = []
    rows = '[[patch]]\nfile = "zlib/b.patch"\nsource = "zlib"\nsince = "1"\nbefore = "2"\nreason = "r"\nends = "e"\n'
    rows += '[[patch]]\nfile = "zlib/c.patch"\nwhen = "now"\n'
    patches.load(write_patches(tmp_path, rows), faults)
    told = "\n".join(faults)
    assert "patch zlib/b.patch: the file does not exist" in told
    assert "patch zlib/c.patch: before, ends, reason, since, source missing" in told
    assert "patch zlib/c.patch: when not known" in told
    assert "patch zlib/a.patch is not in patches.toml" in told


def test_a_patch_for_no_source_is_a_fault(tmp_path):
    write_patches(tmp_path, f"[[patch]]\n{ROW}")
    pin = f'version = "3.13.5"\nurls = ["x/y.tar"]\nsha256 = "{"a" * 64}"\nlicence = "L"\nlicence_files = ["L"]\n'
    (tmp_path / "sources.toml").write_text(f"[cpython]\n{pin}")
    with pytest.raises(InputError, match=r"patch zlib/a\.patch: there is no source 'zlib'"):
        table.load(tmp_path / "sources.toml")


def test_every_patch_of_ours_tells_its_reason_and_its_end():
    faults: list[str] = []
    folder = Path(__file__).parents[3] / "runtimes" / "patches"
    known = patches.load(folder, faults)
    assert faults == []
    assert known
    assert all(len(patch.reason) > 20 and len(patch.ends) > 10 for patch in known)
