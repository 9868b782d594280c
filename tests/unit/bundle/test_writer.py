"""Layers, trailer, writer, and the independent reader that checks them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zipfile

import pytest
import zstandard

from pypack.base import folders
from pypack.bundle import facts, inspect, layer, listing, starting, trailer, verify, writer
from pypack.errors import InputError, StepError
from pypack.formats.image import ImageBuilder
from pypack.steps.step import Context, Settings

MIB = 1 << 20


def image(path, **files):
    with ImageBuilder("tree") as builder:
        for name, data in files.items():
            builder.add(name.replace("__", "/"), data)
        builder.add_link("zz", "link-target" * 20)
        builder.write(path)
    return path


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """An image whose members are cut in every way: small, a frame long, across three frames, empty, long names."""
    chance = random.Random(7)
    path = tmp_path_factory.mktemp("big") / "big.tar"
    with ImageBuilder("tree") as builder:
        sizes = [0, 1, 511, 512, 513, 4 * MIB - 1024, 4 * MIB, 8 * MIB, 17 * MIB + 5, 3, *[1000] * 3000]
        for number, size in enumerate(sizes):
            builder.add(f"d{number % 7}/{'long' * 40 if number % 5 == 0 else 'n'}{number}", chance.randbytes(size))
        builder.write(path)
    return path


def test_frames_join_to_the_tar_and_are_bounded(big):
    frames = list(layer.frames(big))
    assert b"".join(frame.data for frame in frames) == big.read_bytes()
    assert max(len(frame.data) for frame in frames) <= layer.LARGEST
    assert any(frame.continues_member for frame in frames)
    for frame in frames:
        if not frame.continues_member:
            with tarfile.open(fileobj=io.BytesIO(frame.data + bytes(1024)), mode="r:") as tar:
                assert tar.next() is not None or not any(frame.data)


def test_plain_zstd_unpacks_a_layer(big, tmp_path):
    layer.write_layer(big, tmp_path / "l", level=1, jobs=2)
    with (tmp_path / "l").open("rb") as packed:
        plain = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()
    whole = big.read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    assert plain[:end] == whole[:end]
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        *files, last = tar.getmembers()
        due = {each.name: tar.extractfile(each).read() for each in files if each.isfile()}
        assert (last.name, tar.extractfile(last).read()) == (".pypack-files", listed(due))


def listed(files):
    """Return the list of some files, as docs/bundle-format.md has it."""
    rows = sorted((name.encode(), len(data), hashlib.sha256(data).hexdigest()[:16]) for name, data in files.items())
    lines = b"".join(b"%d %s %s\n" % (size, digest.encode(), name) for name, size, digest in rows)
    return lines + b"%d\n" % len(rows)


def test_a_list_longer_than_a_frame_is_cut_as_any_file(tmp_path):
    files = listing.Listing()
    files.rows = [listing.Row(b"n%06d" % number + b"o" * 200, number, "0" * 16) for number in range(50_000)]
    frames = list(layer.frames(image(tmp_path / "t", a=b"x"), files=files))
    assert [frame.continues_member for frame in frames] == [False, True]
    with tarfile.open(fileobj=io.BytesIO(b"".join(frame.data for frame in frames))) as tar:
        assert tar.extractfile(".pypack-files").read() == listing.text(files.rows)
        assert tar.extractfile(".pypack-files").read().count(b"\n") == 50_002


def test_a_line_break_in_a_name_is_no_end_of_a_line():
    assert listing.text([listing.Row(b"a\nb", 1, "f" * 16)]) == b"1 ffffffffffffffff a\\nb\n1\n"


def test_a_tree_that_has_a_file_of_the_list_s_name_is_refused(tmp_path):
    with ImageBuilder("tree") as builder:
        builder.add(".pypack-files", b"")
        builder.write(tmp_path / "t")
    with pytest.raises(StepError, match="pypack's own name"):
        layer.write_layer(tmp_path / "t", tmp_path / "l", level=1)


def test_identity_does_not_depend_on_level_or_threads(big, tmp_path):
    fast = layer.write_layer(big, tmp_path / "fast", level=1, jobs=1)
    slow = layer.write_layer(big, tmp_path / "slow", level=6, jobs=4)
    assert fast.sha256 == slow.sha256
    assert (tmp_path / "fast").read_bytes() != (tmp_path / "slow").read_bytes()
    assert layer.read_facts(tmp_path / "slow") == slow
    again = layer.write_layer(big, tmp_path / "again", level=6, jobs=2)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "slow").read_bytes()
    assert again == slow


def test_what_is_no_layer_is_told(tmp_path):
    (tmp_path / "l").write_bytes(bytes(64))
    with pytest.raises(StepError, match="not a layer"):
        layer.read_facts(tmp_path / "l")


def entries():
    return [
        trailer.LayerEntry(kind="runtime", offset=8, size=100, unpacked=300, frames=1, sha256=b"r" * 32),
        trailer.LayerEntry(kind="app", offset=108, size=50, unpacked=50, frames=0, sha256=b"a" * 32),
    ]


def packed(launch):
    return trailer.pack("line", launch, entries(), zip_offset=108, local_end=158, central_size=42)


def test_the_trailer_is_as_documented():
    block = packed([("name", "x"), ("option", "-I")])
    assert block.startswith(b"line ")
    assert block.split(b"\n")[1].startswith(b"name=x\0option=-I\0")
    assert (158 + 42 + len(block)) % 8 == 0
    assert block[-32:] == b"PYPK\0\2\0\0" + (8).to_bytes(8, "little") + (100).to_bytes(8, "little") + (108).to_bytes(
        8, "little"
    )
    assert block[-96:-64] == hashlib.sha256(block[:-96] + block[-64:]).digest()
    assert int.from_bytes(block[-40:-32], "little") == 158 + 42 + len(block)


def test_the_trailer_never_holds_a_zip_signature():
    with pytest.raises(StepError, match="zip signature"):
        packed([("name", "PK\x05\x06")])


def test_a_trailer_that_does_not_fit_is_refused():
    with pytest.raises(StepError, match="65535"):
        packed([("name", "x" * 66_000)])
    with pytest.raises(StepError, match="cannot hold"):
        packed([("name", "a\0b")])


PARAMS = {
    "name": "demo", "version": "1", "target": "linux-musl-x86_64", "container": "elf",
    "compiler": "test", "mode": "onefile", "startup": "normal", "launch": "exec",
    "python": "bin/python3.13", "site": "lib/python3.13/site-packages", "options": ["-O"],
    "environment": "isolated", "package": False, "stdlib": "lib/python3.13", "optimize": 1,
    "entry": {"kind": "script", "name": "demo.py", "function": ""}, "sources": True, "pins": [], "tools": {},
    "runtime": {"provider": "test", "version": ".".join(map(str, sys.version_info[:3])), "static": True},
    "self_commands": True, "interpreter": True, "scripts_on_path": False,
}  # fmt: skip


def context(product, inputs, params=None):
    return Context(product=product, inputs=tuple(inputs), params=params or {}, settings=Settings(say=lambda _: None))


@pytest.fixture
def bundle(tmp_path):
    return made(tmp_path)


def made(tmp_path, ending=".pyc", **changes):
    """A whole bundle around a runtime that is none; the launcher's tests and tests/cases have real ones."""
    (tmp_path / "stub").write_bytes(b"\x7fELF" + b"stub" * 100)
    with ImageBuilder("runtime") as builder:
        builder.add("bin/python3.13", b"python" * 1000, executable=True)
        builder.add("lib/python3.13/encodings/__init__.py", b"")
        builder.write(tmp_path / "runtime.tar")
    with ImageBuilder("app") as builder:
        source = (folders.bootstrap() / "zip_main.py").read_bytes()
        builder.add("__main__.py", source)
        for own in (starting.BOOTSTRAP, "run", "child", "failure"):
            builder.add(f"{own}{ending}", b"boot")
        builder.add("app/demo.py", b"import sys\nprint('pure', sys.argv[1:])\n")
        builder.add("app/tool", b"#!", executable=True)
        builder.add_link("app/link", "tool")
        builder.write(tmp_path / "app.tar")
    layer.write_layer(tmp_path / "runtime.tar", tmp_path / "runtime.layer", level=3)
    sentinels = {"sentinels": ["bin/python3.13", "lib/python3.13/encodings/__init__.py|x"]}
    facts.run_facts(context(tmp_path / "facts", [tmp_path / "runtime.tar"], sentinels))
    inputs = [tmp_path / name for name in ("stub", "app.tar", "runtime.layer", "facts")]
    writer.run_bundle(context(tmp_path / "demo", inputs, {**PARAMS, **changes}))
    return tmp_path / "demo"


