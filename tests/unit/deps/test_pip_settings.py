"""Which settings of pip count, and what is said of them."""

from __future__ import annotations

import pytest

from pypack.deps import pip_settings, uv_settings


def test_variables_count_under_the_names_of_uv(monkeypatch, tmp_path):
    assert pip_settings.read([]) == pip_settings.PipSettings()
    monkeypatch.setenv("PIP_INDEX_URL", "https://x.invalid/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    monkeypatch.setenv("PIP_PRE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_NO_BINARY", "lxml")
    found = pip_settings.read([])
    assert found.environment == {
        "UV_DEFAULT_INDEX": "https://x.invalid/simple", "UV_FIND_LINKS": "/a,/b", "UV_PRERELEASE": "allow",
    }  # fmt: skip
    assert not found.no_index
    assert "PIP_INDEX_URL (as UV_DEFAULT_INDEX), PIP_FIND_LINKS" in found.note
    assert "PIP_NO_BINARY is ignored" in found.note
    assert uv_settings.environment(tmp_path)["UV_DEFAULT_INDEX"] == "https://x.invalid/simple"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert pip_settings.read([]).no_index


@pytest.mark.parametrize("tables", [[{"index": [{"url": "https://y"}]}], [{"pip": {"index-url": "https://y"}}], []])
def test_uvs_own_settings_come_first(monkeypatch, tables):
    monkeypatch.setenv("PIP_INDEX_URL", "https://x.invalid/simple")
    if not tables:
        monkeypatch.setenv("UV_INDEX", "https://y")
    found = pip_settings.read(tables)
    assert found.environment == {}
    assert found.note.startswith("of pip's settings, PIP_INDEX_URL is ignored")


def test_a_file_may_say_which_index_takes_the_place_of_pypi(monkeypatch, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://x.invalid/simple\nextra_index_url = https://z\ntimeout = 3\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(pip_settings, "_files", lambda: [file])
    found = pip_settings.read([])
    assert found.environment == {"UV_DEFAULT_INDEX": "https://x.invalid/simple"}
    assert f"extra-index-url in {file} is ignored" in found.note
    before = uv_settings.fingerprint(tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.invalid")
    assert uv_settings.fingerprint(tmp_path) != before
