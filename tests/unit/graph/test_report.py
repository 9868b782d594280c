"""The report of a bundle: each file once, with who brought it, its size and why."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.bundle.test_writer import context, made

from pypack.bundle import verify
from pypack.formats.image import list_image
from pypack.graph import report
from pypack.project import program

PROJECT = Path(__file__).parents[2] / "projects" / "reported"
PARAMS = {
    "target": "linux-musl-x86_64", "stdlib": "lib/python3.13", "python": "3.13.5 (test)", "packages": False, "from": "",
    "direct": [], "markers": {},
}  # fmt: skip


@pytest.fixture
def reported(tmp_path):
    """A bundle, and the report of it."""
    bundle = made(tmp_path)
    step = context(tmp_path / "report.json", [bundle, tmp_path / "runtime.tar"], PARAMS)
    report.run_report(replace(step, unhashed={"project": program.load(PROJECT, include=["data/**"])}))
    (found,) = report.read(tmp_path / "report.json")
    return bundle, found


def test_each_file_of_the_bundle_is_there_once_with_its_size(reported, tmp_path):
    bundle, found = reported
    rows = {(row["layer"], row["path"]): row for row in found["files"]}
    assert len(rows) == len(found["files"])
    with zipfile.ZipFile(bundle) as packed:
        assert {path: row["size"] for (layer, path), row in rows.items() if layer == "app"} == {
            info.filename: info.file_size for info in packed.infolist()
        }
    runtime = {each.path: each.size for each in list_image(tmp_path / "runtime.tar")}
    listed = rows.pop(("runtime", ".pypack-files"))
    assert {path: row["size"] for (layer, path), row in rows.items() if layer == "runtime"} == runtime
    assert listed["distribution"] == "pypack's own"
    layer = next(each for each in verify.read(bundle).layers if each.kind == "runtime")
    sums = {row["layer"]: row for row in found["layers"]}
    assert (sums["runtime"]["packed"], sums["runtime"]["files"]) == (layer.size, len(runtime) + 1)
    assert sums["launcher"] == {"layer": "launcher", "packed": layer.offset}


def test_it_says_why_each_is_there(reported):
    _, found = reported
    whys = {row["path"]: (row["distribution"], row["why"]) for row in found["files"]}
    assert whys["bin/python3.13"] == ("runtime", "the interpreter of CPython 3.13.5 (test)")
    assert whys["lib/python3.13/encodings/__init__.py"] == ("stdlib", "the standard library of CPython 3.13.5 (test)")
    assert whys["app/demo.py"] == ("app", "it is in the program's folder")
    assert whys["app/tool"] == ("app", "the program's own metadata")  # what the folder does not have
    assert whys["launch"] == ("bootstrap", "pypack: it starts the program, or describes it")
    totals = {row["name"]: row for row in found["distributions"]}
    mine = [row["size"] for row in found["files"] if row["distribution"] == "app"]
    assert (totals["app"]["files"], totals["app"]["size"]) == (len(mine), sum(mine))


def test_several_reports_become_one_and_are_known_by_their_beginning(reported, tmp_path):
    one, whole = tmp_path / "report.json", tmp_path / "all.json"
    report.run_reports(context(whole, [one, one]))
    assert report.read(whole) == report.read(one) * 2
    assert report.is_one(whole)
    (tmp_path / "other.json").write_text(json.dumps({"bundles": []}))
    assert not report.is_one(tmp_path / "other.json")


def test_the_table_shows_the_largest_and_sums_up_the_rest(reported):
    _, found = reported
    rows = [{"name": f"p{n}", "version": "1", "files": 1, "size": n * 1_000_000} for n in range(18)]
    lines = list(report.table({**found, "distributions": rows, "size": 5_000_000}))
    assert lines[0] == "demo for linux-musl-x86_64: 5.0 MB, unpacked 153.0 MB"
    assert lines[1] == "     17.00 MB       1 files  p17 1"
    assert lines[16] == "      3.00 MB       3 files  3 more"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app/a.py", "app/a.py"), ("app/a.pyc", "app/a.py"), ("app/data.bin", "app/data.bin"),
        ("app/b/__pycache__/c.cpython-313.opt-2.pyc", "app/b/c.py"),
    ],
)  # fmt: skip
def test_bytecode_is_there_for_the_reason_of_its_source(path, source):
    assert report._source_path(path) == source
