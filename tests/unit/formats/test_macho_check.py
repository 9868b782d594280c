"""The checker of Mach-O files: it finds each thing that can be wrong, and shares nothing with what writes."""

from __future__ import annotations

import ast
import io
import struct
from pathlib import Path

import pytest
from tests.support import machos
from tests.support.machos import ARM64, X86_64, Recipe, macho

from pypack.formats.macho import check, cms, payload, read, rewrite

PACKAGE = Path(check.__file__).parent


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A launcher with 70,000 bytes in it."""
    stub, made = tmp_path / "stub", tmp_path / "bundle"
    stub.write_bytes(macho())
    with made.open("w+b") as out:
        base = payload.begin(stub, out)
        out.write(b"payload" * 10_000)
        payload.finish(out, stub, base=base, size=70_000, identifier="hello")
    return made


def changed(file: Path, at: int, new: bytes) -> list[str]:
    data = file.read_bytes()
    other = file.with_name("changed")
    other.write_bytes(data[:at] + new + data[at + len(new) :])
    return check.faults(other)


def signature_at(file: Path) -> int:
    ((_, program),) = read.read_file(file)
    return int(struct.unpack_from("<I", program.find(0x1D)[0].data, 8)[0])


def command_at(file: Path, kind: int, name: bytes = b"") -> int:
    """Where a load command begins in the file."""
    ((_, program),) = read.read_file(file)
    at = 32
    for command in program.commands:
        if command.kind == kind and name in command.data:
            return at
        at += len(command.data)
    raise LookupError(kind)


def test_a_whole_bundle_has_no_fault(bundle):
    assert check.faults(bundle) == []
    (told,) = check.signature(bundle)
    assert (told.state, told.identifier, told.arch, told.minimum) == ("ad hoc", "hello", "aarch64", "11.0")
    assert len(told.cdhash) == 40
    assert str(told) == f"aarch64: signed ad hoc as hello, cdhash {told.cdhash}; macos 11.0 or newer"


def test_a_changed_byte_is_found_on_any_page(bundle):
    end = signature_at(bundle)
    for at in [0x7F0, 0x900, *range(0x8000, end, 0x1000), end - 1]:
        byte = bundle.read_bytes()[at] ^ 1
        assert changed(bundle, at, bytes([byte])) == ["1 of " + f"{-(-end // 4096)} pages do not have their hash"]


def test_a_changed_byte_of_the_signature_is_found(bundle):
    start = signature_at(bundle)
    (length,) = struct.unpack_from(">I", bundle.read_bytes(), start + 4)
    data = bundle.read_bytes()[start:]
    passed_over = [at for at in range(length) if not changed(bundle, start + at, bytes([data[at] ^ 0xFF]))]
    # what may be anything: the name, and fields that macOS does not look at either (platform, spare, team of version 2)
    (directory,) = struct.unpack_from(">I", data, 16)
    name = directory + int.from_bytes(data[directory + 20 : directory + 24], "big")
    free = {*range(name, name + 5), *range(directory + 38, directory + 39), *range(directory + 40, directory + 56)}
    free |= {*range(directory + 8, directory + 16), *range(directory + 80, directory + 88)}  # version, flags
    free |= {*range(name + 6 + 32, name + 6 + 64)}  # hash of an Info.plist beside the program
    assert set(passed_over) <= free


@pytest.mark.parametrize(
    ("name", "at", "value", "why"),
    [
        (b"__LINKEDIT", 48, 1, "behind __LINKEDIT"),
        (b"__LINKEDIT", 60, 7, "can be written"),
        (b"__PYPACK", 60, 7, "can be written and executed"),
        (b"__PYPACK", 40, 1 << 20, "overlaps"),
        (b"__PYPACK", 48, 1 << 20, "bigger in the file"),
        (b"__PYPACK", 112, 1 << 40, "leaves it in memory"),
        (b"__TEXT", 24, (1 << 32) + 8, "does not begin at a page of memory"),
    ],
)
def test_segments_that_dyld_would_refuse(bundle, name, at, value, why):
    place = command_at(bundle, 0x19, name)
    new = struct.pack("<I" if at == 60 else "<Q", value)
    assert any(why in fault for fault in changed(bundle, place + at, new))


def test_bytes_behind_or_between_are_found(bundle, tmp_path):
    longer = tmp_path / "longer"
    longer.write_bytes(bundle.read_bytes() + b"x")
    assert any("behind __LINKEDIT" in fault for fault in check.faults(longer))
    stub = tmp_path / "gap"
    data = macho()
    # text ends half way: what follows it in the file belongs to no segment
    old, new = struct.pack("<QQQQ", 1 << 32, 0x4000, 0, 0x4000), struct.pack("<QQQQ", 1 << 32, 0x4000, 0, 0x2000)
    data = data.replace(old, new)
    stub.write_bytes(rewrite.resign(data[:0x3000] + b"x" + data[0x3001:], identifier="x"))
    assert check.faults(stub) == ["something stands before segment __PYPACK that belongs to none"]


def test_pieces_of_linkedit_are_looked_at(bundle):
    place = command_at(bundle, 2)
    symbols = struct.unpack_from("<I", bundle.read_bytes(), place + 8)[0]
    assert "the symbols lie outside of __LINKEDIT" in changed(bundle, place + 8, struct.pack("<I", 0x800))
    assert "the strings overlap the symbols" in changed(bundle, place + 16, struct.pack("<I", symbols + 8))
    assert "the symbols are not aligned" in changed(bundle, place + 8, struct.pack("<I", symbols + 1))


def test_what_is_not_signed_is_told(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(macho())
    assert check.faults(file) == ["it is not signed"]
    assert [each.state for each in check.signature(file)] == ["none"]
    file.write_bytes(machos.fat(macho(Recipe(cpu=X86_64)), rewrite.resign(macho(), identifier="x")))
    assert check.faults(file) == ["x86_64: it is not signed"]
    file.write_bytes(b"#!/bin/sh\n")
    assert check.signature(file) == []
    assert check.faults(file) == ["it is cut short"]
    file.write_bytes(b"#!/bin/sh\n" * 10)
    assert check.faults(file) == ["it is no Mach-O for x86_64 or arm64"]


def test_a_damaged_signature_is_told(bundle):
    changed(bundle, signature_at(bundle), b"\0\0\0\0")
    assert check.signature(bundle.with_name("changed"))[0].state == "damaged"


def test_a_change_in_the_middle_of_a_fat_file_is_told_by_its_processor(tmp_path, bundle):
    both = tmp_path / "both"
    part = bundle.read_bytes()
    both.write_bytes(machos.fat(part, cpus=(ARM64,)))
    assert check.faults(both) == []
    data = both.read_bytes()
    both.write_bytes(data + b"x")
    assert check.faults(both) == ["something stands behind its last architecture"]
    both.write_bytes(data[:0x100] + b"x" + data[0x101:])
    assert check.faults(both) == ["something stands between its architectures"]


def certificate(name: str, issuer: str) -> bytes:
    """A certificate with names only, in the shape of RFC 5280."""

    def node(tag: int, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body

    def called(text: str) -> bytes:
        return node(0x30, node(0x31, node(0x30, bytes.fromhex("0603550403"), node(0x0C, text.encode()))))

    fields = node(0xA0, b"\2\1\2"), b"\2\1\5", node(0x30), called(issuer), node(0x30), called(name)
    return node(0x30, node(0x30, *fields), node(0x30), b"\3\1\0")


def test_who_signed_is_the_last_of_the_chain():
    def node(tag: int, body: bytes) -> bytes:
        return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body

    chain = certificate("Root", "Root") + certificate("Middle", "Root") + certificate("Ada", "Middle")
    signed = node(0x30, b"\2\1\1" + node(0x31, b"") + node(0x30, b"") + node(0xA0, chain))
    assert cms.signer(node(0x30, b"\6\1\1" + node(0xA0, signed))) == "Ada"
    endless = b"\x30\x80" + b"\6\1\1" + b"\xa0\x80" + signed + b"\0\0" + b"\0\0"
    assert cms.signer(endless) == "Ada"
    for size in range(len(endless) - 4):
        assert cms.signer(endless[:size]) in {"", "Ada"}


@pytest.mark.parametrize("name", ["check", "check_program", "check_signature", "cms"])
def test_the_checker_shares_no_code_with_what_it_checks(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text())
    used = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module) == "pypack.formats.macho"
        for alias in node.names
    }
    used |= {
        str(node.module).rsplit(".", 1)[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pypack.formats.macho.")
    }
    assert used <= {"check", "check_program", "check_signature", "cms"}


def test_reading_stays_within_the_stream(bundle):
    data = bundle.read_bytes()
    assert len(read.read_all(io.BytesIO(data))) == 1
