"""Tags, locks and wheels."""

from __future__ import annotations

import zipfile

import pytest
from tests.support.wheels import wheel

from pypack.base import hosts, targets
from pypack.deps import lock, requirements, resolve, tags, uv_settings, wheels
from pypack.deps.inputs import Dependencies
from pypack.download import fetch
from pypack.errors import ArchiveError, FetchError, InputError, StepError
from pypack.formats.image import ImageBuilder

TABLE = targets.load()
HASH = {"sha256": "0" * 64}


def test_floors_bound_the_platform_tags():
    gnu = tags.platforms(TABLE["linux-gnu-x86_64"])
    assert gnu[:2] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert "manylinux1_x86_64" in gnu
    assert "manylinux_2_28_x86_64" not in gnu
    assert tags.platforms(TABLE["windows-aarch64"]) == ["win_arm64"]
    assert tags.platforms(TABLE["linux-musl-aarch64"])[0] == "musllinux_1_2_aarch64"
    assert "macosx_11_0_arm64" in tags.platforms(TABLE["macos-aarch64"])


NAMES = [
    "n-1-cp313-cp313-manylinux_2_28_x86_64.whl",
    "n-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "n-1-cp37-abi3-manylinux1_x86_64.whl",
    "n-1-py3-none-any.whl",
    "not a wheel",
]


def test_the_most_specific_wheel_wins():
    accepted = tags.supported(TABLE["linux-gnu-x86_64"], "3.13", pure=False)
    assert tags.best(NAMES, accepted) == NAMES[1]
    assert tags.best(NAMES[2:], accepted) == NAMES[2]
    assert tags.best(NAMES[:1], accepted) is None


def test_a_static_runtime_takes_pure_wheels_only():
    accepted = tags.supported(TABLE["linux-musl-x86_64"], "3.13", pure=True)
    assert tags.best([*NAMES, "n-1-cp313-cp313-musllinux_1_2_x86_64.whl"], accepted) == NAMES[3]


def package(name, *files, **more):
    rows = [{"url": f"https://x.test/{file}", "hashes": HASH} for file in files]
    return {"name": name, "version": "1", "wheels": rows, **more}


def test_every_package_without_a_wheel_is_named_with_what_exists():
    table = {"packages": [package("numpy", "numpy-1-cp313-cp313-musllinux_1_2_x86_64.whl"), package("src"),
                          package("fine", "fine-1-py3-none-any.whl")]}  # fmt: skip
    with pytest.raises(StepError) as caught:
        lock.choose_wheels(table, TABLE["linux-musl-x86_64"], "3.13", static=True)
    told = str(caught.value)
    assert "numpy 1: native wheels only (musllinux_1_2_x86_64)" in told
    assert "src 1: there is no wheel of it" in told
    assert "fine" not in told
    assert "linux-gnu-x86_64" in told


def test_a_lock_without_a_hash_is_refused():
    table = {"packages": [{"name": "a", "version": "1", "wheels": [{"url": "https://x.test/a-1-py3-none-any.whl"}]}]}
    with pytest.raises(StepError, match="no sha256"):
        lock.choose_wheels(table, TABLE["linux-gnu-x86_64"], "3.13", static=False)


