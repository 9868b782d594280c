"""Links beside a bundle, one for each command."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypack.bundle import aliases
from pypack.errors import InputError


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "dist").mkdir()
    path = tmp_path / "dist/tool"
    path.write_bytes(b"one")
    return path


def names(bundle):
    return sorted(path.name for path in bundle.parent.iterdir())


def test_links_follow_the_commands(bundle, tmp_path):
    record = tmp_path / "links.json"
    assert aliases.write(bundle, ["tool", "one", "two"], record) == ["  links beside it: one, two"]
    assert bundle.with_name("one").readlink() == Path("tool")
    assert aliases.write(bundle, ["one", "three"], record) == [
        "  removed two, which is no command any more", "  links beside it: one, three",
    ]  # fmt: skip
    assert names(bundle) == ["one", "three", "tool"]
    assert aliases.write(bundle, [], record) == ["  removed one, three, which is no command any more"]
    assert names(bundle) == ["tool"]
    assert aliases.write(bundle, [], record) == []


def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(bundle, tmp_path):
    record = tmp_path / "links.json"
    bundle.with_name("one").write_text("mine")
    with pytest.raises(InputError, match="one is there already, and is no link to tool"):
        aliases.write(bundle, ["one"], record)
    bundle.with_name("one").unlink()
    aliases.write(bundle, ["one"], record)
    bundle.with_name("one").unlink()
    bundle.with_name("one").write_text("mine")
    assert aliases.write(bundle, [], record) == []
    assert bundle.with_name("one").read_text() == "mine"


def test_for_windows_links_are_hard_and_renewed(bundle, tmp_path, monkeypatch):
    record, exe = tmp_path / "links.json", bundle.with_name("tool.exe")
    monkeypatch.setattr(aliases.trailer, "ends", lambda path: True)
    for content in (b"one", b"two"):  # a build replaces the bundle by another file
        exe.with_name("new").write_bytes(content)
        exe.with_name("new").replace(exe)
        aliases.write(exe, ["Tool", "one"], record, suffix=".exe")
        assert exe.with_name("one.exe").samefile(exe)
    assert names(bundle) == ["one.exe", "tool", "tool.exe"]
