"""Packages by themselves and together: their frames, what they bring, what they may not."""

from __future__ import annotations

import io
import json
import random
import subprocess
import tarfile
import zipfile

import pytest
from tests.support.wheels import entry_points, wheel
from tests.unit.bundle.test_writer import listed

from pypack.base import targets
from pypack.bundle import layer
from pypack.deps import contents, merge_wheels, wheels
from pypack.errors import ArchiveError, StepError
from pypack.formats.binaries import loading
from pypack.formats.image import ImageBuilder
from pypack.steps.step import Context, Settings

TABLE = targets.load()
MIB = 1 << 20


def context(product, inputs=(), said=None, unhashed=None, **params):
    said = [] if said is None else said
    settings = Settings(say=said.append)
    return Context(product=product, inputs=tuple(inputs), params=params, unhashed=unhashed or {}, settings=settings)


def image_of(folder, name, *, link="", **files):
    path = folder / f"{name}.tar"
    with ImageBuilder(name) as builder:
        for file, data in files.items():
            builder.add(file.replace("__", "/"), data.encode() if isinstance(data, str) else data)
        if link:
            builder.add_link("lib", link)
        builder.write(path)
    return path


def unpacked(folder, *paths):
    images = []
    for path in paths:
        images.append(folder / f"{path.stem}.tar")
        wheels.run_wheel(context(images[-1], [path]))
    return images


def joined(folder, images, target="linux-gnu-x86_64", said=None):
    """Return the facts of all, and the path of their layer."""
    system = {"container": TABLE[target].container, "arch": TABLE[target].arch, "libc": TABLE[target].libc}
    told, parts = [folder / f"{each.stem}.json" for each in images], [folder / f"{each.stem}.part" for each in images]
    for image, facts, part in zip(images, told, parts, strict=True):
        contents.run_contents(context(facts, [image], **system))
        layer.run_layer(context(part, [image], profile="dev", part=True))
    facts = folder / "facts.json"
    (folder / "runtime.json").write_text(json.dumps({"natives": []}))
    endings = loading.suffixes(TABLE[target], "3.13")
    params = {"suffixes": endings, "exclude": [], "names": []}
    inputs = [folder / "runtime.json", *told]
    merge_wheels.run_facts(context(facts, inputs, said, unhashed={"target": TABLE[target]}, **params))
    whole = folder / "deps.layer"
    merge_wheels.run_layer(context(whole, [facts, *parts], profile="dev"))
    return json.loads(facts.read_text()), whole


def members(path):
    """Return the members of a layer, by Debian's zstd and Python's tarfile; its list must be that of its files."""
    plain = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        found = {info.name: tar.extractfile(info).read() if info.isfile() else info.type for info in tar}
        links = {info.name for info in tar if info.issym() or info.isdir()}
    assert found.pop(".pypack-files") == listed({name: data for name, data in found.items() if name not in links})
    return found


def test_a_layer_of_several_images_is_one_tar_and_their_frames_are_not_packed_again(tmp_path):
    chance = random.Random(3)
    big = {f"site-packages__n{number}": chance.randbytes(size) for number, size in enumerate([9 * MIB, 5, 3 * MIB])}
    images = [image_of(tmp_path, "big", **big), image_of(tmp_path, "small", **{"site-packages__s": "s"})]
    facts, whole = joined(tmp_path, images)
    assert members(whole) == {name.replace("__", "/"): data for name, data in big.items()} | {"site-packages/s": b"s"}
    frames = list(layer.read(whole))
    ready = [frame for image in images for frame in layer.read(image.with_suffix(".part"))]
    assert frames[:-1] == ready
    with tarfile.open(fileobj=io.BytesIO(layer.unpack(frames[-1]))) as last:
        assert last.getnames() == [".pypack-files"]
    assert facts["members"] == 4
    assert facts["bytes"] == 12 * MIB + 6


