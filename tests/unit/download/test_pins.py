"""Pin files: ours are complete, the user's stand beside them, faults are told all at once."""

from __future__ import annotations

import pytest

from pypack.base import folders, targets
from pypack.download import pins, pins_update
from pypack.errors import InputError

SHA = "a" * 64
NAMES = list(targets.load())
ROW = {"target": "linux-gnu-x86_64", "version": "3.13.5", "url": "https://h/cpython-3.13.5%2B1-x.tar.gz", "sha256": SHA}


def of_user(table, base):
    return pins.of_user(table, targets=NAMES, where="pyproject.toml", base=base)


def test_our_pins_are_complete_and_sorted():
    table = pins.ours("pbs", NAMES)
    assert table.default == "3.13"
    for minor in pins_update.MINORS:
        there = {pin.target for pin in table.pins if pin.version.startswith(f"{minor}.")}
        assert there >= {name for name in NAMES if "musl" not in name and "universal" not in name}
    assert {pin.target for pin in table.pins if pin.version == "3.13.15"} >= {"linux-musl-x86_64", "linux-musl-aarch64"}
    for found in table.pins:
        assert targets.load()[found.target].pbs in found.pin.file
        assert found.version in found.pin.file
        assert found.pin.file.endswith("-install_only_stripped.tar.gz")
        assert "+" in found.pin.file
    assert len({found.pin.sha256 for found in table.pins}) == len(table.pins)


def test_our_file_is_what_its_own_rows_give():
    file = folders.data("runtimes") / "pins" / "pbs.toml"
    text = file.read_text(encoding="utf-8")
    edition = text.split("pbs-installer ")[1].split(". Do not")[0]
    assert pins_update.text(pins_update.known(file), default="3.13", edition=edition) == text


@pytest.mark.parametrize("shape", ["list", "named"])
def test_user_pins(tmp_path, shape):
    row = {**ROW, "size": 5, "provider": "pbs"}
    (found,) = of_user([row] if shape == "list" else {"mine": row}, tmp_path)
    assert (found.target, found.version, found.provider, found.own) == ("linux-gnu-x86_64", "3.13.5", "pbs", True)
    assert (found.pin.file, found.pin.size, found.pin.sha256) == ("cpython-3.13.5+1-x.tar.gz", 5, SHA)


def test_relative_paths_count_from_the_file(tmp_path):
    row = {k: v for k, v in ROW.items() if k != "url"} | {"urls": ["archives/a.tar.gz", "file:///b.tar.gz", "/c"]}
    (found,) = of_user([row], tmp_path)
    assert found.pin.urls == (str(tmp_path / "archives/a.tar.gz"), "file:///b.tar.gz", "/c")


def test_file_in_the_environment_wins_over_the_projects_table(tmp_path, monkeypatch):
    other = "b" * 64
    rows = "".join(
        f'[[pins]]\ntarget = "linux-gnu-x86_64"\nversion = "{version}"\nurl = "a.tar.gz"\nsha256 = "{other}"\n'
        for version in ("3.13.5", "3.12.1")
    )
    (tmp_path / "own.toml").write_text(rows)
    monkeypatch.setenv("PYPACK_PINS", str(tmp_path / "own.toml"))
    found = of_user([ROW, {**ROW, "version": "3.14.0"}], tmp_path)
    assert {pin.version: pin.pin.sha256 for pin in found} == {"3.13.5": other, "3.12.1": other, "3.14.0": SHA}


def test_merged_prefers_the_first(tmp_path):
    (own,) = of_user([{**ROW, "version": "3.13.17"}], tmp_path)
    ours = pins.ours("pbs", NAMES).pins
    found = {(pin.target, pin.version): pin for pin in pins.merged([own], ours)}
    assert found["linux-gnu-x86_64", "3.13.17"] is own
    assert len(found) == len(ours)


def test_all_faults_at_once(tmp_path):
    rows = [
        {**ROW, "sha256": ""},
        {**ROW, "target": "linux-gnu-x86-64"},
        {**ROW, "version": "3.13"},
        {**ROW, "sha": SHA, "size": -1},
        {"target": "macos-aarch64", "version": "3.13.5", "sha256": SHA},
        {**ROW, "url": "ftp://h/a"},
        {**ROW, "urls": "https://h/a"},
        {**ROW, "provider": "psb"},
        {**ROW, "url": "https://h/"},
        "text",
        ROW,
        ROW,
        {"version": "3.13.5", "url": "https://h/a", "sha256": SHA.upper()},
    ]
    with pytest.raises(InputError) as caught:
        of_user(rows, tmp_path)
    told = caught.value.what.splitlines()[1:]
    for number, text in {
        1: "sha256 must be 64",
        2: "did you mean linux-gnu-x86_64",
        3: "full one such as",
        4: "'sha' is not known (did you mean sha256?)",
        5: "has no address",
        6: "cannot fetch from",
        7: "urls must be a list",
        8: "provider must be one of pbs",
        9: "no usable file name",
        10: "must be a table",
        12: "stands there twice",
        13: "target is missing",
    }.items():
        assert any(f"row {number}" in line and text in line for line in told), (number, text, told)
    assert sum("row 4" in line for line in told) == 2
    assert not any("row 11" in line for line in told)


@pytest.mark.parametrize("table", ["text", 3, {"a": 1}])
def test_table_of_another_kind(tmp_path, table):
    with pytest.raises(InputError, match="must be a"):
        of_user(table, tmp_path)


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("[[pins", "not valid TOML")])
def test_file_that_cannot_be_read(tmp_path, monkeypatch, content, told):
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("PYPACK_PINS", str(file))
    with pytest.raises(InputError, match=told):
        of_user(None, tmp_path)


# --- writing the file anew ---


def entry(version: str, *kinds: str, freethreaded: bool = False, sha256: str | None = SHA) -> dict:
    major, minor, micro = (int(part) for part in version.split("."))
    names = [f"cpython-{version}+9-x86_64-unknown-linux-gnu-{kind}.tar.gz" for kind in kinds]
    return {
        "python_version": {
            "implementation": "cpython",
            "major": major,
            "minor": minor,
            "micro": micro,
            "freethreaded": freethreaded,
        },
        "files": [{"filename": name, "url": f"https://h/9/{name}", "sha256": sha256} for name in names],
    }


def test_newest_of_each_minor_and_the_stripped_archive_are_taken():
    table = [
        entry("3.13.9", "install_only_stripped"),
        entry("3.13.10", "install_only", "install_only_stripped"),
        entry("3.13.11", "install_only_stripped", freethreaded=True),
        entry("3.13.12", "install_only_stripped", sha256=None),
        entry("3.14.1", "install_only"),
        entry("3.11.9", "install_only_stripped"),
    ]
    rows = pins_update.from_table(table, {"x86_64-unknown-linux-gnu": "linux-gnu-x86_64"})
    assert [(row.version, row.url.rsplit("gnu-")[-1]) for row in rows] == [
        ("3.13.10", "install_only_stripped.tar.gz"),
        ("3.14.1", "install_only.tar.gz"),
    ]
    assert "%2B" in rows[0].url


def test_sums_of_a_release_give_musl_rows(web):
    musl = "x86_64-unknown-linux-musl"
    lines = [
        f"{SHA}  cpython-3.13.15+9-{musl}-install_only_stripped.tar.gz",
        f"{SHA}  cpython-3.13.15+9-{musl}-install_only.tar.gz",
        f"{SHA}  cpython-3.13.15+9-{musl}-freethreaded-install_only_stripped.tar.gz",
        f"{SHA}  cpython-3.10.1+9-{musl}-install_only_stripped.tar.gz",
    ]
    web.files["/9/SHA256SUMS"] = "\n".join(lines).encode()
    asked = pins_update.Row(target="linux-gnu-x86_64", version="3.13.15", url=f"{web.url}/9/a.tar.gz", sha256=SHA)
    (row,) = pins_update.published([asked])
    assert (row.target, row.version, row.sha256) == ("linux-musl-x86_64", "3.13.15", SHA)
    assert row.url == f"{web.url}/9/cpython-3.13.15%2B9-{musl}-install_only_stripped.tar.gz"


def test_unreachable_sums_keep_the_rows_and_say_so(monkeypatch, capsys):
    monkeypatch.setattr("pypack.download.web.UNREACHABLE_WAITS", ())
    asked = pins_update.Row(target="linux-gnu-x86_64", version="3.13.15", url="https://h.invalid/9/a", sha256=SHA)
    assert pins_update.published([asked]) == []
    assert "rows for musl stay as they are" in capsys.readouterr().out


def test_merge_takes_the_newest_and_keeps_sizes():
    def row(version: str, sha256: str = SHA, size: int = 0) -> pins_update.Row:
        return pins_update.Row(target="t", version=version, url="u", sha256=sha256, size=size)

    assert pins_update.merge([row("3.13.9")], [row("3.13.10", size=7)], [])[0].version == "3.13.10"
    assert pins_update.merge([row("3.13.9")], [row("3.13.9", size=7)], [])[0].size == 7
    assert pins_update.merge([row("3.13.9", "b" * 64)], [row("3.13.9", size=7)], [])[0].size == 0
