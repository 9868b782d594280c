"""Any images: cut into frames and joined again they are one tar, whatever is dropped of them."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.formats.test_image_properties import trees, write

from pypack.bundle import joined, layer, verify_layer
from pypack.deps import merge_wheels
from pypack.steps.step import Context, Settings


@pytest.fixture(autouse=True, scope="module")
def small_frames():
    """Cut frames where small files already fill several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "CLOSE_AT", 2 << 10)
        patch.setattr(layer, "LARGEST", 4 << 10)
        yield


def part_of(image: Path) -> Path:
    target = image.with_suffix(".part")
    params = {"profile": "dev", "part": True}
    layer.run_layer(Context(product=target, inputs=(image,), params=params, settings=Settings()))
    return target


def contents(data: bytes) -> dict[str, bytes | tuple[bytes, str]]:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as tar:
        return {
            info.name: tar.extractfile(info).read() if info.isfile() else (info.type, info.linkname) for info in tar
        }


def faults(frames: list[layer.Packed]) -> list[str]:
    """Let the reader of bundles look at the frames, which knows nothing of the writer."""
    tar = verify_layer.TarCheck()
    for frame in frames:
        tar.feed(layer.unpack(frame), continues_member=bool(frame.flags))
    return tar.end()


@given(trees())
def test_frames_are_the_tar_in_pieces(tree):
    with tempfile.TemporaryDirectory() as folder:
        image = write(tree, Path(folder) / "a.tar")
        frames = list(layer.frames(image))
        data = image.read_bytes()
    assert b"".join(frame.data for frame in frames) == data
    assert all(0 < len(frame.data) <= layer.LARGEST for frame in frames)
    starts = {0}
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as tar:
        starts |= {info.offset for info in tar}
        end = max([0, *(info.offset_data + -(-info.size // 512) * 512 for info in tar)])  # zeros follow
    at = 0
    for frame in frames:
        # one that carries on begins within a member, any other at one, or in the zeros
        assert frame.continues_member is (at not in starts and at < end)
        at += len(frame.data)


@st.composite
def several(draw: st.DrawFn) -> tuple[list[dict], list[set[str]]]:
    """Draw images that share no path, and what is dropped of each."""
    images = [
        {f"{number}/{path}": node for path, node in draw(trees(at_most=5)).items()}
        for number in range(draw(st.integers(0, 3)))
    ]
    dropped = [set(draw(st.lists(st.sampled_from(sorted(each)), max_size=4))) if each else set() for each in images]
    return images, dropped


@given(several(), st.integers(1, 3))
def test_joined_parts_are_one_layer_without_what_is_dropped(images_and_dropped, jobs):
    images, dropped = images_and_dropped
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [write(tree, folder / f"{number}.tar") for number, tree in enumerate(images)]
        parts = [part_of(file) for file in files]
        facts = joined.join(parts, folder / "all", dropped=dropped, folders=["empty"], profile="dev", jobs=jobs)
        frames = list(layer.read(folder / "all"))
        expected = {name: data for file in files for name, data in contents(file.read_bytes()).items()}
        again = joined.join(parts, folder / "again", dropped=dropped, folders=["empty"], profile="dev", jobs=1)
        assert (folder / "all").read_bytes() == (folder / "again").read_bytes()
    assert facts == again
    found = contents(b"".join(layer.unpack(frame) for frame in frames))
    listing = found.pop(".pypack-files")
    gone = set().union(*dropped)
    assert found == {"empty": (tarfile.DIRTYPE, "")} | {
        name: data for name, data in expected.items() if name not in gone
    }
    assert faults(frames) == []  # the list is that of the files, and no flag is wrong
    assert listing.splitlines()[-1] == b"%d" % sum(isinstance(data, bytes) for data in found.values())


def part(name: str, *rows: tuple[str, str, int, str]) -> dict:
    return {"wheel": name, "files": [list(row) for row in rows]}


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6), min_size=1, max_size=5))
def test_what_several_bring_alike_stays_once_in_the_first(wheels):
    parts = [part(f"w{number}", *((path, "file", 1, path) for path in paths)) for number, paths in enumerate(wheels)]
    dropped, kinds = merge_wheels.merged(parts)
    kept = [path for paths, gone in zip(wheels, dropped, strict=True) for path in paths if path not in gone]
    assert sorted(kept) == sorted(kinds) == sorted({path for paths in wheels for path in paths})
    for path in kinds:
        first = next(number for number, paths in enumerate(wheels) if path in paths)
        assert path not in dropped[first]
