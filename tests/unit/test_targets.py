"""The table of targets."""

from __future__ import annotations

import pytest

from pypack import hosts, targets
from pypack.errors import InputError

EIGHT = [
    "linux-gnu-x86_64", "linux-gnu-aarch64", "linux-musl-x86_64", "linux-musl-aarch64",
    "macos-x86_64", "macos-aarch64", "windows-x86_64", "windows-aarch64",
]  # fmt: skip


def test_all_means_the_eight_targets():
    assert [t.name for t in targets.select(["all"], targets.load())] == EIGHT


def test_selection_takes_commas_and_drops_repeats():
    found = targets.select(["linux-musl-x86_64, host", "linux-musl-x86_64"], targets.load())
    assert [t.name for t in found] == ["linux-musl-x86_64", hosts.target_name()]


def test_an_unknown_target_gets_near_names_and_the_list():
    with pytest.raises(InputError) as caught:
        targets.find("linux-musl-x86", targets.load())
    assert "did you mean linux-musl-x86_64" in str(caught.value)
    assert all(name in str(caught.value) for name in EIGHT)


def test_an_incomplete_table_tells_every_fault_at_once(tmp_path):
    file = tmp_path / "targets.toml"
    file.write_text('[target.linux-gnu-x86_64]\nsystem = "linux"\nsurprise = 1\n[layout.posix]\npython = ""\n')
    with pytest.raises(InputError) as caught:
        targets.load(file)
    told = str(caught.value)
    assert "surprise not known" in told
    assert "stub_zig" in told
    assert "layout posix" in told


def test_layouts_are_filled_with_the_version():
    row = targets.load()["windows-x86_64"].layout.at("3.13")
    assert row.libpython == "python313.dll"
    assert targets.load()["linux-musl-x86_64"].layout.at("3.9").python == "bin/python3.9"
