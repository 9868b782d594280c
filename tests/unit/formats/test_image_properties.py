"""Any tree: what is written as an image is read again, by Python's own reader too; no path leads out of it."""

from __future__ import annotations

import io
import os.path
import posixpath
import tarfile
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from pypack.bundle import verify_layer
from pypack.errors import ArchiveError
from pypack.formats import headers, image, paths, tar
from pypack.formats.image import ImageBuilder, Member

ROOT = "/some/root"
# names of files: also long ones, blanks, line breaks, and bytes that are no UTF-8
LETTERS = st.characters(codec="utf-8", exclude_characters="\0/\\") | st.sampled_from("\udcff\udc80 .-\n")
NAMES = st.text(LETTERS, min_size=1, max_size=70).filter(lambda name: name not in {".", ".."} and name[1:2] != ":")
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
HOSTILE = st.lists(st.sampled_from(["..", ".", "", "a", "b", "C:", "\\", "..\\", "\0", "..."]), max_size=6).map(
    "/".join
)
NODES = st.tuples(st.just("file"), st.binary(max_size=1500), st.booleans()) | st.tuples(st.just("dir"))


def is_apart(path: str, tree: dict) -> bool:
    """Say whether a path is neither a folder of another one nor below one."""
    return not any(other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in tree)


@st.composite
def trees(draw: st.DrawFn, at_most: int = 8) -> dict[str, tuple]:
    """Draw ``{path: node}`` of files, empty folders, and links that stay inside."""
    tree: dict[str, tuple] = {}
    for path, node in draw(st.lists(st.tuples(PATHS, NODES), max_size=at_most, unique_by=lambda each: each[0])):
        if is_apart(path, tree):
            tree[path] = node
    for path in draw(st.lists(PATHS, max_size=2, unique=True)):
        if path not in tree and is_apart(path, tree):
            up = "../" * path.count("/")
            tree[path] = ("link", up + draw(st.sampled_from([*tree, "gone"])))
    return tree


def write(tree: dict[str, tuple], target: Path) -> Path:
    with ImageBuilder("tree", folder=target.parent) as builder:
        for path, (kind, *more) in tree.items():
            match kind:
                case "file":
                    builder.add(path, more[0], executable=more[1])
                case "link":
                    builder.add_link(path, more[0])
                case _:
                    builder.add_dir(path)
        builder.write(target)
    return target


def read(path: Path) -> dict[str, tuple]:
    found: dict[str, tuple] = {}
    for member, stream in image.read_image(path):
        match member:
            case Member(kind="file"):
                found[member.path] = ("file", stream.read(), member.executable)
            case Member(kind="link"):
                found[member.path] = ("link", member.link)
            case _:
                found[member.path] = ("dir",)
    return found


@given(trees())
def test_what_is_written_is_read_and_sorted(tree):
    with tempfile.TemporaryDirectory() as folder:
        found = read(write(tree, Path(folder) / "a.tar"))
    tree = {path: ("link", posixpath.normpath(node[1])) if node[0] == "link" else node for path, node in tree.items()}
    assert found == tree
    assert list(found) == sorted(tree, key=lambda path: path.encode("utf-8", "surrogateescape"))


@given(trees(), st.randoms(use_true_random=False))
def test_the_order_of_adding_and_what_was_removed_change_no_byte(tree, random):
    shuffled = list(tree.items())
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        first, second = write(tree, Path(folder) / "a.tar"), Path(folder) / "b.tar"
        with ImageBuilder("tree") as builder:
            builder.add("zzz/more", b"x")
            builder.add_image(write(dict(shuffled), Path(folder) / "c.tar"))
            builder.remove("zzz")
            builder.write(second)
        assert first.read_bytes() == second.read_bytes()


