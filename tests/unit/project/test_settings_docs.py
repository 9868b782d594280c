"""What is made of the declared settings for readers and editors: docs/settings.md, and the JSON schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from pypack.base.declare import declared
from pypack.download.pins import Row
from pypack.errors import InputError
from pypack.project import settings_docs, tool_table
from pypack.project.settings import TABLE

HERE = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft7Validator(json.loads((HERE / "docs/pypack.schema.json").read_text(encoding="utf-8")))
PIN = {"target": "linux-gnu-x86_64", "version": "3.13.5", "sha256": "0" * 64, "url": "https://x.example/a.tar.gz"}
P12 = {"tool": "rcodesign", "p12": "a.p12", "password_env": "X"}
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def checked(settings):
    """Say whether we take the settings, as they stand in a file."""
    try:
        tool_table._checked_settings({"tool": {"pypack": settings}}, "a test")
    except InputError:
        return False
    return True


def test_the_files_are_as_they_should_be():
    assert settings_docs.stale(HERE / "docs") == [], "renew them: nox -s update_docs"
    page = (HERE / "docs/settings.md").read_text(encoding="utf-8")
    assert not [each.key for each in TABLE.values() if f"| `{each.key} = " not in page]
    assert not [each.docs for each in TABLE.values() if each.docs and not (HERE / "docs" / each.docs).is_file()]


def test_stale_files_are_told_and_renewed(tmp_path, capsys):
    tmp_path = tmp_path / "docs"
    types = tmp_path.parent / "site_scons/pypack/environment.pyi"
    for folder in (tmp_path, types.parent):
        folder.mkdir(parents=True)
    page = (HERE / "docs/settings.md").read_text(encoding="utf-8")
    (tmp_path / "settings.md").write_text(page.replace("| `icon", "| `ikon"), encoding="utf-8")
    notes = (HERE / "docs/build-output.md").read_text(encoding="utf-8")
    (tmp_path / "build-output.md").write_text(notes.replace("| `host-glibc`", "| `host`"), encoding="utf-8")
    assert settings_docs.main(["--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "settings.md is stale" in told
    assert "build-output.md is stale" in told
    assert "environment.pyi is stale" in told
    assert "pypack.schema.json is stale" in told
    assert settings_docs.main([str(tmp_path)]) == 0
    assert settings_docs.main(["--check", str(tmp_path)]) == 0
    assert (tmp_path / "settings.md").read_text(encoding="utf-8") == page
    assert (tmp_path / "build-output.md").read_text(encoding="utf-8") == notes
    assert types.read_text(encoding="utf-8") == (HERE / "site_scons/pypack/environment.pyi").read_text(encoding="utf-8")


def test_a_page_without_a_table_is_refused():
    with pytest.raises(InputError, match="the page has no"):
        settings_docs.renewed("# Settings\n")


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(settings_docs.schema())
    assert list(VALIDATOR.schema["properties"]) == [each.key for each in TABLE.values()]
    told = [each["description"] for each in VALIDATOR.schema["properties"].values()]
    assert all(told)


def test_examples_of_the_docs_are_valid():
    tables = []
    for page in sorted((HERE / "docs").glob("*.md")):
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            text = block if "tool.pypack" in block else f"[tool.pypack]\n{block}"
            tables.append(tomllib.loads(re.sub(r'"…(", )?', '"x', text))["tool"]["pypack"])
    tables = [table for table in tables if "inside" not in table]  # a row of pins
    assert len(tables) >= 3
    for table in tables:
        rows = [{**each, "sha256": "0" * 64} for each in table.get("pins", [])]  # shown in short
        VALIDATOR.validate(table | ({"pins": rows} if rows else {}))


GOOD = [
    {}, {"name": "a"}, {"targets": ["all"]}, {"optimize": 2}, {"launch": "embed"}, {"exclude-tests": True},
    {"exclude_tests": True}, {"floors": {"glibc": "2.28"}}, {"sign": P12}, {"sign": {**P12, "timestamp": False}},
    {"sign": {"tool": "codesign", "identity": "Ada"}}, {"pins": [PIN]}, {"wheels": ["a,b.whl"]}, {"icon": "a.ico"},
]  # fmt: skip
BAD = [
    {"naem": "a"}, {"name": 1}, {"targets": "all"}, {"targets": [1]}, {"optimize": 3}, {"optimize": True},
    {"launch": "embd"}, {"launch": ""}, {"exclude-tests": "yes"}, {"exclude_tests": 1}, {"floors": {"glibc": 2.28}},
    {"floors": {"glibcc": "2.28"}}, {"floors": {"glibc": "2.28.1"}}, {"floors": "2.28"}, {"sign": {"tool": "gpg"}},
    {"sign": {}}, {"sign": {"tool": "codesign"}}, {"sign": {**P12, "identity": "Ada"}}, {"sign": {**P12, "x": 1}},
    {"sign": {**P12, "timestamp": "no"}}, {"pins": "a.toml"}, {"wheels": "a.whl"}, {"console": 1}, {"mode": "onefil"},
]  # fmt: skip


@pytest.mark.parametrize("settings", GOOD, ids=str)
def test_what_we_take_the_schema_takes(settings):
    assert checked(settings)
    VALIDATOR.validate(settings)


@pytest.mark.parametrize("settings", BAD, ids=str)
def test_what_we_refuse_the_schema_refuses(settings):
    assert not checked(settings)
    assert not VALIDATOR.is_valid(settings)


@pytest.mark.parametrize("key", declared(Row))
def test_rows_of_pins_are_held_to_their_form(key):
    VALIDATOR.validate({"pins": [{**PIN, "urls": ["a"], "size": 3, "file": "a", "provider": "embed", "inside": ["x"]}]})
    wrong = {"size": -1, "urls": "a", "inside": "x"}
    assert not VALIDATOR.is_valid({"pins": [{**PIN, key: wrong.get(key, 3)}]})
    without = {name: value for name, value in PIN.items() if name != key}
    assert VALIDATOR.is_valid({"pins": [without]}) == (key not in PIN)
