"""What a build holds a lock against: the program, its targets and runtimes; and locks of others."""

from __future__ import annotations

import tomllib

import pytest
from tests.support.locking import (
    ARM,
    FOREIGN,
    GNU,
    UV_LOCK,
    WINDOWS,
    lock,
    pins,
    plan,
    refused,
    versions,
    write_program,
)

from pypack.base import targets
from pypack.deps import lock_metadata
from pypack.errors import InputError
from pypack.plan import locking, planner
from pypack.plan.locks import Locks
from pypack.project import program
from pypack.steps.step import Settings


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Make a program: ``app("aaa", group=["bbb"])`` writes its pyproject.toml anew and returns the folder."""
    return write_program(tmp_path, monkeypatch)


@pytest.fixture
def made(index, app):
    """A program with a lock: aaa, the extra fast (bbb), the group plugins (ccc)."""
    for name in ("aaa", "bbb", "ccc", "ddd"):
        index.add(name, "1.0")
    folder = app("aaa", extra=["bbb"], group=["ccc"])
    lock(folder, extras=["fast"], groups=["plugins"])
    index.close()  # nobody asks it any more
    return folder


CHOSEN = {"extras": ["fast"], "groups": ["plugins"]}


def test_a_current_lock_is_taken_and_no_index_is_asked(made):
    plan(made, GNU, WINDOWS, **CHOSEN)
    said = []
    found = program.load(made, runtime="pbs", **CHOSEN)
    locking.check(found, targets.select([GNU, WINDOWS], targets.load()), settings=Settings(say=said.append))
    assert said == [f"{made / 'pylock.toml'} serves {GNU}, {WINDOWS}"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"requirements": ("aaa", "ddd")}, ["ddd is asked for, and was not"]),
        ({"requirements": ()}, ["aaa is not asked for any more"]),
        ({"requirements": ("aaa>=1",)}, ["aaa has become aaa>=1"]),
        ({"extra": ["ddd"]}, ["ddd is asked for, and was not", "bbb is not asked for any more"]),
        ({"group": ["ddd"]}, ["ddd is asked for, and was not", "ccc is not asked for any more"]),
        ({"python": ">=3.12"}, ["requires-python was not there, is >=3.12"]),
    ],
)
def test_a_lock_older_than_the_manifest_names_what_differs(made, app, change, told):
    values = {"requirements": ("aaa",), "extra": ["bbb"], "group": ["ccc"], **change}
    found = refused(app(*values.pop("requirements"), **values), **CHOSEN)
    assert found.startswith(f"{made / 'pylock.toml'} is older than pyproject.toml:\n")
    assert all(f"\n  {line}\n" in found for line in told), found
    assert "-> run pypack lock" in found


def test_other_extras_and_groups_are_told(made):
    found = refused(made)
    assert "it was made with the extra fast, which is not asked for" in found
    assert "it was made with the group plugins, which is not asked for" in found


def test_a_target_that_the_lock_does_not_cover(made):
    found = refused(made, ARM, **CHOSEN)
    assert f"does not cover {ARM}: it was made for {GNU}, {WINDOWS}" in found
    assert f"pypack lock --target {GNU},{WINDOWS},{ARM}" in found


def test_upgrade_is_explained(made):
    assert "run pypack lock --upgrade" in refused(made, upgrade=True, **CHOSEN)


def test_another_manifest_counts_by_now(made, app):
    (made / "requirements.txt").write_text("aaa\n")
    app()
    assert "it was made from pyproject.toml, and requirements.txt is what counts now" in refused(made)
    (made / "requirements.txt").unlink()
    assert "pyproject.toml, which names no packages any more" in refused(made)


def test_hashes_of_requirements_count(index, app):
    index.add("aaa", "1.0")
    folder = app()
    line = "aaa==1.0 \\\n    --hash=sha256:{}  # why\n"
    digest = index.sha256("aaa-1.0-py3-none-any.whl")
    (folder / "requirements.txt").write_text(line.format(digest))
    assert lock(folder)["tool"]["pypack"]["requirements"] == ["aaa==1.0"]
    plan(folder)
    (folder / "requirements.txt").write_text(line.format(digest[::-1]))
    assert "hashes have changed" in refused(folder)


def test_what_a_local_project_needs(index, app):
    index.add("aaa", "1.0")
    index.add("bbb", "1.0")
    folder = app()
    (folder / "local").mkdir()
    text = '[project]\nname = "local"\nversion = "{}"\ndependencies = ["{}"]\n'
    (folder / "local/pyproject.toml").write_text(text.format("1", "aaa"))
    (folder / "requirements.txt").write_text("./local\n")
    table = lock(folder)
    assert table["packages"][1]["directory"]["path"] == "local"
    (folder / "local/pyproject.toml").write_text(text.format("2", "aaa"))
    plan(folder)
    (folder / "local/pyproject.toml").write_text(text.format("2", "bbb"))
    assert "or what a local project needs" in refused(folder)


def test_settings_of_the_resolution(made):
    assert "--no-binary aaa is asked for, and was not" in refused(made, **CHOSEN, no_binary=["aaa"])
    assert "--only-binary :all: is asked for, and was not" in refused(made, **CHOSEN, no_build=True)


def test_what_only_a_build_backend_knows(index, app):
    """setuptools reads the requirements from a file; the backend itself is a stand-in that needs no index."""
    index.add("aaa", "1.0")
    index.add("bbb", "1.0")
    folder = app()
    (folder / "backend.py").write_text(BACKEND)
    text = '[project]\nname = "demo"\nversion = "1"\ndynamic = ["dependencies"]\n[build-system]\nrequires = []\n'
    (folder / "pyproject.toml").write_text(f'{text}build-backend = "backend"\nbackend-path = ["."]\n')
    (folder / "requirements.in").write_text("aaa\n")
    assert versions(lock(folder)) == {"aaa": "1.0"}
    plan(folder, entry="main.py")
    (folder / "main.py").write_text("print(2)\n")
    plan(folder, entry="main.py")
    (folder / "requirements.in").write_text("bbb\n")
    assert "bbb is asked for, and was not" in refused(folder, entry="main.py")
    assert versions(lock(folder)) == {"bbb": "1.0"}


BACKEND = """
import pathlib, zipfile
def build_wheel(folder, settings=None, metadata=None):
    needs = pathlib.Path("requirements.in").read_text().strip()
    with zipfile.ZipFile(pathlib.Path(folder) / "demo-1-py3-none-any.whl", "w") as out:
        metadata = ("Metadata-Version: 2.1", "Name: demo", "Version: 1", f"Requires-Dist: {needs}", "")
        out.writestr("demo-1.dist-info/METADATA", chr(10).join(metadata))
        out.writestr("demo-1.dist-info/WHEEL", chr(10).join(("Wheel-Version: 1.0", "Tag: py3-none-any", "")))
        out.writestr("demo-1.dist-info/RECORD", "")
    return "demo-1-py3-none-any.whl"
