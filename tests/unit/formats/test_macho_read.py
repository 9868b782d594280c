"""Mach-O headers: what is read, and that hostile ones are refused in words."""

from __future__ import annotations

import io
import struct

import pytest
from tests.support import machos
from tests.support.machos import ARM64, DYLIB, X86_64, Recipe, macho

from pypack.errors import ArchiveError, PypackError
from pypack.formats import binaries
from pypack.formats.image import ImageBuilder
from pypack.formats.macho import check, fat, payload, read, rewrite

LIBRARY = Recipe(
    kind=DYLIB, own="/install/lib/libx.dylib", payload=False, needed=("/install/lib/liby.dylib",), rpaths=("/a",)
)
HEADERS = 0x500  # all load commands of the files made here end before


def universal() -> bytes:
    return machos.fat(macho(Recipe(cpu=X86_64)), macho(Recipe(cpu=ARM64)))


def test_thin():
    ((place, program),) = read.read_all(io.BytesIO(macho()))
    assert (place.arch, place.offset, program.arch, program.kind) == ("aarch64", 0, "aarch64", 2)
    assert [segment.name for segment in program.segments] == ["__PAGEZERO", "__TEXT", "__PYPACK", "__LINKEDIT"]
    assert program.room == 0x800


def test_fat(tmp_path):
    file = tmp_path / "both"
    file.write_bytes(universal())
    assert fat.slices(file) == [("x86_64", 0x4000, 0xC000 + 24), ("aarch64", 0x14000, 0xC000 + 24)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut short"),
        (b"\xcf\xfa\xed\xfe", "cut short"),
        (b"\xce\xfa\xed\xfe" + bytes(40), "for 32 bits"),
        (b"\xfe\xed\xfa\xcf" + bytes(40), "the other way round"),
        (b"\xfe\xed\xfa\xce" + bytes(40), "the other way round"),
        (b"\x7fELF" + bytes(60), "does not begin as one"),
        (struct.pack(">II", 0xCAFEBABE, 0) + bytes(60), "0 architectures"),
        (struct.pack(">II", 0xCAFEBABE, 65), "65 architectures"),  # a Java class
        (struct.pack(">II", 0xCAFEBABE, 2) + bytes(20), "cut short"),
        (machos.fat(b"", cpus=(ARM64,))[:28] + bytes(40), "wrong, or it is cut short"),
    ],
)
def test_what_is_refused(data, why, tmp_path):
    with pytest.raises(ArchiveError, match=why):
        read.read_all(io.BytesIO(data))
    file = tmp_path / "f"
    file.write_bytes(data)
    with pytest.raises(ArchiveError, match=f"{file} is no Mach-O file that can be used"):
        read.read_file(file)


def test_slices_that_overlap_or_repeat_are_refused():
    part = macho()
    row = struct.pack(">5I", ARM64, 0, 0x4000, len(part), 14)
    other = struct.pack(">5I", X86_64, 0, 0x4000, len(part), 14)
    body = bytes(0x4000 - 48) + part
    with pytest.raises(ArchiveError, match="overlap"):
        read.slices(io.BytesIO(struct.pack(">II", 0xCAFEBABE, 2) + row + other + body))
    twice = machos.fat(part, part, cpus=(ARM64, ARM64))
    with pytest.raises(ArchiveError, match="there twice"):
        read.slices(io.BytesIO(twice))
    with pytest.raises(ArchiveError, match="says x86_64"):
        read.read_all(io.BytesIO(machos.fat(part, cpus=(X86_64,))))


def all_readers(data: bytes, tmp_path) -> None:
    """Do everything that is done with files of others; only errors in words may come."""
    file = tmp_path / "f"
    file.write_bytes(data)
    check.faults(file)
    check.signature(file)
    binaries.read(io.BytesIO(data))
    for work in (
        lambda: rewrite.names(data),
        lambda: rewrite.rewrite(data, rewrite.Changes(own="@rpath/x", rpaths=("@loader_path/..",)), identifier="x"),
        lambda: payload.begin(file, io.BytesIO()),
    ):
        try:
            work()
        except PypackError as error:
            assert str(error)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("make", [macho, universal, lambda: macho(LIBRARY)])
def test_cuts_of_the_headers_are_told(make, signed, tmp_path):
    data = rewrite.resign(make(), identifier="x") if signed else make()
    starts = [0] if data[:4] == b"\xcf\xfa\xed\xfe" else [0, 0x4000]
    for size in [start + at for start in starts for at in range(0, HEADERS, 7)]:
        all_readers(data[:size], tmp_path)
        with pytest.raises(ArchiveError):
            read.read_all(io.BytesIO(data[:size]))
    for size in range(len(data) - 0x200, len(data), 13):
        all_readers(data[:size], tmp_path)


@pytest.mark.parametrize("value", [0x00, 0xFF, 0x80])
@pytest.mark.parametrize("make", [lambda: macho(Recipe(rpaths=("/a",))), lambda: macho(LIBRARY)])
def test_changed_bytes_of_the_headers_are_survived(make, value, tmp_path):
    data = rewrite.resign(make(), identifier="x")
    for at in [*range(value % 5, HEADERS, 5), *range(len(data) - 0x300 + value % 5, len(data), 5)]:
        all_readers(data[:at] + bytes([value]) + data[at + 1 :], tmp_path)


def test_binaries_tell_what_a_program_names():
    found = binaries.read(io.BytesIO(rewrite.resign(macho(LIBRARY), identifier="x")))
    assert found is not None
    assert (found.soname, found.needed, found.rpath) == (
        "/install/lib/libx.dylib",
        ("/install/lib/liby.dylib",),
        ("/a",),
    )
    assert (found.machines, found.macos, found.signed, found.loadable) == (
        ("aarch64",),
        {"aarch64": (11, 0)},
        True,
        True,
    )
    both = binaries.read(io.BytesIO(machos.fat(macho(Recipe(cpu=X86_64, minimum=(10, 13))), macho())))
    assert both is not None
    assert (both.macos, both.signed) == ({"x86_64": (10, 13), "aarch64": (11, 0)}, False)


def test_an_object_file_is_not_loadable():
    found = binaries.read(io.BytesIO(macho(Recipe(kind=1, payload=False))))
    assert found is not None
    assert not found.loadable


def test_what_is_made_for_32_bits_is_told_by_its_processors():
    old = struct.pack("<II", 0xFEEDFACE, 7) + bytes(64)
    for data in (old, machos.fat(old, macho(), cpus=(7, ARM64))):
        found = binaries.read(io.BytesIO(data))
        assert found is not None
        assert (found.machines[0], found.bits) == ("x86", 32)


def test_a_module_that_is_cut_short_is_told(tmp_path):
    whole, machine = macho(Recipe(kind=8, payload=False)), binaries.Machine(container="macho", arch="aarch64", libc="")
    with ImageBuilder("wheel") as builder:
        builder.add("x/whole.so", whole)
        builder.add("x/cut.so", whole[: len(whole) // 2])
        builder.add("x/notes.txt", whole[:200])
        builder.write(tmp_path / "image.tar")
    found = binaries.rows(binaries.look(tmp_path / "image.tar"), machine)
    assert {row["path"]: row["foreign"] for row in found} == {
        "x/whole.so": "",
        "x/cut.so": "it is cut short or damaged",
    }