def test_requirement_files_follow_includes_once(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt\n--constraint 'sub/c.txt'  # why\nclick\n-r https://x.test/r.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/c.txt").write_text("")
    found = requirements.files(tmp_path / "a.txt")
    assert sorted(path.name for path in found) == ["a.txt", "b.txt", "c.txt"]
    (tmp_path / "sub/c.txt").unlink()
    with pytest.raises(InputError, match=r"c\.txt does not exist"):
        requirements.files(tmp_path / "a.txt")
    with pytest.raises(InputError, match="is a folder"):
        requirements.files(tmp_path)


def test_index_settings_change_the_fingerprint_and_stay_secret(monkeypatch, tmp_path):
    seen = [uv_settings.fingerprint(tmp_path)]
    monkeypatch.setenv("UV_INDEX_URL", "https://user:secret@x.test/simple")
    seen.append(uv_settings.fingerprint(tmp_path))
    (tmp_path / "pyproject.toml").write_text('[tool.uv]\nconstraint-dependencies = ["idna<3.5"]\n')
    seen.append(uv_settings.fingerprint(tmp_path / "sub"))
    (tmp_path / "uv.toml").write_text("offline = false\n")
    seen.append(uv_settings.fingerprint(tmp_path))
    for text in ("idna<3\n", "idna<2\n"):
        (tmp_path / "limits.txt").write_text(text)
        monkeypatch.setenv("UV_CONSTRAINT", "limits.txt")
        seen.append(uv_settings.fingerprint(tmp_path))
    for name in ("UV_NO_SOURCES", "UV_TORCH_BACKEND"):
        monkeypatch.setenv(name, "1")
        seen.append(uv_settings.fingerprint(tmp_path))
    assert len(set(seen)) == 8
    assert not any("secret" in each for each in seen)


@pytest.mark.parametrize(
    ("system", "variable", "file"),
    [("macos", "HOME", ".config/uv/uv.toml"), ("linux", "XDG_CONFIG_HOME", "uv/uv.toml"),
     ("linux", "XDG_CONFIG_DIRS", "uv/uv.toml"), ("windows", "APPDATA", "uv/uv.toml"),
     ("windows", "PROGRAMDATA", "uv/uv.toml")],
)  # fmt: skip
def test_settings_of_the_user_and_the_system_lie_where_uv_has_them(monkeypatch, tmp_path, system, variable, file):
    monkeypatch.setattr(hosts, "system", lambda: system)
    for name in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "APPDATA", "PROGRAMDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text('resolution = "lowest"\n')
    (tmp_path / "project").mkdir()
    assert {"resolution": "lowest"} in list(uv_settings.tables(tmp_path / "project"))


def test_what_a_lock_is_made_from_tells_whether_it_is_current(tmp_path):
    def request(folder="app", text="click\n", python="3.13.5", **more):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "r.txt").write_text(text)
        dependencies = Dependencies(kind="requirements", file=tmp_path / folder / "r.txt")
        target = TABLE["linux-gnu-x86_64"]
        return resolve.Request(dependencies=dependencies, target=target, python=python, **more).stamp

    stamp = request()
    path = tmp_path / "pylock.toml"
    path.write_text(f'# made from: {stamp}\nlock-version = "1.0"\n')
    assert lock.is_current(path, request())
    others = [request(text="rich\n"), request(python="3.13.6"), request(build=False), request(no_binary=("click",))]
    assert not any(lock.is_current(path, each) for each in others)
    assert request("another") != stamp, "the same text in another project's folder may mean other files"


def test_plain_paths_count_from_the_requirements_folder(tmp_path):
    table = {
        "packages": [{"name": "a", "version": "1", "archive": {"path": "wheels/a-1-py3-none-any.whl", "hashes": HASH}}]
    }
    (found,) = lock.choose_wheels(table, TABLE["linux-gnu-x86_64"], "3.13", static=False, base=tmp_path)
    assert found.pin.urls == (str(tmp_path / "wheels/a-1-py3-none-any.whl"),)


def test_offline_names_all_missing_wheels_at_once():
    table = {"packages": [package("a", "a-1-py3-none-any.whl"), package("b", "b-1-py3-none-any.whl")]}
    chosen = lock.choose_wheels(table, TABLE["linux-gnu-x86_64"], "3.13", static=False)
    with pytest.raises(FetchError, match=r"a-1-py3-none-any\.whl\n  b-1-py3"):
        fetch.check_offline([fetch.step(wheel.pin) for wheel in chosen])


@pytest.mark.parametrize("text", ["not toml [", 'lock-version = "2.0"\n', ""])
def test_what_is_no_lock_is_refused(tmp_path, text):
    path = tmp_path / "pylock.toml"
    path.write_text(text)
    with pytest.raises(InputError):
        lock.read(path)


def test_wheels_are_unpacked_with_metadata_data_and_scripts(tmp_path):
    path = wheel(
        tmp_path, "demo", {"demo/__init__.py": "", "demo/data.txt": "d", "demo-1.0.data/data/share/x": "s",
        "demo-1.0.data/scripts/tool": "#!python\nprint()\n"},
        extra={"demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:Main.run\n"}.items(),
    )  # fmt: skip
    with ImageBuilder("deps") as builder:
        wheels.unpack_wheel(builder, path)
        found = builder.paths()
        script = builder.read("bin/demo.py").decode()
        record = builder.read("site-packages/demo-1.0.dist-info/RECORD").decode()
    assert "site-packages/demo/data.txt" in found
    assert "data/share/x" in found
    assert "site-packages/demo-1.0.dist-info/INSTALLER" in found
    assert "sys.exit(Main.run())" in script
    assert str(tmp_path) not in record
    assert "demo/__init__.py" in record


def test_a_wheel_whose_content_is_not_its_record_is_refused(tmp_path):
    path = wheel(tmp_path, "demo", {"demo.py": "good"})
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    members["demo.py"] = b"evil"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in members.items():
            out.writestr(name, data)
    with ImageBuilder("deps") as builder, pytest.raises(ArchiveError, match=r"demo.*cannot be unpacked"):
        wheels.unpack_wheel(builder, path)


def test_a_wheel_that_leaves_the_tree_is_refused(tmp_path):
    path = wheel(tmp_path, "demo", {"../../evil.py": ""})
    with ImageBuilder("deps") as builder, pytest.raises(ArchiveError):
        wheels.unpack_wheel(builder, path)
