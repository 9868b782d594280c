"""Tags, locks and wheels."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile

import pytest

from pypack import targets
from pypack.errors import ArchiveError, FetchError, InputError, StepError
from pypack.images.image import ImageBuilder
from pypack.packages import lock, requirements, resolve, tags, uv_settings, wheels
from pypack.pipeline import Context, Hidden, Settings

TABLE = targets.load()
HASH = {"sha256": "0" * 64}


def wheel(folder, name, files, *, version="1.0", extra=()):
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        **dict(extra),
    }
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for member, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        writer.writerow((member, f"sha256={digest}", len(text)))
    writer.writerow((f"{info}/RECORD", "", ""))
    with zipfile.ZipFile(path, "w") as out:
        for member, text in files.items():
            out.writestr(member, text)
        out.writestr(f"{info}/RECORD", rows.getvalue())
    return path


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
    assert len(set(seen)) == 4
    assert not any("secret" in each for each in seen)


def test_an_outdated_lock_is_not_read(tmp_path):
    requirements = tmp_path / "r.txt"
    requirements.write_text("click\n")
    stamp = resolve.stamp({"python": "3.13.5"}, [requirements])
    path = tmp_path / "pylock.toml"
    path.write_text(f'# made from: {stamp}\nlock-version = "1.0"\n')
    assert lock.read(path, stamp=stamp)["lock-version"] == "1.0"
    requirements.write_text("rich\n")
    with pytest.raises(InputError, match="outdated"):
        lock.read(path, stamp=resolve.stamp({"python": "3.13.5"}, [requirements]))


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
        lock.check_offline(chosen)


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
    assert "sys.exit(run.run())" in script
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


def unpacked(tmp_path, *paths):
    images = []
    for path in paths:
        images.append(tmp_path / f"{path.stem}.tar")
        with ImageBuilder("wheel") as builder:
            wheels.unpack_wheel(builder, path)
            builder.write(images[-1])
    return images


def test_two_packages_with_one_file(tmp_path):
    same = [wheel(tmp_path, "one", {"shared.py": "x"}), wheel(tmp_path, "two", {"shared.py": "x"})]
    with ImageBuilder("deps") as builder:
        wheels.merge(builder, unpacked(tmp_path, *same))
        assert builder.paths().count("site-packages/shared.py") == 1
    other = wheel(tmp_path, "three", {"shared.py": "y"})
    told = r"one-1.*and three-1.*both bring site-packages/shared\.py"
    with ImageBuilder("deps") as builder, pytest.raises(StepError, match=told):
        wheels.merge(builder, unpacked(tmp_path, *same, other))


def image_of(folder, name, *, link="", **files):
    path = folder / f"{name}.tar"
    with ImageBuilder(name) as builder:
        for file, text in files.items():
            builder.add(file.replace("__", "/"), text.encode())
        if link:
            builder.add_link("lib", link)
        builder.write(path)
    return path


@pytest.mark.parametrize("other", [{"link": "elsewhere"}, {"lib": "text"}, {"lib__inner": "text"}])
def test_a_link_in_the_place_of_another_thing_is_told(tmp_path, other):
    told = r"both bring lib|'lib' above"
    one, two = image_of(tmp_path, "one", link="here", here="x"), image_of(tmp_path, "two", **other)
    for images in ((one, two), (two, one)):
        with ImageBuilder("deps") as builder, pytest.raises((StepError, ArchiveError), match=told):
            wheels.merge(builder, images)
            builder.write(tmp_path / "deps.tar")
    with ImageBuilder("deps") as builder:
        wheels.merge(builder, (one, image_of(tmp_path, "same", link="here")))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"Lib__a": "x"}, r"bring lib/A and Lib/a|bring lib and Lib"),
        ({"lib__a": "x"}, "one and two bring lib/A and lib/a"),
        ({"LIB__b": "x"}, "one and two bring lib and LIB"),
    ],
)
def test_names_that_differ_in_case_only_are_told_where_they_are_one(tmp_path, files, told):
    images = image_of(tmp_path, "one", lib__A="x"), image_of(tmp_path, "two", **files)
    with ImageBuilder("deps") as builder:
        wheels.merge(builder, images)
        assert len(builder) == 2
    for container in ("pe", "macho"):
        with ImageBuilder("deps") as builder, pytest.raises(StepError, match=told):
            wheels.merge(builder, images, container=container)
    params = {"target": Hidden(TABLE["windows-x86_64"])}
    work = Context(product=tmp_path / "p", inputs=(), extra=images, params=params, settings=Settings())
    with pytest.raises(StepError, match=told):
        wheels.run_deps(work)


def test_one_wheel_with_two_spellings(tmp_path):
    with ImageBuilder("deps") as builder, pytest.raises(StepError, match=r"^one brings A and a, which are one name"):
        wheels.merge(builder, [image_of(tmp_path, "one", A="x", a="y")], container="pe")