def test_the_independent_reader_agrees(bundle):
    assert verify.faults(bundle) == []
    found = verify.read(bundle)
    assert found.first_line == "pypack bundle: demo 1 for linux-musl-x86_64"
    assert found.launch["option"] == ["-O"]
    assert found.launch["sentinel"] == [
        "1:6000:bin/python3.13",
        "1:0:lib/python3.13/encodings/__init__.py",
        "3:4:boot/encodings.pyc",
        "3:39:app/demo.py",
        f"3:{len(zipfile.ZipFile(bundle).read('launch'))}:launch",
    ]
    assert found.manifest["layers"]["runtime"]["sha256"] == found.layers[0].sha256


def test_where_nothing_compiles_the_bootstrap_is_a_source(tmp_path, capsys):
    bundle = made(tmp_path, ending=".py", compiler="")
    assert verify.faults(bundle) == []
    assert verify.read(bundle).launch["boot"] == ["boot/encodings.py"]
    assert "3:4:boot/encodings.py" in verify.read(bundle).launch["sentinel"]
    assert inspect.show(bundle, as_json=False) == 0
    assert "sources without bytecode" in capsys.readouterr().out


def test_it_is_a_zip_with_stored_entries_modes_and_absolute_offsets(bundle):
    with zipfile.ZipFile(bundle) as packed:
        names = packed.namelist()
        assert names[:2] == ["launch", "pypack.json"]
        assert packed.getinfo("app/tool").external_attr >> 16 == 0o100755
        assert packed.getinfo("__main__.py").header_offset > verify.read(bundle).app_offset
        assert json.loads(packed.read("pypack.json"))["pure"] is True


