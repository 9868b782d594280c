"""Headers of tars are read and written as Python's own reader and writer do it."""

from __future__ import annotations

import io
import tarfile

import pytest

from pypack.formats import headers, tar

NAMES = ("a", "folder/b", "long/" * 30 + "name", "ü" * 60, "\udcff")


def written(*members: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for each in members:
            tar.addfile(each, io.BytesIO(b"x" * each.size) if each.isfile() else None)
    return file.getvalue()


def info(name: str, **values) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(made, key, value)
    return made


def found(data: bytes) -> list[tar.Member]:
    members, at = [], 0
    while member := tar.member(lambda offset, size: data[offset : offset + size], at):
        members.append(member)
        at = member.content + tar.padded(member.size)
    return members


def test_members_are_those_that_python_finds():
    members = [info(name, size=700, mode=0o755, mtime=315532800) for name in NAMES]
    members += [info(f"{name}-link", type=tarfile.SYMTYPE, linkname=name, uid=7, gid=9) for name in NAMES]
    members += [info(f"{name}-folder", type=tarfile.DIRTYPE) for name in NAMES]
    data = written(*members)
    ours = [
        (each.name.decode("utf-8", "surrogateescape").rstrip("/"), each.kind, each.size, each.mode, each.content)
        for each in found(data)
    ]
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as whole:
        assert ours == [(each.name, each.type, each.size, each.mode, each.offset_data) for each in whole]
    links = [each for each in found(data) if each.kind == tar.LINK]
    assert [each.link.decode("utf-8", "surrogateescape") for each in links] == list(NAMES)
    assert {(each.user, each.group, each.time) for each in links} == {(7, 9, 0)}


@pytest.mark.parametrize("name", [*NAMES, "x" * 99, "x" * 100, "x" * 101, "ä" * 50])
def test_headers_are_those_that_python_writes(name):
    raw = name.encode("utf-8", "surrogateescape")
    for kind, size in (("file", 0), ("file", 5), ("file", 10 << 30), ("link", 0), ("folder", 0)):
        made = info(name, mtime=headers.EPOCH, size=size, mode=0o755)
        if kind == "link":
            made.type, made.linkname = tarfile.SYMTYPE, name
            ours = headers.of(raw, tar.LINK, mode=0o755, link=raw)
        elif kind == "folder":
            made.type = tarfile.DIRTYPE
            ours = headers.of(raw + b"/", tar.FOLDER, mode=0o755)
        else:
            ours = headers.of(raw, tar.FILE, mode=0o755, size=size)
        assert ours == made.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def test_sizes_beyond_octal_digits_are_read():
    head = info("big", size=10 << 30).tobuf(tarfile.GNU_FORMAT)
    assert tar.member(lambda offset, size: head[offset : offset + size], 0).size == 10 << 30


def test_what_is_cut_or_no_header_is_an_error():
    data = written(info("long/" * 30 + "name", size=5))
    for broken in (data[:300], data[:512], data[:700], data[:1100], b"\1" * 1024, data[:148] + b"9" + data[149:]):
        with pytest.raises(ValueError, match=r"header|long name|number"):
            found(broken)


def field(data: bytes, at: int, text: bytes) -> bytes:
    """Replace bytes of a header, and its checksum."""
    changed = bytearray(data[: tar.BLOCK])
    changed[at : at + len(text)] = text
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed) + data[tar.BLOCK :]


@pytest.mark.parametrize(
    ("at", "text"),
    [(124, b"-0000001000\0"), (124, b"+0000000005\0"), (124, b"0_000000005\0"), (124, b"0o000000005\0"), (257, b"pax")],
)
def test_numbers_that_only_python_takes_and_other_formats_are_refused(at, text):
    """A negative size would lead back, for ever."""
    with pytest.raises(ValueError, match=r"header|number"):
        found(field(written(info("a", size=5)), at, text))


def test_a_link_has_no_content():
    with pytest.raises(ValueError, match="content"):
        found(field(written(info("a", type=tarfile.SYMTYPE, linkname="b")), 124, b"00000000005\0"))


def test_names_end_at_the_first_nul():
    data = field(written(info("a")), 0, b"..\0x")
    assert found(data)[0].name == b".."
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == [".."]
