"""The table of targets."""

from __future__ import annotations

import pytest

from pypack.base import folders, hosts, targets
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


def test_a_joined_target_has_the_features_of_its_parts():
    table = targets.load()
    whole = table["macos-universal2"]
    assert whole.of == ("macos-x86_64", "macos-aarch64")
    assert (whole.arch, whole.container, whole.in_all) == ("universal2", "macho", False)


def test_a_joined_target_of_two_formats_is_refused(tmp_path):
    file = tmp_path / "targets.toml"
    text = (folders.data("runtimes") / "targets.toml").read_text(encoding="utf-8")
    file.write_text(f'{text}[target.odd]\nof = ["macos-x86_64", "windows-x86_64"]\n[target.lone]\nof = ["nowhere"]\n')
    with pytest.raises(InputError, match=r"target odd: of must be[\s\S]*target lone: of must be"):
        targets.load(file)


def test_a_floor_can_be_raised_and_not_lowered():
    table = targets.load()
    gnu, mac = table["linux-gnu-x86_64"], table["macos-aarch64"]
    assert targets.raised(gnu, {"glibc": "2.28"}).floor_version == (2, 28)
    assert targets.raised(gnu, {"macos": "13.0"}) == gnu
    assert targets.raised(mac, {"macos": "13.0"}).floor == "13.0"
    with pytest.raises(InputError, match=r"2\.5 of linux-gnu-x86_64 is below 2\.17"):
        targets.raised(gnu, {"glibc": "2.5"})


def test_faults_of_floors_are_told_together():
    assert targets.check_floors({"glibc": "2.28"}) == []
    told = " ".join(targets.check_floors({"libc": "2.28", "macos": 13, "musl": "new"}))
    assert all(word in told for word in ("floors.libc: not known", "floors.macos", "floors.musl"))