def test_two_packages_with_one_file(tmp_path):
    big = {"shared.py": "x", **{f"a{number}.bin": chr(97 + number) * 3_000_000 for number in range(4)}}
    same = [wheel(tmp_path, "one", {"shared.py": "x"}), wheel(tmp_path, "two", big)]
    facts, whole = joined(tmp_path, unpacked(tmp_path, *same))
    assert facts["dropped"] == [[], ["site-packages/shared.py"]]
    assert members(whole)["site-packages/shared.py"] == b"x"
    mine = list(layer.read(tmp_path / f"{same[1].stem}.part"))
    assert mine[0] in list(layer.read(whole))  # only the frame that the file stands in was packed again
    assert facts["members"] == len(members(whole))
    other = wheel(tmp_path, "three", {"shared.py": "y"})
    with pytest.raises(StepError, match=r"one-1.*and three-1.*both bring site-packages/shared\.py"):
        joined(tmp_path, unpacked(tmp_path, *same, other))


def test_a_wheel_of_which_nothing_is_left(tmp_path):
    images = [image_of(tmp_path, name, **{"site-packages__a": "x"}) for name in ("one", "two")]
    facts, whole = joined(tmp_path, images)
    assert members(whole) == {"site-packages/a": b"x"}
    assert facts["bytes"] == 1


def test_no_packages_at_all(tmp_path):
    facts, whole = joined(tmp_path, [])
    assert members(whole) == {"site-packages": tarfile.DIRTYPE}
    assert facts["distributions"] == []


def test_the_profile_changes_the_bytes_and_not_the_identity(tmp_path):
    images = [image_of(tmp_path, name, **{f"site-packages__{name}": name * 999}) for name in ("one", "two")]
    _, whole = joined(tmp_path, images)
    parts = [tmp_path / f"{image.stem}.small" for image in images]
    for image, part in zip(images, parts, strict=True):
        layer.run_layer(context(part, [image], profile="release", part=True))
    small = tmp_path / "small.layer"
    merge_wheels.run_layer(context(small, [tmp_path / "facts.json", *parts], profile="release"))
    assert layer.read_facts(small).sha256 == layer.read_facts(whole).sha256
    assert small.read_bytes() != whole.read_bytes()


@pytest.mark.parametrize("other", [{"link": "elsewhere"}, {"lib": "text"}, {"lib__inner": "text"}])
def test_a_link_in_the_place_of_another_thing_is_told(tmp_path, other):
    one, two = image_of(tmp_path, "one", link="here", here="x"), image_of(tmp_path, "two", **other)
    for images in ((one, two), (two, one)):
        with pytest.raises(StepError, match=r"both bring lib|brings the link lib, and two brings lib/inner"):
            joined(tmp_path, images)
    joined(tmp_path, (one, image_of(tmp_path, "same", link="here")))


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
    assert joined(tmp_path, images)[0]["members"] == 2
    for target in ("windows-x86_64", "macos-aarch64"):
        with pytest.raises(StepError, match=told):
            joined(tmp_path, images, target)


def test_one_wheel_with_two_spellings(tmp_path):
    with pytest.raises(StepError, match=r"^one brings A and a, which are one name"):
        joined(tmp_path, [image_of(tmp_path, "one", A="x", a="y")], "windows-x86_64")


def test_path_lines_of_pth_files_become_folders_and_lines_of_code_are_told(tmp_path):
    lines = "# a comment\n\nvendored\n./vendored/\n../data/more\nnowhere\n/usr/lib/python3\n"
    one = wheel(tmp_path, "one", {"b.pth": lines, "vendored/v.py": "", ".hidden.pth": "import os\n",
                                  "one-1.0.data/data/more/m.py": "", "one/c.pth": "import os\n"})  # fmt: skip
    two = wheel(tmp_path, "two", {"a.pth": "earlier\n", "earlier/e.py": ""})
    said = []
    facts, _ = joined(tmp_path, unpacked(tmp_path, one, two), said=said)
    assert facts["paths"] == ["site-packages/earlier", "site-packages/vendored", "data/more"]
    assert facts["site"] is False
    assert [line.split()[4] for line in said] == ["nowhere,", "/usr/lib/python3,"]
    runs = wheel(tmp_path, "three", {"z.pth": "import os; x = 1\n"})
    assert joined(tmp_path, unpacked(tmp_path, one, runs))[0]["site"] is True


