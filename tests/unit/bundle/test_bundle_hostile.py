"""Bundles that were made to harm whoever looks at them: each is answered in words."""

from __future__ import annotations

import hashlib
import random
import tarfile
import zipfile
import zlib

import pytest
import zstandard
from tests.unit.bundle.test_writer import MIB, bundle, trailer_size

from pypack.bundle import inspect, verify, verify_layer
from pypack.errors import InputError

__all__ = ["bundle"]  # a fixture


def resealed(whole, trailer_at, *, line=None, block=None, table=None):
    """Give ``whole`` another trailer with a check that is right: what somebody would do who means harm."""
    old, foot = whole[trailer_at:], bytearray(whole[-96:])
    first, size = int.from_bytes(foot[36:40], "little"), int.from_bytes(foot[40:44], "little")
    line = old[:first] if line is None else line
    block = old[first : first + size] if block is None else block
    table = old[first + size : -96] if table is None else table
    numbers = (96 + len(line + block + table), len(line), len(block), len(line + block), len(table) // 72)
    for at, number in enumerate(numbers):
        foot[32 + 4 * at : 36 + 4 * at] = number.to_bytes(4, "little")
    foot[56:64] = (trailer_at + numbers[0]).to_bytes(8, "little")
    foot[:32] = hashlib.sha256(line + block + table + foot[32:]).digest()
    return whole[:trailer_at] + line + block + table + foot


def reframed(whole, found, *, plain=None, packed=None, content=None, frame=None):
    """Put one frame into the runtime layer, whose table, identity and check agree with it."""
    row, at = found.layers[0], len(whole) - trailer_size(whole)
    content = b"x" * 1024 if content is None else content
    frame = zstandard.compress(content) if frame is None else frame
    size = len(content) if plain is None else plain
    told = size.to_bytes(4, "little") + bytes(4) + hashlib.sha256(content).digest()
    frames = b"PYPKLYR\1" + (len(frame) if packed is None else packed).to_bytes(4, "little") + told
    region = (0x184D2A50).to_bytes(4, "little") + len(frames).to_bytes(4, "little") + frames + frame
    assert len(region) <= row.size
    old = whole[at + int.from_bytes(whole[-52:-48], "little") : -96]
    sizes = len(region).to_bytes(8, "little") + len(content).to_bytes(8, "little") + (1).to_bytes(4, "little")
    table = old[:16] + sizes + bytes(4) + hashlib.sha256(told).digest() + old[72:]
    return resealed(whole[: row.offset] + region + whole[row.offset + len(region) :], at, table=table)


def answer(path, capsys):
    """Return what ``pypack inspect`` says of a file that somebody made to harm; both its ways of showing are tried."""
    told = "\n".join(verify.faults(path))
    assert told, "nothing was found"
    for as_json in (False, True):
        try:
            assert inspect.show(path, as_json=as_json) == 1
        except InputError as error:
            assert error.what == told
    capsys.readouterr()
    return told


@pytest.mark.parametrize("part", [{"line": b"\xff\xfe\n"}, {"block": b"name=\xff\0"}])
def test_a_trailer_that_is_no_text_is_told(bundle, capsys, part):
    whole = bundle.read_bytes()
    bundle.write_bytes(resealed(whole, len(whole) - trailer_size(whole), **part))
    assert "is no text in UTF-8" in answer(bundle, capsys)


TIB_FRAME = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\1\0\0"
HEADER = tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("layer_of", "told"),
    [
        ({"frame": TIB_FRAME}, "claims 1,099,511,627,776 bytes"),
        ({"plain": 9 * MIB}, "would hold 9,437,184 bytes"),
        ({"plain": 5}, "claims 1,024 bytes, the frame table 5"),
        ({"packed": 1 << 31}, "goes beyond the end of the layer"),
        ({"frame": b"soup"}, "cannot be unpacked"),
        ({}, "a member's header cannot be read"),
        ({"content": HEADER.replace(b"00000000000\0", b"\xff" * 10 + b"\xfe\0", 1)}, "header cannot be read"),
        ({"content": HEADER[:156] + b"x" + HEADER[157:]}, "header cannot be read"),
    ],
)
def test_a_hostile_layer_is_told(bundle, capsys, layer_of, told):
    bundle.write_bytes(reframed(bundle.read_bytes(), verify.read(bundle), **layer_of))
    assert told in answer(bundle, capsys)


def test_a_chain_of_long_names_or_a_member_that_leads_back_ends(bundle, capsys):
    back = tarfile.TarInfo("a")
    back.size = -512
    deep = tarfile.TarInfo("././@LongLink")
    deep.type = tarfile.GNUTYPE_LONGNAME
    for header in (back.tobuf(tarfile.GNU_FORMAT), deep.tobuf(tarfile.GNU_FORMAT) * 4000):
        check = verify_layer.TarCheck()
        check.feed(header, continues_member=False)
        assert check.faults == ["a member's header cannot be read"]


@pytest.mark.parametrize(
    "manifest",
    [
        "[1]",
        '{"python": 1, "entry": [], "distributions": [1], "glibc": {"floor": 2}}',
        '{"python": {"version": "\\ud800\\u001b[2J"}, "system_libraries": 7}',
        "[" * 9999,
    ],
)
def test_a_manifest_of_another_shape_is_shown(bundle, capsys, manifest):
    found = verify.read(bundle)
    with zipfile.ZipFile(bundle) as packed:
        info = packed.getinfo("pypack.json")
    at = found.app_offset + bundle.read_bytes()[found.app_offset :].index(b"pypack.json") + len("pypack.json")
    data = manifest.encode()[: info.file_size].ljust(info.file_size)
    whole = bundle.read_bytes()
    whole = whole[:at] + data + whole[at + len(data) :]
    old, new = (zlib.crc32(each).to_bytes(4, "little") for each in (bundle.read_bytes()[at : at + len(data)], data))
    bundle.write_bytes(whole.replace(old, new))
    assert "app layer: it does not have its hash" in answer(bundle, capsys)
    assert inspect.show(bundle, as_json=False) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_byte_soup_with_a_right_check_is_answered_in_words(bundle, capsys):
    """Wherever the soup is, the check of the trailer is made right again: it keeps out accidents, not intent."""
    whole, row = bundle.read_bytes(), verify.read(bundle).layers[0]
    end = len(whole) - trailer_size(whole)
    edges = [(row.offset, row.offset + row.size), (end, len(whole) - 96), (len(whole) - 64, len(whole))]
    edges += [(row.offset, row.offset + 60), (len(whole) - 600, len(whole) - 96), (row.offset, end)]
    regions = [range(first, last) for first, last in edges]
    chance = random.Random(5)
    for number in range(240):
        soup, region = bytearray(whole), regions[number % len(regions)]
        for _ in range(chance.choice((1, 1, 4, 40))):
            at = chance.choice(region)
            soup[at : at + 4] = chance.choice((chance.randbytes(4), b"\xff" * 4, bytes(4)))
        soup = soup[: len(whole)]
        size = min(max(96, int.from_bytes(soup[-64:-60], "little")), len(soup))
        soup[-96:-64] = hashlib.sha256(soup[-size:-96] + soup[-64:]).digest()
        bundle.write_bytes(soup)
        try:
            inspect.show(bundle, as_json=bool(number % 2))
        except InputError:
            continue
    capsys.readouterr()
