"""Where the payload of a bundle is, in each format; and what a format cannot hold."""

from __future__ import annotations

import io
import struct

import pytest

from pypack.bundle import containers
from pypack.bundle.extent import Extent, SliceReader, extents
from pypack.bundle.offset_stream import OffsetStream
from pypack.errors import InputError, StepError

TAIL = b"PYPK\x00\x02\x00\x00" + bytes(24)


def pe(payload=b"", *, certificate=b"", padding=0, table=None):
    """A PE32+ with a header, a payload, and a certificate table behind it."""
    at = 0x80
    size = 0x80 + 24 + 240 + len(payload) + padding
    directories = [(0, 0)] * 16
    if certificate:
        directories[4] = table or (size, len(certificate))
    optional = struct.pack("<H", 0x20B) + bytes(106) + struct.pack("<I", 16)
    optional += b"".join(struct.pack("<II", *row) for row in directories)
    head = b"MZ" + bytes(58) + struct.pack("<I", at) + bytes(at - 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, len(optional), 0x22)
    return head + optional + payload + bytes(padding) + certificate


def macho(payload, *, cpu=0x0100_000C, size=None, name=b"__PYPACK"):
    offset = 0x4000
    section = struct.pack("<16s16sQQIIIIIIII", b"__payload", name, 0, size or len(payload), offset, *[0] * 7)
    segment = struct.pack("<II16sQQQQIIII", 0x19, 72 + 80, name, 0, 0x4000, offset, 0x4000, 1, 1, 1, 0) + section
    head = struct.pack("<IIIIIIII", 0xFEED_FACF, cpu, 0, 2, 1, len(segment), 0, 0) + segment
    return head.ljust(offset, b"\0") + payload


def found(data):
    return extents(io.BytesIO(data))


def test_a_payload_ends_where_the_file_ends():
    assert found(b"\x7fELF" + bytes(96)) == [Extent(container="elf", start=0, end=100)]
    data = pe(TAIL)
    assert found(data) == [Extent(container="pe", start=0, end=len(data))]


@pytest.mark.parametrize("padding", range(8))
def test_a_payload_ends_before_the_certificates(padding):
    # the header's length decides how many bytes of padding make the table begin at a multiple of 8
    payload = bytes((-(0x80 + 24 + 240 + padding + len(TAIL))) % 8) + TAIL
    data = pe(payload, certificate=b"c" * 16, padding=padding)
    (place,) = found(data)
    assert place.signed
    assert place.end == len(data) - 16 - padding
    assert data[place.end - 32 :][:8] == TAIL[:8]


def test_a_certificate_table_that_lies_is_refused():
    for table in ((1 << 31, 16), (0x200, 1 << 31), (0x201, 8)):
        with pytest.raises(InputError, match="certificate table"):
            found(pe(TAIL, certificate=b"c" * 16, table=table))


def test_a_payload_in_a_segment():
    data = macho(b"payload" + TAIL)
    (place,) = found(data)
    assert data[place.start : place.end] == b"payload" + TAIL
    assert place.arch == "aarch64"


def test_two_payloads_in_a_universal_file():
    parts = [macho(b"one"), macho(b"second", cpu=0x0100_0007)]
    second = 0x1000 + len(parts[0])
    rows = [(0, 0, 0x1000, len(parts[0]), 14), (0, 0, second, len(parts[1]), 14)]
    head = struct.pack(">II", 0xCAFE_BABE, 2) + b"".join(struct.pack(">IIIII", *row) for row in rows)
    data = head.ljust(0x1000, b"\0") + parts[0] + parts[1]
    assert [data[place.start : place.end] for place in found(data)] == [b"one", b"second"]
    assert [place.arch for place in found(data)] == ["aarch64", "x86_64"]


@pytest.mark.parametrize("whole", [pe(TAIL, certificate=b"c" * 16), macho(b"payload" + TAIL)], ids=["pe", "macho"])
def test_a_file_cut_anywhere_is_one_error_or_none(whole):
    for size in range(min(len(whole), 700)):
        try:
            found(whole[:size])
        except InputError:
            continue


def test_a_macho_without_a_payload_is_no_bundle():
    with pytest.raises(InputError, match="no bundle"):
        found(macho(b"", name=b"__OTHER"))
    with pytest.raises(InputError, match="cut short"):
        found(macho(b"x", size=100))


def test_a_part_reads_as_a_file():
    part = io.BufferedReader(SliceReader(io.BytesIO(b"0123456789"), 3, 8))
    assert part.read() == b"34567"
    assert part.seek(-2, io.SEEK_END) == 3
    assert part.read(5) == b"67"


def test_a_window_counts_from_its_start():
    out = io.BytesIO(b"stub")
    window = OffsetStream(out, 4)
    window.seek(0, io.SEEK_END)
    window.write(b"payload")
    assert window.tell() == 7
    window.seek(3)
    assert window.read(2) == b"lo"
    assert out.getvalue() == b"stubpayload"
    out.close()
    window.close()  # also what Python does when nobody has it any more, and from 3.13 on it tells what goes wrong then


@pytest.mark.parametrize("container", ["pe", "macho"])
def test_what_a_format_cannot_hold_is_refused_before_it_is_written(tmp_path, container):
    big = tmp_path / "big.layer"
    with big.open("wb") as stream:
        stream.truncate(4 << 30)
    containers.check_size("elf", [big], "linux-musl-x86_64")
    with pytest.raises(StepError, match="mode=onedir"):
        containers.check_size(container, [big], "somewhere")
