"""Which files belong to an app, and when its digest changes."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from pypack.base import digests
from pypack.errors import InputError
from pypack.project import app, program


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "prog"
    for name in (
        "pkg/__init__.py", "pkg/__main__.py", "pkg/data/x.txt", "pkg/__pycache__/a.pyc", ".env", ".git/config",
        "build/out", "dist/out", "venv/pyvenv.cfg", "venv/lib.py", "requirements.txt", "pyproject.toml", "SConstruct",
        "extra.egg-info/PKG-INFO", "build_tools/x.py",
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def names(found):
    return [each.inside for each in app.files(found)]


def test_outputs_caches_secrets_and_tool_files_are_left_out(place):
    expected = ["build_tools/x.py", "pkg/__init__.py", "pkg/__main__.py", "pkg/data/x.txt"]
    assert names(program.load(place)) == expected


def test_exclude_takes_globs_and_folders(place):
    assert names(program.load(place, exclude=("pkg/data", "build_*"))) == ["pkg/__init__.py", "pkg/__main__.py"]


def test_a_lone_script_brings_only_what_include_names(tmp_path):
    for name in ("tool.py", "other.py", "data.json"):
        (tmp_path / name).write_text("")
    found = program.load(entry=str(tmp_path / "tool.py"), include=("*.json",))
    assert names(found) == ["data.json", "tool.py"]


def test_a_package_folder_stands_below_its_name(place):
    assert names(program.load(place / "pkg"))[0] == "pkg/__init__.py"


def test_the_digest_sees_contents_modes_and_names_but_not_times(place, tmp_path):
    found, memory = program.load(place), tmp_path / "memory.json"
    first = app.digest(found, memory)
    os.utime(place / "pkg/__main__.py", (1, 1))
    assert app.digest(found, memory) == first
    (place / "pkg/__main__.py").write_text("x")
    changed = app.digest(found, memory)
    assert changed != first
    (place / "pkg/data/x.txt").chmod(0o755)
    assert app.digest(found, memory) not in {first, changed}
    (place / "pkg/__main__.py").write_text("")
    (place / "pkg/data/x.txt").chmod(0o644)
    assert app.digest(found, memory) == first
    (place / "pkg/data/x.txt").rename(place / "pkg/data/y.txt")
    assert app.digest(found, memory) != first


def test_the_memory_is_used_for_unchanged_files_and_survives_damage(place, tmp_path, monkeypatch):
    for path in place.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    found, memory = program.load(place), tmp_path / "memory.json"
    first = app.digest(found, memory)
    monkeypatch.setattr(digests, "_hash", lambda path: pytest.fail(f"{path} was read again"))
    assert app.digest(found, memory) == first
    monkeypatch.undo()
    memory.write_text("{damaged")
    assert app.digest(found, memory) == first


def test_a_pipe_among_the_files_is_refused(place):
    os.mkfifo(place / "pkg/pipe")
    with pytest.raises(InputError, match="is not a file"):
        app.files(program.load(place))


def test_a_dangling_link_is_refused(place):
    (place / "pkg/link").symlink_to("nowhere")
    with pytest.raises(InputError, match="cannot be read"):
        app.files(program.load(place))


def test_links_to_folders_are_followed_and_loops_refused(place, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "s.txt").write_text("")
    (place / "pkg/link").symlink_to(shared)
    assert "pkg/link/s.txt" in names(program.load(place))
    (place / "pkg/loop").symlink_to(place)
    with pytest.raises(InputError, match="leads to a folder that it stands in"):
        app.files(program.load(place))


def test_outputs_are_no_part_of_the_app(place):
    (place / "bundle").write_text("")
    found = replace(program.load(place), outputs=(place / "bundle", place / "pkg"))
    assert names(found) == ["build_tools/x.py"]


def test_include_adds_what_would_be_left_out(place):
    found = program.load(place, include=(".env", "pkg/*.py"))
    assert ".env" in names(found)
    assert names(found).count("pkg/__init__.py") == 1
    for pattern in ("/etc/*", "../*"):
        with pytest.raises(InputError, match="leaves the program's folder"):
            app.files(program.load(place, include=(pattern,)))


def signed(place, p12):
    (place / "entitlements.plist").write_text("e")
    sign = {"tool": "rcodesign", "p12": p12, "password_env": "SECRET", "entitlements": "entitlements.plist"}
    return program.load(place, sign=sign, include=("*.*", "pkg/*"), exclude=("build_*",))


def test_include_does_not_bring_the_signing_key(place):
    (place / "key.p12").write_text("k")
    found = names(signed(place, "key.p12"))
    assert "pkg/__main__.py" in found
    assert not {"key.p12", "entitlements.plist"} & set(found)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_signing_key_that_is_linked_into_the_project_stays_out(place, tmp_path, link):
    (tmp_path / "real.p12").write_text("k")
    for name in ("key.p12", "pkg/another"):
        link(tmp_path / "real.p12", place / name)
    assert not {"key.p12", "pkg/another", "entitlements.plist"} & set(names(signed(place, "key.p12")))
    assert "key.p12" not in names(signed(place, "../real.p12"))
