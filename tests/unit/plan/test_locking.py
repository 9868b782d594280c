"""``pypack lock`` against an index on this machine: one lock for several targets, kept and renewed."""

from __future__ import annotations

import pytest
from tests.support.locking import (
    ARM,
    FOREIGN,
    GNU,
    MUSL,
    NEW,
    OLD,
    WIN,
    WIN_ARM,
    WINDOWS,
    lock,
    plan,
    refused,
    versions,
    write_program,
)

from pypack import cli
from pypack.base import targets
from pypack.deps import lock as locks
from pypack.deps import markers
from pypack.errors import InputError, StepError
from pypack.project import program


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Make a program: ``app("aaa", group=["bbb"])`` writes its pyproject.toml anew and returns the folder."""
    return write_program(tmp_path, monkeypatch)


def test_one_version_that_every_target_takes(index, app):
    index.add("native", "1.0", OLD, WIN)
    index.add("native", "2.0", NEW, WIN)
    said = []
    assert versions(lock(app("native"), said=said)) == {"native": "1.0"}
    assert any("linux-gnu-x86_64: no wheel of native 2.0 fits" in line for line in said)
    assert versions(lock(app("native"), WINDOWS)) == {"native": "1.0"}, "what the lock has is kept"
    assert versions(lock(app("native"), WINDOWS, everything=True)) == {"native": "2.0"}


def test_targets_that_no_one_version_serves_get_one_each(index, app):
    index.add("native", "1.0", OLD, WIN)
    index.add("native", "2.0", NEW, WIN, WIN_ARM)
    rows = lock(app("native"), GNU, ARM)["packages"]
    found = {row["version"]: row["marker"] for row in rows}
    assert found.keys() == {"1.0", "2.0"}
    table = targets.load()
    assert markers.applies(found["1.0"], table[GNU], "3.13.5")
    assert markers.applies(found["2.0"], table[ARM], "3.13.5")
    assert not markers.applies(found["2.0"], table[GNU], "3.13.5")
    assert lock(app("native"), GNU, ARM)["packages"] == rows


def test_a_target_that_no_version_serves_is_told_with_what_there_is(index, app):
    index.add("native", "1.0", NEW, WIN)
    with pytest.raises(StepError) as caught:
        lock(app("native"))
    told = str(caught.value)
    assert told.startswith("native 1.0: wheels exist for (manylinux_2_28_x86_64, win_amd64)")
    assert "cannot be resolved for linux-gnu-x86_64, Python 3.13.5" in told
    assert not (app("native") / "pylock.toml").exists()
    assert list(app("native").glob("*pylock*")) == []


def test_a_target_without_a_wheel_takes_the_source(index, app):
    """An older version with a wheel wins over a source, as in a resolution for that target alone."""
    index.add("native", "2.0", NEW, WIN)
    index.add_source("native", "2.0")
    (row,) = lock(app("native"))["packages"]
    assert [row["name"], row["version"], len(row["wheels"])] == ["native", "2.0", 2]
    assert row["sdist"]["hashes"]["sha256"] == index.sha256("native-2.0.tar.gz")
    table, rows = targets.load(), {"packages": [row]}
    wheels, sources = locks.choose(rows, table[GNU], "3.13", static=False)
    assert ([each.pin.file for each in wheels], [each.label for each in sources]) == ([], ["native 2.0"])
    assert locks.choose(rows, table[WINDOWS], "3.13", static=False)[0][0].pin.file == f"native-2.0-{WIN}.whl"
    with pytest.raises(StepError, match="native 2"):
        lock(app("native"), no_build=True)
    index.add("native", "1.0", OLD, WIN)
    assert versions(lock(app("native"), everything=True)) == {"native": "1.0"}


def test_an_excluded_package_needs_no_wheel(index, app):
    index.add("native", "2.0", WIN)
    index.add("aaa", "1.0", requires=["native"])
    assert versions(lock(app("aaa"), exclude_packages=["native"])) == {"aaa": "1.0", "native": "2.0"}


def test_targets_that_no_marker_tells_apart(index, app):
    index.add("native", "1.0", OLD)
    index.add("native", "2.0", NEW, "cp313-cp313-musllinux_1_2_x86_64")
    with pytest.raises(StepError, match=r"native 1\.0: wheels exist for") as caught:
        lock(app("native"), GNU, MUSL)
    assert "linux-musl-x86_64" in str(caught.value)


def test_a_raised_floor_takes_newer_wheels(index, app):
    index.add("native", "1.0", OLD, WIN)
    index.add("native", "2.0", NEW, WIN)
    folder = app("native", more='[tool.pypack]\nfloors = { glibc = "2.28" }\n')
    assert versions(lock(folder)) == {"native": "2.0"}


def test_what_stands_in_the_lock_is_kept_until_asked(index, app):
    for name in ("aaa", "bbb"):
        index.add(name, "1.0")
    first = lock(app("aaa", "bbb"))
    assert first["tool"]["pypack"]["targets"] == [GNU, WINDOWS]
    for name in ("aaa", "bbb"):
        index.add(name, "2.0")
    before = (app("aaa", "bbb") / "pylock.toml").read_bytes()
    assert versions(lock(app("aaa", "bbb"))) == {"aaa": "1.0", "bbb": "1.0"}
    assert (app("aaa", "bbb") / "pylock.toml").read_bytes() == before
    said = []
    assert versions(lock(app("aaa", "bbb"), upgrade=["bbb"], said=said)) == {"aaa": "1.0", "bbb": "2.0"}
    assert "  bbb 1.0 -> 2.0" in said
    assert versions(lock(app("aaa", "bbb"), everything=True)) == {"aaa": "2.0", "bbb": "2.0"}


def test_extras_groups_scripts_and_requirements(index, app):
    for name in ("aaa", "bbb", "ccc"):
        index.add(name, "1.0")
    folder = app("aaa", extra=["bbb"], group=["ccc"])
    assert versions(lock(folder)).keys() == {"aaa"}
    assert versions(lock(folder, extras=["fast"], groups=["plugins"])).keys() == {"aaa", "bbb", "ccc"}
    script = folder / "tool.v2.py"
    script.write_text('# /// script\n# dependencies = ["bbb"]\n# ///\n')
    assert versions(lock(script)).keys() == {"bbb"}
    assert (folder / "pylock.tool-v2.toml").is_file()
    assert program.load(script).dependencies.file == folder / "pylock.tool-v2.toml"
    (folder / "deps.txt").write_text("ccc==1.0\n")
    assert versions(lock(folder, requirements="deps.txt")).keys() == {"ccc"}
    assert program.load(folder, requirements="deps.txt").dependencies.kind == "pylock"
    (folder / "other.txt").write_text("aaa\n")
    assert program.load(folder, requirements="other.txt").dependencies.kind == "requirements"


def test_given_wheels_are_named_as_they_lie_from_the_lock(index, app, tmp_path):
    index.add("aaa", "1.0")
    index.add("bbb", "1.0", requires=["aaa"])
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/bbb-1.0-py3-none-any.whl").write_bytes(index.files["bbb-1.0-py3-none-any.whl"])
    wheels = [str(tmp_path / "vendor/*.whl")]
    table = lock(app(), wheels=wheels)
    assert table["packages"][1]["archive"]["path"] == "../vendor/bbb-1.0-py3-none-any.whl"
    plan(app(), wheels=wheels)
    assert "it was made from the wheels that were given, and pyproject.toml is what counts now" in refused(app("aaa"))
    lock(app("aaa"), wheels=wheels)
    assert "bbb-1.0-py3-none-any.whl is not asked for any more" in refused(app("aaa"))


def test_the_command(index, app, capsys):
    index.add("aaa", "1.0")
    folder = str(app("aaa"))
    assert cli.main(["lock", folder, "--runtime", "pbs", "--target", f"{GNU},{WINDOWS}"]) == 0
    assert f"  {GNU}: CPython 3.13.5 from pbs\n" in capsys.readouterr().out
    index.add("aaa", "2.0")
    assert cli.main(["lock", folder, "--upgrade-package", "aaa"]) == 0, "targets and runtimes are as they were"
    told = capsys.readouterr().out
    assert "  aaa 1.0 -> 2.0\n" in told
    assert f"  {WINDOWS}: CPython 3.13.5 from pbs\n" in told
    assert cli.main(["lock", folder, "--check"]) == 0
    assert f"serves {GNU}, {WINDOWS}" in capsys.readouterr().out
    assert cli.main(["lock", folder, "--check", "--upgrade"]) == 2
    assert "--check writes nothing" in capsys.readouterr().err
    (app("aaa") / "pylock.toml").unlink()
    assert cli.main(["lock", folder, "--check"]) == 2
    assert "has no pylock.toml\n  -> run pypack lock" in capsys.readouterr().err


def test_a_wheel_as_a_program_has_a_lock_of_its_own(index, app, tmp_path):
    index.add("aaa", "1.0")
    points = {"bbb-1.0.dist-info/entry_points.txt": "[console_scripts]\nbbb = bbb:main\n"}
    index.add("bbb", "1.0", requires=["aaa"], files=points)
    wheel = tmp_path / "bbb-1.0-py3-none-any.whl"
    wheel.write_bytes(index.files[wheel.name])
    (tmp_path / "pylock.toml").write_text(FOREIGN)  # of something else
    assert program.load(wheel, runtime="pbs").dependencies.kind == "wheels"
    assert versions(lock(wheel)) == {"aaa": "1.0", "bbb": "1.0"}
    assert program.load(wheel, runtime="pbs").dependencies.file == tmp_path / "pylock.bbb.toml"


@pytest.mark.parametrize(
    ("python", "told"), [("<3", r"pbs cannot serve linux-gnu-x86_64: no CPython <3 is pinned"),
                         ("3.13", "requires-python in .* is '3.13'")],
)  # fmt: skip
def test_a_program_for_another_python(app, python, told):
    for call in (lock, plan):
        with pytest.raises(InputError, match=told):
            call(app("aaa", python=python))


def test_a_package_to_upgrade_that_is_not_there_is_noted_with_a_near_name(index, app):
    index.add("native", "1.0", OLD, WIN)
    said = []
    lock(app("native"), upgrade=["nativ"], said=said)
    text = "--upgrade-package names nativ, and the lock has no such package (did you mean native?)"
    assert [line for line in said if line == text]
    lock(app("native"), upgrade=["Native"], said=(said := []))
    assert not [line for line in said if "--upgrade-package" in line]