def test_what_is_excluded_is_in_no_image_and_no_record(tmp_path):
    files = {"demo/__init__.py": "", "demo/tests/test_x.py": "", "demo/data/a.bin": "", "demo/data/b.txt": ""}
    points = {"demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:run\n"}
    path = wheel(tmp_path, "demo", files, extra=points.items())
    image = tmp_path / "demo.tar"
    wheels.run_wheel(context(image, [path], drop=["demo/data/*.bin", "../bin"], tests=True))
    with ImageBuilder("x") as builder:
        builder.add_image(image)
        record = builder.read("site-packages/demo-1.0.dist-info/RECORD").decode()
        found = [each.removeprefix("site-packages/") for each in builder.paths() if ".dist-info" not in each]
    assert found == ["demo/__init__.py", "demo/data/b.txt"]
    assert "a.bin" not in record
    assert "demo/tests" not in record
    assert "bin/demo.py" not in record
    assert "demo/data/b.txt" in record


def test_a_script_of_the_name_of_a_command_stays_as_the_wheel_has_it(tmp_path):
    """As pywin32 has it: installers make tool.exe of the command, and the script is tool.py."""
    files = {"tool.py": "", "tool-1.0.data/scripts/tool.py": "print('its own')\n"}
    path = wheel(tmp_path, "tool", files, extra=entry_points("tool", "[console_scripts]\ntool = tool:run\n"))
    with ImageBuilder("x") as builder:
        builder.add_image(*unpacked(tmp_path, path))
        assert builder.read("bin/tool.py") == b"print('its own')\n"


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_a_dist_info_that_is_not_whole_is_told_by_the_distribution_s_name(tmp_path, name):
    path = wheel(tmp_path, "demo", {"demo.py": ""}, without=[name])
    with pytest.raises(ArchiveError) as caught:
        wheels.run_wheel(context(tmp_path / "x", [path]))
    assert f"the wheel of demo 1.0 cannot be unpacked ({path.name}): its demo-1.0.dist-info has no {name}" in str(
        caught.value
    )
    assert str(tmp_path) not in str(caught.value)


def test_a_record_that_does_not_hold_names_each_file(tmp_path):
    path = wheel(tmp_path, "demo", {"demo.py": "good", "other.py": "good"})
    with zipfile.ZipFile(path) as packed:
        whole = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(path, "w") as out:
        for name, data in {**whole, "demo.py": b"evil", "more.py": b""}.items():
            out.writestr(name, data)
    with pytest.raises(ArchiveError) as caught:
        wheels.run_wheel(context(tmp_path / "x", [path]))
    told = str(caught.value)
    assert told.startswith("the wheel of demo 1.0 cannot be unpacked")
    assert "\n  hash / size of demo.py didn't match RECORD" in told
    assert "\n  more.py is not mentioned in RECORD" in told
    assert "other.py" not in told


def test_what_is_no_wheel_is_told(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"PK\3\4 cut short")
    with pytest.raises(ArchiveError, match=r"the wheel of demo 1\.0 .*no zip file"):
        wheels.run_wheel(context(tmp_path / "x", [path]))
    other = wheel(tmp_path, "other", {"x.py": ""})
    other.rename(path)
    with pytest.raises(ArchiveError, match=r"\.dist-info directory doesn't match wheel filename"):
        wheels.run_wheel(context(tmp_path / "x", [path]))
