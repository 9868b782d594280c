"""Archives from outside: every kind is read, every trick is refused member by member."""

from __future__ import annotations

import io
import lzma
import random
import tarfile
import zipfile

import pytest
import zstandard

from pypack.errors import ArchiveError
from pypack.formats import archive
from pypack.formats.image import list_image, read_image


def tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as out:
        for info, data in members:
            out.addfile(info, io.BytesIO(data) if data is not None else None)
    return path


def entry(name, data=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


GOOD = [
    entry("python/bin/python3.13", b"\x7fELF", mode=0o755),
    entry("python/bin/python3", type=tarfile.SYMTYPE, linkname="python3.13"),
    entry("python/lib/os.py", b"x = 1\n"),
    entry("python/lib/hard", type=tarfile.LNKTYPE, linkname="python/lib/os.py"),
]


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:xz", "w:bz2"])
def test_every_compression_gives_one_image(tmp_path, mode):
    archive.extract(tar(tmp_path / "a", GOOD, mode), tmp_path / "i", strip=1)
    found = {m.path: (m.kind, m.executable, s.read() if s else m.link) for m, s in read_image(tmp_path / "i")}
    assert found == {
        "bin/python3.13": ("file", True, b"\x7fELF"),
        "bin/python3": ("link", False, "python3.13"),
        "lib/os.py": ("file", False, b"x = 1\n"),
        "lib/hard": ("file", False, b"x = 1\n"),
    }


def test_zstd_is_read(tmp_path):
    plain = tar(tmp_path / "a", GOOD, "w:")
    (tmp_path / "z").write_bytes(zstandard.compress(plain.read_bytes()))
    archive.extract(tmp_path / "z", tmp_path / "i", under="python/lib")
    assert [m.path for m in list_image(tmp_path / "i")] == ["hard", "os.py"]


def test_zip_keeps_modes_and_links(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        tool = zipfile.ZipInfo("d/tool")
        tool.external_attr = 0o100755 << 16
        out.writestr(tool, b"run")
        link = zipfile.ZipInfo("d/link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, b"tool")
    archive.extract(tmp_path / "a.zip", tmp_path / "i")
    assert [(m.path, m.kind, m.executable, m.link) for m in list_image(tmp_path / "i")] == [
        ("d/link", "link", False, "tool"),
        ("d/tool", "file", True, ""),
    ]


HOSTILE = {
    "absolute": ([entry("/etc/cron.d/x", b"x")], "/etc/cron.d/x"),
    "dots": ([entry("a/../../x", b"x")], "a/../../x"),
    "drive": ([entry("C:/x", b"x")], "C:/x"),
    "backslash": ([entry("..\\x", b"x")], "x"),
    "link out": ([entry("l", type=tarfile.SYMTYPE, linkname="../../etc")], "'l'"),
    "absolute link": ([entry("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "'l'"),
    "through a link": ([entry("l", type=tarfile.SYMTYPE, linkname="d"), entry("l/x", b"x")], "l/x"),
    "hard link out": ([entry("h", type=tarfile.LNKTYPE, linkname="../x")], "../x"),
    "hard link to nothing": ([entry("h", type=tarfile.LNKTYPE, linkname="missing")], "'h'"),
    "device": ([entry("dev", type=tarfile.CHRTYPE)], "dev"),
    "block device": ([entry("dev", type=tarfile.BLKTYPE)], "dev"),
    "pipe": ([entry("fifo", type=tarfile.FIFOTYPE)], "fifo"),
    "twice": ([entry("a", b"1"), entry("a", b"2")], "'a'"),
    "twice by another spelling": ([entry("a", b"1"), entry("./a", b"2")], "'a'"),
    "file and folder": ([entry("a", b"1"), entry("a/b", b"2")], "a/b"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tars_are_refused_by_the_member_s_name(tmp_path, name):
    members, told = HOSTILE[name]
    path = tar(tmp_path / "evil.tar", members, "w:")
    with pytest.raises(ArchiveError) as caught:
        archive.extract(path, tmp_path / "i")
    assert told in str(caught.value)
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "a\\..\\..\\x", "c:/x"])
def test_hostile_zips_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as out:
        out.writestr(name, b"x")
    with pytest.raises(ArchiveError):
        archive.extract(tmp_path / "evil.zip", tmp_path / "i")


def test_a_bomb_is_stopped_early(tmp_path):
    path = tar(tmp_path / "bomb", [entry("zeros", bytes(30_000_000))], "w:gz")
    with pytest.raises(ArchiveError, match="times its size"):
        archive.extract(path, tmp_path / "i", limits=archive.Limits(ratio=100, free=1_000_000))
    with pytest.raises(ArchiveError, match="more than 5000000 bytes"):
        archive.extract(path, tmp_path / "i", limits=archive.Limits(unpacked=5_000_000))


def test_too_many_members_are_refused(tmp_path):
    path = tar(tmp_path / "many", [entry(f"f{n}") for n in range(11)], "w:")
    with pytest.raises(ArchiveError, match="more than 10 members"):
        archive.extract(path, tmp_path / "i", limits=archive.Limits(members=10))


@pytest.mark.parametrize("cut", [10, 100, 20_000])
def test_a_cut_archive_is_one_error(tmp_path, cut):
    whole = tar(tmp_path / "a", [entry("f", random.Random(1).randbytes(25_600))], "w:xz").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:cut])
    with pytest.raises(ArchiveError, match=r"cut.* cannot be read"):
        archive.extract(tmp_path / "cut", tmp_path / "i")


def test_what_is_no_archive_is_one_error(tmp_path):
    for content in (b"", b"hello", lzma.compress(b"hello")):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ArchiveError):
            archive.extract(tmp_path / "x", tmp_path / "i")