"""


# --- runtimes ---------------------------------------------------------------------------------------------------------


def test_the_runtime_of_the_lock_is_taken_though_a_newer_one_is_pinned(made, app, tmp_path, monkeypatch):
    row = tomllib.loads((made / "pylock.toml").read_text())["tool"]["pypack"]["runtimes"][GNU]
    assert row == {"provider": "pbs", "version": "3.13.5", "file": "runtime.tar.gz", "sha256": pins(tmp_path / "pins")}
    (tmp_path / "newer").mkdir()
    pins(tmp_path / "newer", "3.13.99", b"newer")
    both = (tmp_path / "pins/pins.toml").read_text() + (tmp_path / "newer/pins.toml").read_text()
    (tmp_path / "pins/pins.toml").write_text(both)
    found = planner.runtime(
        program.load(made, **CHOSEN),
        targets.load()[GNU],
        locks=Locks(build=tmp_path / "build"),
        settings=Settings(say=lambda _: None),
    )
    assert (found.provider, found.version) == ("pbs", "3.13.5")


def test_a_runtime_that_is_gone_or_another(made, tmp_path):
    pins(tmp_path / "pins", content=b"somebody else's")
    assert "and what is pinned by now has" in refused(made, **CHOSEN)
    pins(tmp_path / "pins", "3.13.6")
    found = refused(made, **CHOSEN)
    assert "pins CPython 3.13.5 of pbs for linux-gnu-x86_64, and that is not to be had" in found
    assert "run pypack lock" in found


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"python": "3.12"}, "and 3.12 is asked for"),
        ({"runtime": "host"}, "and host is asked for"),
        ({"runtime": "/opt/python.tar.gz"}, "and /opt/python.tar.gz is asked for"),
    ],
)
def test_another_runtime_is_asked_for(made, given, told):
    assert told in refused(made, **CHOSEN, **given)


# --- what cannot be locked, and locks of others -----------------------------------------------------------------------


def test_a_foreign_lock_is_taken_as_it_is(app):
    folder = app()
    (folder / "pylock.toml").write_text(FOREIGN)
    plan(folder)
    assert lock_metadata.read(folder / "pylock.toml") is None
    app("aaa")
    assert "aaa is not in it" in refused(folder)


def test_two_locks(index, app):
    folder = app("aaa")
    (folder / "pylock.toml").write_text(FOREIGN)
    (folder / "uv.lock").write_text(UV_LOCK)
    with pytest.raises(InputError, match=r"there are two locks: .*pylock\.toml and uv\.lock"):
        program.load(folder)
    assert program.load(folder, requirements="uv.lock").dependencies.kind == "uv-lock"
    index.add("aaa", "1.0")
    lock(folder, requirements="pyproject.toml")  # ours says what it was made from
    found = program.load(folder).dependencies
    assert (found.kind, found.origin.file.name) == ("pylock", "pyproject.toml")
    plan(folder)


@pytest.mark.parametrize(
    ("files", "given", "told"),
    [
        ({"uv.lock": UV_LOCK}, {}, "is uv's lock, and uv renews it"),
        ({"pylock.toml": FOREIGN}, {"requirements": "pylock.toml"}, "is a lock itself"),
        ({".venv/pyvenv.cfg": "version = 3.13.5\n"}, {"venv": ".venv"}, "is taken as it is"),
    ],
)
def test_what_cannot_be_locked(app, files, given, told):
    folder = app("aaa")
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=told):
        lock(folder, **given)


def test_a_program_without_packages_or_without_a_lock(app):
    folder = app()
    with pytest.raises(InputError, match="names no packages"):
        lock(folder)
    with pytest.raises(InputError, match=r"has no pylock\.toml"):
        locking.check(program.load(folder), targets.select([GNU], targets.load()), settings=Settings())


@pytest.mark.parametrize("text", ["targets = 3\n", "from = 1\n", "[[[\n", "\xff"])
def test_a_damaged_table_is_one_error(app, text):
    folder = app("aaa")
    (folder / "pylock.toml").write_bytes(f'lock-version = "1.0"\n[tool.pypack]\n{text}'.encode("latin-1"))
    assert "pylock.toml cannot be read" in refused(folder)