@given(trees())
def test_python_s_own_reader_finds_the_same(tree):
    with tempfile.TemporaryDirectory() as folder:
        path = write(tree, Path(folder) / "a.tar")
        ours = read(path)
        with tarfile.open(path, encoding="utf-8") as tar:
            theirs = {info.name: (info, tar.extractfile(info).read() if info.isfile() else b"") for info in tar}
    assert theirs.keys() == ours.keys()
    for name, (kind, *more) in ours.items():
        info, content = theirs[name]
        match kind:
            case "file":
                assert (info.isfile(), content, bool(info.mode & 0o100)) == (True, *more)
            case "link":
                assert (info.issym(), info.linkname) == (True, *more)
            case _:
                assert info.isdir()


@given(trees(), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6), st.integers(0, 8 << 10))
def test_a_damaged_tar_is_read_or_refused_and_never_for_ever(tree, changes, cut):
    with tempfile.TemporaryDirectory() as folder:
        data = bytearray(write(tree, Path(folder) / "a.tar").read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    data, at = bytes(data[: len(data) - cut]), 0
    try:
        while found := tar.member(lambda offset, size: data[offset : offset + size], at):
            assert found.content > at
            assert found.size >= 0
            at = found.content + tar.padded(found.size)
    except ValueError as error:
        assert str(error) in {
            "a long name that is cut, or empty", "no header", "no number", "a content of what has none",
        }  # fmt: skip


# --- paths ------------------------------------------------------------------------------------------------------------


def inside(path: str) -> bool:
    """Say by other means whether a path stays below a folder, on POSIX and on Windows."""
    import ntpath

    whole = os.path.normpath(os.path.join(ROOT, path))  # noqa: PTH118 - pathlib resolves nothing by itself
    windows = ntpath.normpath(ntpath.join("C:\\root", path))
    return (whole + "/").startswith(ROOT + "/") and (windows + "\\").startswith("C:\\root\\")


@given(PATHS | HOSTILE | st.text(max_size=12))
@example("a/./b//c/")
@example("C:x")
@example("./C:/x")
@example("...")
def test_a_path_is_refused_or_clean_and_inside(path):
    try:
        clean = paths.checked(path, archive="a")
    except ArchiveError as error:
        assert repr(path) in str(error)
        wrong = "\0" in path or "\\" in path or path.startswith("/") or ".." in path.split("/")
        assert wrong or posixpath.normpath(path)[1:2] == ":"
        return
    assert inside(path)
    assert clean == "" or (inside(clean) and posixpath.normpath(clean) == clean)
    assert paths.checked(clean, archive="a") == clean
    assert [*paths.parents(clean), clean][0] == clean.split("/")[0]


@given(PATHS | HOSTILE, HOSTILE | PATHS)
@example("a/b", "../../c")
@example("link", "..")
@example("link", "./c:/x")
def test_a_link_is_refused_or_stays_inside(path, target):
    try:
        path = paths.checked(path, archive="a")
        link = paths.checked_link(path, target, archive="a")
    except ArchiveError:
        return
    assert inside(posixpath.join(posixpath.dirname(path), target))
    assert inside(posixpath.join(posixpath.dirname(path), link))


@given(st.lists(PATHS | HOSTILE.filter(lambda path: "\0" not in path), min_size=1, max_size=4, unique=True))
@example(["a/../../b"])
@example(["/etc/passwd"])
def test_the_reader_of_bundles_finds_every_member_that_leaves_the_tree(names):
    """It shares no check with what writes."""
    tar = verify_layer.TarCheck()
    written = [name.encode("utf-8", "surrogateescape") for name in names if name.strip("/")]
    tar.feed(b"".join(headers.of(name, headers.FILE) for name in written), continues_member=False)
    told = "\n".join(tar.end())
    for name in names:
        posix = os.path.normpath(os.path.join(ROOT, name))  # noqa: PTH118
        if name.strip("/") and not (posix + "/").startswith(ROOT + "/"):
            assert f"{name.rstrip('/').encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')} leaves" in told


@given(st.binary(max_size=200).filter(lambda text: text and b"\0" not in text), st.integers(0, 1 << 40))
def test_headers_say_what_they_were_told(name, size):
    data = headers.of(name, headers.FILE, size=size)
    found = tar.member(lambda offset, count: io.BytesIO(data).getbuffer()[offset : offset + count].tobytes(), 0)
    assert (found.name, found.size, found.content) == (name, size, len(data))
