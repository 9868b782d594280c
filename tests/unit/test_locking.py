"""``pypack lock`` against an index on this machine: one lock for several targets, renewed, checked, held to."""

from __future__ import annotations

import hashlib
import tomllib

import pytest

from pypack import cli, locking, planning, project, targets
from pypack.errors import InputError, StepError
from pypack.packages import environment, locked
from pypack.packages import lock as locks
from pypack.packages.universal import Upgrade
from pypack.pipeline import Settings

GNU, MUSL, WINDOWS, ARM = "linux-gnu-x86_64", "linux-musl-x86_64", "windows-x86_64", "windows-aarch64"
OLD, NEW = "cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_28_x86_64"
WIN, WIN_ARM = "cp313-cp313-win_amd64", "cp313-cp313-win_arm64"


def pins(folder, version="3.13.5", content=b"a runtime"):
    """Write pins of runtimes that nobody unpacks here."""
    (folder / "runtime.tar.gz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    row = '[[pins]]\ntarget = "{}"\nversion = "{}"\nurl = "runtime.tar.gz"\nsha256 = "{}"\n'
    names = (GNU, MUSL, WINDOWS, ARM, "macos-x86_64", "macos-aarch64")
    (folder / "pins.toml").write_text("".join(row.format(name, version, digest) for name in names))
    return digest


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Make a program: ``app("aaa", groups={"g": ["bbb"]})`` writes its pyproject.toml anew and returns the folder."""
    (tmp_path / "pins").mkdir()
    pins(tmp_path / "pins")
    monkeypatch.setenv("PYPACK_PINS", str(tmp_path / "pins" / "pins.toml"))
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("print(1)\n")

    def make(*requirements, extra=(), group=(), more="", python=""):
        text = f'[project]\nname = "demo"\nversion = "1"\ndependencies = {list(requirements)}\n'
        text += f"requires-python = {python!r}\n" if python else ""
        text += f"[project.optional-dependencies]\nfast = {list(extra)}\n" if extra else ""
        text += f"[dependency-groups]\nplugins = {list(group)}\n" if group else ""
        (folder / "pyproject.toml").write_text(text + more)
        return folder

    return make


def lock(folder, *names, upgrade=(), everything=False, said=None, **given):
    chosen = targets.select(names or (GNU, WINDOWS), targets.load())
    settings = Settings(say=(said if said is not None else []).append)
    found = project.load(folder, renew=True, **{"runtime": "pbs", **given})
    place = locking.write(
        found, chosen, upgrade=Upgrade(everything=everything, packages=tuple(upgrade)), settings=settings
    )
    return tomllib.loads(place.read_text())


def versions(table):
    return {row["name"]: row["version"] for row in table["packages"]}


def plan(folder, *names, upgrade=False, **given):
    """Make the graph of a build, as far as the lock decides about it; return the runtime's version and origin."""
    found = project.load(folder, **{"runtime": "pbs", **given})
    chosen = targets.select(names or (GNU,), targets.load())
    settings = Settings(say=lambda _: None, upgrade=upgrade)
    planning.bundles(found, chosen, build=folder.parent / "build", settings=settings)


def refused(folder, *names, **given) -> str:
    with pytest.raises(InputError) as caught:
        plan(folder, *names, **given)
    return str(caught.value)


# --- one lock for several targets -------------------------------------------------------------------------------------


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
    assert environment.applies(found["1.0"], table[GNU], "3.13.5")
    assert environment.applies(found["2.0"], table[ARM], "3.13.5")
    assert not environment.applies(found["2.0"], table[GNU], "3.13.5")
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
    assert project.load(script).dependencies.file == folder / "pylock.tool-v2.toml"
    (folder / "deps.txt").write_text("ccc==1.0\n")
    assert versions(lock(folder, requirements="deps.txt")).keys() == {"ccc"}
    assert project.load(folder, requirements="deps.txt").dependencies.kind == "pylock"
    (folder / "other.txt").write_text("aaa\n")
    assert project.load(folder, requirements="other.txt").dependencies.kind == "requirements"


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
    assert project.load(wheel, runtime="pbs").dependencies.kind == "wheels"
    assert versions(lock(wheel)) == {"aaa": "1.0", "bbb": "1.0"}
    assert project.load(wheel, runtime="pbs").dependencies.file == tmp_path / "pylock.bbb.toml"


@pytest.mark.parametrize(
    ("python", "told"), [(">=3.14", "asks for Python >=3.14, and linux-gnu-x86_64 gets CPython 3.13.5 from pbs"),
                         ("3.13", "requires-python in .* is '3.13'")],
)  # fmt: skip
def test_a_program_for_another_python(app, python, told):
    for call in (lock, plan):
        with pytest.raises(InputError, match=told):
            call(app("aaa", python=python))


# --- what a lock is held against --------------------------------------------------------------------------------------


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
    found = project.load(made, runtime="pbs", **CHOSEN)
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
    assert "what its build backend reads has changed" in refused(folder, entry="main.py")
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
    found = planning.runtime(
        project.load(made, **CHOSEN),
        targets.load()[GNU],
        build=tmp_path / "build",
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

FOREIGN = 'lock-version = "1.0"\ncreated-by = "somebody"\npackages = []\n'
UV_LOCK = 'version = 1\nrevision = 3\nrequires-python = ">=3.13"\n'


def test_a_foreign_lock_is_taken_as_it_is(app):
    folder = app("aaa")
    (folder / "pylock.toml").write_text(FOREIGN)
    plan(folder)
    assert locked.read(folder / "pylock.toml") is None


def test_two_locks(index, app):
    folder = app("aaa")
    (folder / "pylock.toml").write_text(FOREIGN)
    (folder / "uv.lock").write_text(UV_LOCK)
    with pytest.raises(InputError, match=r"there are two locks: .*pylock\.toml and uv\.lock"):
        project.load(folder)
    assert project.load(folder, requirements="uv.lock").dependencies.kind == "uv-lock"
    index.add("aaa", "1.0")
    lock(folder, requirements="pyproject.toml")  # ours says what it was made from
    found = project.load(folder).dependencies
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
        locking.check(project.load(folder), targets.select([GNU], targets.load()), settings=Settings())


@pytest.mark.parametrize("text", ["targets = 3\n", "from = 1\n", "[[[\n", "\xff"])
def test_a_damaged_table_is_one_error(app, text):
    folder = app("aaa")
    (folder / "pylock.toml").write_bytes(f'lock-version = "1.0"\n[tool.pypack]\n{text}'.encode("latin-1"))
    assert "pylock.toml cannot be read" in refused(folder)