def test_the_app_s_list_holds_every_file_in_front_of_it(bundle):
    with zipfile.ZipFile(bundle) as packed:
        *names, last = packed.namelist()
        assert last == "files"
        assert packed.read(last) == listed({name: packed.read(name) for name in names if name != "app/link"})


@pytest.mark.parametrize("which", ["runtime", "app"])
def test_a_list_that_is_not_that_of_the_files_is_found(tmp_path, monkeypatch, which):
    text = listing.text
    wrong = "bin/python3.13" if which == "runtime" else "app/demo.py"
    monkeypatch.setattr(listing, "text", lambda rows: text(rows).replace(f" {wrong}".encode(), f" x{wrong}".encode()))
    with pytest.raises(StepError, match=f"{which} layer: its list of files is not that of its files"):
        made(tmp_path)


def test_unzip_lists_it_and_exits_with_0(bundle):
    done = subprocess.run(["unzip", "-l", bundle], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pypack bundle: demo 1" in done.stdout


def test_python_runs_a_pure_app_where_the_bundle_cannot_be_executed(bundle):
    bundle.chmod(0o644)
    done = subprocess.run([sys.executable, bundle, "a b", "ä"], capture_output=True, text=True, check=False)
    assert done.stdout == "pure ['a b', 'ä']\n", done.stderr


def test_python_hands_over_to_a_bundle_that_can_be_executed(bundle):
    bundle.write_bytes(b"#!/bin/sh\necho handed over $1; exit 7\n" + bundle.read_bytes())
    done = subprocess.run([sys.executable, bundle, "x"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("handed over x\n", 7)


def test_the_same_input_gives_the_same_bytes(bundle, tmp_path):
    inputs = [tmp_path / name for name in ("stub", "app.tar", "runtime.layer", "facts")]
    writer.run_bundle(context(tmp_path / "again", inputs, PARAMS))
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_a_runtime_without_its_sentinels_is_refused(tmp_path):
    with ImageBuilder("runtime") as builder:
        builder.add("bin/other", b"")
        builder.write(tmp_path / "r.tar")
    with pytest.raises(StepError, match=r"no bin/python3\.13"):
        facts.run_facts(context(tmp_path / "f", [tmp_path / "r.tar"], {"sentinels": ["bin/python3.13"]}))


def test_any_flipped_byte_of_a_layer_or_the_trailer_is_found(bundle):
    whole, found = bundle.read_bytes(), verify.read(bundle)
    sound: set[str] = set()
    assert verify.faults(bundle, sound=sound) == []
    assert len(sound) == 1  # the runtime's layer need not be unpacked again
    assert trailer_id(whole) == found.id
    content = runtime_content(bundle, found)
    assert content
    runtime = found.layers[0]
    table = 8 + int.from_bytes(whole[runtime.offset + 4 : runtime.offset + 8], "little")
    frames = range(runtime.offset + table, runtime.offset + runtime.size)
    regions = [range(row.offset, row.offset + row.size) for row in found.layers]
    regions.append(range(len(whole) - trailer_size(whole), len(whole)))
    chance = random.Random(3)
    for position in sorted({chance.choice(region) for region in regions for _ in range(60)}):
        flipped = bytes([whole[position] ^ 1 << chance.randrange(8)])
        bundle.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        # a few bits of a zstd frame mean nothing: what counts is that the same content comes out
        harmless = position in frames and runtime_content(bundle, found) == content
        assert verify.faults(bundle) or harmless, position
        assert verify.faults(bundle, sound=set(sound)) or harmless, position


def runtime_content(path, found):
    row = found.layers[0]
    packed = io.BytesIO(path.read_bytes()[row.offset : row.offset + row.size])
    try:
        return zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()
    except zstandard.ZstdError:
        return None


def test_no_byte_behind_the_launcher_makes_the_reader_stumble(bundle):
    """The zip's folder and the padding are covered by no hash: whatever is there, the answer is a list."""
    whole, first = bundle.read_bytes(), verify.read(bundle).layers[0].offset
    chance = random.Random(4)
    for position in sorted({chance.randrange(first, len(whole)) for _ in range(150)}):
        bundle.write_bytes(whole[:position] + chance.randbytes(1) + whole[position + 1 :])
        assert isinstance(verify.faults(bundle), list)


def trailer_size(whole):
    return int.from_bytes(whole[-64:-60], "little")


def trailer_id(whole):
    return whole[-96:-80].hex()


@pytest.mark.parametrize("keep", [0, 10, 95, 400, -1, -96])
def test_a_cut_bundle_is_one_error(bundle, keep):
    bundle.write_bytes(bundle.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"not a bundle|damaged"):
        verify.read(bundle)


def test_inspect_prints_text_and_json(bundle, capsys):
    assert inspect.show(bundle, as_json=False) == 0
    told = capsys.readouterr().out
    assert "every hash is right" in told
    assert "signature  none, its format has no place for one" in told
    assert inspect.show(bundle, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["launch"]["name"] == ["demo"]
    with bundle.open("r+b") as stream:
        stream.seek(verify.read(bundle).layers[0].offset + 80)
        stream.write(b"!!!!")
    assert inspect.show(bundle, as_json=False) == 1
    assert "DAMAGED" in capsys.readouterr().out


def test_a_folder_or_nothing_is_no_bundle(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError):
            verify.read(path)


def test_offsets_past_4_gib_count_from_the_zip(tmp_path):
    path = tmp_path / "sparse"
    start = 5 << 30
    with path.open("w+b") as out:
        os.truncate(path, start)
        out.seek(start)
        end = writer.zips.write_entries(out, [(writer.Member(path="__main__.py", size=8), io.BytesIO(b"print(1)"))])
    assert end > start
    with zipfile.ZipFile(path) as packed:
        assert packed.read("__main__.py") == b"print(1)"
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr
