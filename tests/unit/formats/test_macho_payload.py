"""The payload inside a launcher for macOS, and the ad-hoc signature."""

from __future__ import annotations

import io
import struct

import pytest
from tests.support import machos
from tests.support.machos import ARM64, DYLIB, X86_64, Recipe, macho

from pypack.errors import ArchiveError, StepError
from pypack.formats.macho import check, fat, payload, read, rewrite, sign


def stub(tmp_path, recipe: Recipe | None = None):
    file = tmp_path / "stub"
    file.write_bytes(macho(recipe))
    return file


def filled(tmp_path, content: bytes, recipe: Recipe | None = None, name: str = "bundle"):
    launcher, made = stub(tmp_path, recipe), tmp_path / name
    with made.open("w+b") as out:
        base = payload.begin(launcher, out)
        out.write(content)
        payload.finish(out, launcher, base=base, size=len(content), identifier="hello")
    return made, base


@pytest.mark.parametrize("size", [0, 1, 0x3FFF, 0x4000, 0x4001, 100_001])
@pytest.mark.parametrize("cpu", [ARM64, X86_64])
def test_layout(cpu, size, tmp_path):
    content = bytes(range(1, 252)) * (size // 251 + 1)
    made, base = filled(tmp_path, content[:size], Recipe(cpu=cpu))
    data = made.read_bytes()
    ((_, program),) = read.read_file(made)
    place, link = program.segment("__PYPACK"), program.segment("__LINKEDIT")
    assert place is not None
    assert link is not None
    assert base % 0x4000 == 0
    assert (place.offset, place.sections[0].offset, place.sections[0].size) == (base, base, size)
    assert place.size == place.memory == -(-size // 0x4000) * 0x4000
    assert place.protection == 1
    assert (link.offset, link.address) == (place.end, place.address + place.memory)
    assert link.end == len(data)
    assert data[base : base + size] == content[:size]
    assert not any(data[base + size : place.end])
    assert data[0x800:0x4000] == macho(Recipe(cpu=cpu))[0x800:0x4000]
    assert check.faults(made) == []


def test_the_rest_of_linkedit_moves_along(tmp_path):
    made, _ = filled(tmp_path, b"x" * 70_000)
    data = made.read_bytes()
    ((_, program),) = read.read_file(made)
    link = program.segment("__LINKEDIT")
    assert link is not None
    symbols, count, strings, size = struct.unpack_from("<4I", program.find(2)[0].data, 8)
    assert (symbols, count, strings, size) == (link.offset, 1, link.offset + 16, 8)
    assert data[strings : strings + size] == b"\0_main\0\0"


def test_the_same_content_gives_the_same_bytes_and_identity(tmp_path):
    one, two = (filled(tmp_path, b"payload" * 9000, name=name)[0].read_bytes() for name in ("a", "b"))
    other = filled(tmp_path, b"payloae" * 9000, name="c")[0].read_bytes()
    assert one == two
    identities = [read.read_all(io.BytesIO(data))[0][1].find(0x1B)[0].data[8:] for data in (one, other)]
    assert identities[0] != identities[1]
    assert identities[0][6] >> 4 == 8
    assert any(identities[0])


def test_a_missing_identity_is_added(tmp_path):
    made, _ = filled(tmp_path, b"x", Recipe(uuid=False))
    assert check.faults(made) == []


def test_a_signature_of_the_linker_is_replaced(tmp_path):
    launcher = tmp_path / "signed"
    launcher.write_bytes(rewrite.resign(macho(), identifier="by-linker"))
    with (tmp_path / "made").open("w+b") as out:
        base = payload.begin(launcher, out)
        out.write(b"content")
        payload.finish(out, launcher, base=base, size=7, identifier="mine")
    assert check.signature(tmp_path / "made")[0].identifier == "mine"
    assert check.faults(tmp_path / "made") == []


def test_more_than_four_gigabytes_is_refused_with_a_way_out(tmp_path):
    launcher = stub(tmp_path)
    with (tmp_path / "big").open("w+b") as out:
        base = payload.begin(launcher, out)
        out.truncate(base + (4 << 30))  # sparse
        with pytest.raises(StepError, match="4 GiB") as caught:
            payload.finish(out, launcher, base=base, size=4 << 30, identifier="x")
    assert "onedir" in caught.value.hint


def test_a_file_that_does_not_end_with_the_payload_is_a_mistake_of_the_caller(tmp_path):
    launcher = stub(tmp_path)
    with (tmp_path / "made").open("w+b") as out:
        base = payload.begin(launcher, out)
        with pytest.raises(ValueError, match="does not end"):
            payload.finish(out, launcher, base=base, size=5, identifier="x")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (macho(Recipe(payload=False)), "no segment __PYPACK"),
        (macho(Recipe(kind=DYLIB)), "not one program"),
        (machos.fat(macho(Recipe(cpu=X86_64)), macho()), "not one program"),
        (macho(Recipe(extra=(struct.pack("<II16sQQ", 0x31, 40, b"", 0, 0),))), "cannot be moved: LC_NOTE"),
        (macho(Recipe(extra=(struct.pack("<II8x", 0x7777, 16),))), "cannot be moved: 0x7777"),
        (macho(Recipe(extra=(struct.pack("<4I", 0x26, 16, 5, 8),))), "LC_FUNCTION_STARTS leads out of __LINKEDIT"),
        (macho() + b"tail", "behind its segment __LINKEDIT"),
        (macho(Recipe(room=False)), "bytes more than there is room for"),
    ],
)
def test_launchers_that_cannot_be_used(data, why, tmp_path):
    launcher = tmp_path / "launcher"
    launcher.write_bytes(data)
    with (tmp_path / "made").open("w+b") as out, pytest.raises(ArchiveError, match=why):
        base = payload.begin(launcher, out)
        payload.finish(out, launcher, base=base, size=0, identifier="x")


