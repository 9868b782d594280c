"""The table of real applications: every row is pinned and complete, and what is compared is made comparable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.applications import table, work
from tests.applications.normal import comparable

HERE = Path(__file__).parents[3]


def test_each_application_is_pinned_by_version_and_hash_or_is_a_folder_of_ours():
    applications = table.load()
    assert len(applications) >= 12
    for each in applications:
        if each.pin is None:
            assert (table.PROJECTS / each.folder / each.edit).is_file(), each.name
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", each.pin.sha256)
            assert each.pin.urls == (f"pypi:{each.name}=={each.version}",)
            assert each.version in each.pin.file
        assert each.commands


def test_each_folder_of_inputs_belongs_to_an_application():
    names = {each.name for each in table.load()}
    assert {path.name for path in (table.HERE / "inputs").iterdir()} <= names


def test_all_faults_of_a_table_are_listed(tmp_path):
    file = tmp_path / "applications.toml"
    row = '[[application]]\nname = "a"\nkind = "b"\nversion = "1"\nfile = "a-1.tar.gz"\nwork = [["a"]]\n'
    file.write_text(f'{row}ignored = ["("]\nsever = ["a"]\npages = ["/"]\n{row}')
    with pytest.raises(ValueError, match=r"applications\.toml") as caught:
        table.load(file)
    lines = str(caught.value).splitlines()
    assert "a: sever is no field" in lines
    assert "a: edit is missing" in lines
    assert "a: sha256 must be 64 lower-case hex digits, is ''" in lines
    assert "a: a server and its pages belong together" in lines
    assert "a: stands there twice" in lines
    assert any(line.startswith("a: '(' is no regular expression") for line in lines)


def test_folders_times_and_ports_do_not_count_as_differences():
    of_venv = comparable(
        "File /v/lib/python3.11/site-packages/a.py at 2026-01-02T03:04:05Z took 1.2 s: http://127.0.0.1:4000/ id=7",
        paths=[("/v", "{venv}")], ignored=[r"id=\d+"],
    )  # fmt: skip
    of_bundle = comparable(
        "File /c/layers/ab12/app/a.py at 2026-01-02T03:04:06Z took 3 s: http://127.0.0.1:5000/ id=8",
        paths=[("/c", "{cache}")], ignored=[r"id=\d+"],
    )  # fmt: skip
    assert of_venv == of_bundle


def test_a_difference_is_shown_with_its_step():
    before = [work.Result(step="$ a", text="one\ntwo"), work.Result(step="$ b", text="same")]
    after = [work.Result(step="$ a", text="one\n2"), work.Result(step="$ b", text="same")]
    assert work.differences(before, before) == ""
    diff = ["--- venv", "+++ bundle", "@@ -1,2 +1,2 @@", " one", "-two", "+2"]
    assert work.differences(before, after).splitlines() == ["$ a", *diff]
