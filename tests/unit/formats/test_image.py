"""Images: normalised, sorted, the same bytes whatever order they were filled in."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from pypack.errors import ArchiveError
from pypack.formats import headers
from pypack.formats import image as images
from pypack.formats.image import ImageBuilder


def write(path, fill):
    with ImageBuilder("tree") as builder:
        fill(builder)
        builder.write(path)
    return path


def test_the_order_of_adding_does_not_change_the_bytes(tmp_path):
    def forwards(builder):
        builder.add("a/x", b"1")
        builder.add("b", b"22", executable=True)
        builder.add_link("a/l", "x")

    def backwards(builder):
        builder.add_link("a/l", "x")
        builder.add("b", io.BytesIO(b"22"), executable=True)
        builder.add_dir("a")
        builder.add("a/x", b"1")

    one, two = write(tmp_path / "1", forwards), write(tmp_path / "2", backwards)
    assert one.read_bytes() == two.read_bytes()


def test_members_are_normalised(tmp_path):
    image = write(tmp_path / "i", lambda b: (b.add("./d/f", b"x", executable=True), b.add_dir("empty/")))
    with tarfile.open(image) as tar:
        infos = tar.getmembers()
    assert [(i.name, i.mode, i.mtime, i.uid, i.uname) for i in infos] == [
        ("d/f", 0o755, headers.EPOCH, 0, ""),
        ("empty", 0o755, headers.EPOCH, 0, ""),
    ]


def test_long_names_and_contents_survive(tmp_path):
    long = "/".join(["folder" * 10] * 6) + "/ä.txt"
    image = write(tmp_path / "i", lambda b: (b.add(long, b"content"), b.add_link("z", long)))
    read = {m.path: (m.link, s.read() if s else None) for m, s in images.read_image(image)}
    assert read == {long: ("", b"content"), "z": (long, None)}


def test_unpack_gives_modes_links_and_empty_folders(tmp_path):
    image = write(
        tmp_path / "i", lambda b: (b.add("bin/x", b"#!", executable=True), b.add_link("l", "bin/x"), b.add_dir("e"))
    )
    images.unpack(image, tmp_path / "out")
    assert os.access(tmp_path / "out/bin/x", os.X_OK)
    assert (tmp_path / "out/l").readlink().as_posix() == "bin/x"
    assert (tmp_path / "out/e").is_dir()


def test_remove_and_replace(tmp_path):
    def fill(builder):
        for path in ("a/1", "a/2", "b"):
            builder.add(path, b"old", executable=True)
        builder.remove("a")
        builder.replace("b", b"new")

    members = images.list_image(write(tmp_path / "i", fill))
    assert [(m.path, m.executable, m.size) for m in members] == [("b", True, 3)]


def test_add_tree_refuses_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ImageBuilder("tree") as builder, pytest.raises(ArchiveError, match="neither a file"):
        images.add_tree(builder, tmp_path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("../x", "leaves the tree"),
        ("a/../../x", "leaves the tree"),
        ("C:\\x", "absolute or foreign"),
        ("./C:/x", "absolute or foreign"),
        ("a\\b", "absolute or foreign"),
        ("a\0b", "not a usable path"),
        ("", "the tree itself"),
        ("x" * 5000, "not a usable path"),
    ],
)
def test_hostile_paths_are_refused_by_name(path, why):
    with ImageBuilder("tree") as builder, pytest.raises(ArchiveError, match=why):
        builder.add(path, b"")


@pytest.mark.parametrize("link", ["/etc", "../../out", "..", "c:/x", "./c:/x", "", "a\0"])
def test_links_out_of_the_tree_are_refused(link):
    with ImageBuilder("tree") as builder, pytest.raises(ArchiveError):
        builder.add_link("d/link" if link != ".." else "link", link)


def test_a_member_below_a_file_or_link_is_refused(tmp_path):
    with ImageBuilder("tree") as builder:
        builder.add_link("d", "elsewhere")
        builder.add("d/f", b"")
        with pytest.raises(ArchiveError, match="above it is a link"):
            builder.write(tmp_path / "i")


@pytest.mark.parametrize("keep", [0, 100, 512, 1024, 1536, -512, -1])
def test_a_cut_image_is_one_error(tmp_path, keep):
    image = write(tmp_path / "i", lambda b: (b.add("a", b"x" * 600), b.add("b", b"y")))
    image.write_bytes(image.read_bytes()[:2560][:keep])
    with pytest.raises(ArchiveError, match="is damaged"):
        images.list_image(image)