def test_offsets_of_all_known_commands_move(tmp_path):
    pieces = [struct.pack("<4I", kind, 16, 0xC000, 8) for kind in (0x26, 0x29, 0x80000033, 0x80000034)]
    info = struct.pack("<12I", 0x80000022, 48, *[0xC000, 8] * 5)
    made, _ = filled(tmp_path, b"x" * 0x4001, Recipe(extra=(*pieces, info)))
    ((_, program),) = read.read_file(made)
    for command in program.find(0x26, 0x29, 0x80000033, 0x80000034):
        assert struct.unpack_from("<II", command.data, 8) == (0x10000, 8)
    assert struct.unpack_from("<10I", program.find(0x80000022)[0].data, 8) == (0x10000, 8) * 5


def test_the_signature_says_what_codesign_would_say():
    made = sign.Signing(identifier="x", code_limit=4097, text=(0, 4096), main=True)
    blob = made.blob(bytes(64))
    assert len(blob) == made.size
    assert len(blob) % 16 == 0
    magic, length, count = struct.unpack_from(">III", blob)
    assert (magic, count) == (0xFADE0CC0, 3)
    assert blob[length:] == bytes(len(blob) - length)
    slots = [struct.unpack_from(">II", blob, 12 + 8 * row) for row in range(count)]
    assert [slot for slot, _ in slots] == [0, 2, 0x10000]
    directory = blob[slots[0][1] :]
    assert struct.unpack_from(">IIII", directory)[0::2] == (0xFADE0C02, 0x20400)
    assert struct.unpack_from(">I", directory, 12) == (2,)
    assert struct.unpack_from(">III", directory, 24) == (2, 2, 4097)
    assert tuple(directory[36:40]) == (32, 2, 0, 12)
    assert struct.unpack_from(">QQQ", directory, 64) == (0, 4096, 1)
    assert blob[slots[1][1] : slots[2][1]] == struct.pack(">III", 0xFADE0C01, 12, 0)
    assert blob[slots[2][1] : length] == struct.pack(">II", 0xFADE0B01, 8)


def test_entitlements_survive_a_new_signature(tmp_path):
    entitlements = struct.pack(">II", 0xFADE7171, 13) + b"plist"
    data = macho(Recipe(payload=False))
    limit = -(-len(data) // 16) * 16
    made = sign.Signing(identifier="x", code_limit=limit, text=(0, 0x4000), main=True, entitlements={5: entitlements})
    assert sign.kept(made.blob(bytes(32 * made.pages))).entitlements == {5: entitlements}
    signed = rewrite.resign(data, identifier="x")
    ((_, program),) = read.read_all(io.BytesIO(signed))
    offset, size = struct.unpack_from("<II", program.find(0x1D)[0].data, 8)
    link = program.segment("__LINKEDIT")
    assert link is not None
    # put a signature with entitlements in the place of the other one, page hashes left wrong, and sign anew
    grown = signed[:offset] + made.blob(bytes(32 * made.pages))
    grown = grown.replace(
        struct.pack("<IIII", 0x1D, 16, offset, size), struct.pack("<IIII", 0x1D, 16, offset, made.size)
    )
    grown = grown.replace(
        struct.pack("<QQ", link.offset, link.size), struct.pack("<QQ", link.offset, len(grown) - link.offset)
    )
    file = tmp_path / "f"
    file.write_bytes(rewrite.resign(grown, identifier="x"))
    assert check.faults(file) == []
    assert entitlements in file.read_bytes()


# ---- joining ----


def test_join(tmp_path):
    arm, _ = filled(tmp_path, b"arm payload" * 3000, name="arm")
    intel, _ = filled(tmp_path, b"intel payload" * 3000, Recipe(cpu=X86_64), name="intel")
    both, again = tmp_path / "both", tmp_path / "again"
    fat.join([arm, intel], both)
    fat.join((intel, arm), again)
    assert both.read_bytes() == again.read_bytes()
    places = fat.slices(both)
    assert [arch for arch, _, _ in places] == ["x86_64", "aarch64"]
    assert all(offset % 0x4000 == 0 for _, offset, _ in places)
    for file, (_, offset, size) in zip((intel, arm), places, strict=True):
        assert both.read_bytes()[offset : offset + size] == file.read_bytes()
    assert check.faults(both) == []
    assert [each.state for each in check.signature(both)] == ["ad hoc", "ad hoc"]


def test_what_cannot_be_joined(tmp_path):
    one, _ = filled(tmp_path, b"x", name="one")
    other, _ = filled(tmp_path, b"y", Recipe(cpu=X86_64), name="other")
    with pytest.raises(ArchiveError, match="one, one cannot be joined"):
        fat.join([one, one], tmp_path / "out")
    fat.join([one, other], tmp_path / "both")
    with pytest.raises(ArchiveError, match="universal file itself"):
        fat.join([tmp_path / "both", other], tmp_path / "out")
    big = [fat.Part(place=read.Slice(cpu=ARM64, subtype=0, offset=0, size=0), size=5 << 30, pieces=())]
    with pytest.raises(StepError, match="4 GiB") as caught:
        fat.write(io.BytesIO(), big)
    assert "onedir" in caught.value.hint
