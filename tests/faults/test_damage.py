"""Damaged, cut and hostile bundles, read by a build of the launcher that a sanitizer watches: always a named error."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.bundles import (
    File,
    Recipe,
    bundle,
    launch_block,
    layer_of,
    pieces,
    tar_of,
    trailer_of,
    write,
    zip_of,
)
from tests.support.launchers import environment, launcher, recipe, sanitized

if TYPE_CHECKING:
    from pathlib import Path

NAMED = {100, 101, 102, 103}
PYTHON = File(path="bin/python3", data=b"#!/nothing\n", executable=True)


@pytest.fixture(scope="module")
def stub() -> bytes:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: the launcher was NOT tested under its sanitizers")
    return sanitized().read_bytes()


def small(**changes) -> Recipe:
    values = {"runtime": [PYTHON], "app": [File(path="boot.pyc", data=b"boot")], "sentinels": (), "paths": ("3:app",)}
    return Recipe(**{**values, **changes})


class Bench:
    """Starts one file again and again, each time changed a little."""

    def __init__(self, folder: Path, content: bytes) -> None:
        folder.mkdir()
        self.content, self.path, self.cache = content, write(folder / "hello", content), folder / "cache"

    def start(self, **more: str) -> subprocess.CompletedProcess[str]:
        env = environment(self.cache, ASAN_OPTIONS="detect_leaks=0", **more)
        return subprocess.run([self.path], env=env, capture_output=True, text=True, errors="replace", check=False)

    def with_bytes(self, at: int, data: bytes, **more: str) -> subprocess.CompletedProcess[str]:
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(data)
        done = self.start(**more)
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(self.content[at : at + len(data)])
        return done


def sound(done: subprocess.CompletedProcess[str], codes: set[int] = NAMED) -> bool:
    return done.returncode in codes and "exit code" in done.stderr and "Sanitizer" not in done.stderr


def trailer_at(content: bytes) -> int:
    return len(content) - struct.unpack("<I", content[-64:-60])[0]


def resigned(content: bytes, at: int, data: bytes) -> bytes:
    """The bundle with other bytes in its trailer and the check made right again."""
    changed = bytearray(content)
    changed[at : at + len(data)] = data
    start = trailer_at(content)
    changed[-96:-64] = hashlib.sha256(bytes(changed[start:-96]) + bytes(changed[-64:])).digest()
    return bytes(changed)


def for_all(folder: Path, content: bytes, jobs: list, work) -> list:
    """Do ``work(bench, job)`` for all jobs, one after the other: a file that is open for writing cannot be started."""
    bench = Bench(folder / "bench", content)
    return [(job, work(bench, job)) for job in jobs]


def test_undamaged(stub, tmp_path):
    bench = Bench(tmp_path / "0", bundle(stub, recipe()))
    for _ in ("cold", "warm"):
        done = bench.start()
        assert done.returncode == 0, done.stderr
    for word in ("info", "verify", "extract", "clean"):
        assert bench.start(PYPACK_SELF=word).returncode == 0


def test_each_byte_of_the_trailer_flipped(stub, tmp_path):
    content = bundle(stub, small())
    jobs = list(range(trailer_at(content), len(content)))

    def flip(bench: Bench, at: int):
        return bench.with_bytes(at, bytes([content[at] ^ 0x41]), PYPACK_DRYRUN="1")

    bad = [(at, done) for at, done in for_all(tmp_path, content, jobs, flip) if not sound(done, {101, 102})]
    assert not bad, bad[:3]


def test_cut_at_many_places(stub, tmp_path):
    content = bundle(stub, small())
    chance = random.Random(3)
    start = trailer_at(content)
    places = [1, 7, 31, 32, 95, 96, 97, 200, len(content) - start, len(content) - start + 1]
    places += [chance.randrange(1, len(content) - len(stub)) for _ in range(60)]
    bench = Bench(tmp_path / "0", content)
    for count in sorted(set(places)):
        os.truncate(bench.path, len(content) - count)
        done = bench.start()
        assert sound(done, {101, 102}), (count, done)
        bench.path.write_bytes(content)


def test_cut_at_each_byte_of_the_trailer(tmp_path):
    content = bundle(launcher(), small())
    bench = Bench(tmp_path / "0", content)
    for count in range(1, len(content) - trailer_at(content) + 1):
        os.truncate(bench.path, len(content) - count)
        done = bench.start()
        assert sound(done, {101, 102}), (count, done)


def test_bare_launcher(stub, tmp_path):
    done = Bench(tmp_path / "0", stub).start()
    assert done.returncode == 101
    assert "this file holds no program" in done.stderr
    bare = subprocess.run([write(tmp_path / "bare", launcher())], capture_output=True, text=True, check=False)
    assert bare.returncode == 101, bare


def test_senseless_trailers_with_a_right_check(stub, tmp_path):
    """The check finds accidents; whoever makes it right must not get the launcher to crash or to write elsewhere."""
    content = bundle(stub, small(deps=[File(path="a/b.py", data=b"x")]))
    start, chance = trailer_at(content), random.Random(5)
    numbers = [0, 1, 2, 3, 0x7F, 0x80, 0xFF]
    fields = [(len(content) - 64 + 4 * i, 4) for i in range(6)] + [(len(content) - 40 + 8 * i, 8) for i in range(5)]
    table = start + struct.unpack("<I", content[-52:-48])[0]
    row = ((0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 4))
    fields += [(table + 72 * number + at, size) for number in range(3) for at, size in row]
    jobs: list[tuple[int, bytes]] = []
    for at, size in fields:
        top = (1 << 8 * size) - 1
        values = [
            0,
            1,
            2,
            4,
            95,
            96,
            97,
            65535,
            65536,
            len(content),
            len(content) + 1,
            top,
            top - 1,
            top // 2,
            top - 95,
        ]
        jobs += [(at, struct.pack("<Q", value & top)[:size]) for value in values]
    jobs += [(chance.randrange(start, len(content) - 96), bytes([chance.choice(numbers)])) for _ in range(300)]

    def start_it(bench: Bench, job: tuple[int, bytes]):
        at, data = job
        bench.path.write_bytes(resigned(content, at, data))
        return bench.start(PYPACK_SELF="verify")

    outcomes = for_all(tmp_path, content, jobs, start_it)
    bad = [(job, done) for job, done in outcomes if not (done.returncode == 0 or sound(done))]
    assert not bad, bad[:3]
    assert sum(done.returncode != 0 for _, done in outcomes) > len(fields) * 10


def test_flipped_payload_is_named_and_nothing_of_it_stays(stub, tmp_path):
    deps = [File(path=f"p/{number}.py", data=random.Random(number).randbytes(3000)) for number in range(40)]
    content = bundle(stub, small(deps=deps), cut=(8192, 16384))
    layers = range(len(stub) + 8, content.rindex(b"PK\x01\x02") - 80)
    jobs = random.Random(11).sample(layers, 150)

    def flip(bench: Bench, at: int):
        done = bench.with_bytes(at, bytes([content[at] ^ 0x10]), PYPACK_SELF="extract")
        left = [each for each in (bench.cache / "tmp").iterdir() if each.is_dir()]
        shutil.rmtree(bench.cache)
        return done, left

    for at, (done, left) in for_all(tmp_path, content, jobs, flip):
        assert not left, at
        assert sound(done, {103}) or (done.returncode == 0 and content[at] == 0), (at, done)
        assert done.returncode == 0 or "part of this file is damaged" in done.stderr


def handmade(stub: bytes, tar: bytes, zipped: bytes | None = None, *, rows=None) -> bytes:
    """A bundle around a given tar and given local entries, with right hashes everywhere."""
    out = bytearray(stub) + bytes(-len(stub) % 8)
    cut = pieces(tar_of([PYTHON])) if rows is None else rows
    cut = [(tar, 0)] if rows is None else cut
    layer, identity = layer_of(cut)
    first = (len(out), len(layer))
    unpacked = sum(len(data) for data, _ in cut)
    table = [struct.pack("<IIQQQII", 1, 0, len(out), len(layer), unpacked, len(cut), 0) + identity]
    out += layer + bytes(-len(layer) % 8)
    app = len(out)
    local, central = zip_of([File(path="boot.pyc", data=b"boot")])
    local = local if zipped is None else zipped
    entry = struct.pack("<IIQQQII", 3, 0, app, len(local), len(local), 0, 0) + hashlib.sha256(local).digest()
    out += local + central
    return bytes(out) + trailer_of(launch_block(small()), [*table, entry], len(out), first, app)


HOSTILE = {
    "above": [File(path="../out", data=b"x")],
    "above, deeper": [File(path="a/../../out", data=b"x")],
    "absolute": [File(path="/tmp/pypack-hostile-out", data=b"x")],
    "link above": [File(path="a", link="../../out")],
    "link absolute": [File(path="a", link="/etc")],
    "through a link": [File(path="lib", link="."), File(path="lib/x", data=b"x")],
    "over a link": [File(path="b", data=b"b"), File(path="a", link="b"), File(path="a", data=b"x")],
    "twice": [File(path="a", data=b"1"), File(path="a", data=b"2")],
    "file as folder": [File(path="a", data=b"1"), File(path="a/b", data=b"2")],
    "dot": [File(path="a/./b", data=b"1")],
    "very deep": [File(path="d/" * 300 + "f", data=b"1")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_members(stub, tmp_path, name):
    for way in ("tar", "zip"):
        tar = tar_of([PYTHON, *HOSTILE[name]]) if way == "tar" else tar_of([PYTHON])
        zipped = None
        if way == "zip":
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a name twice
                zipped = zip_of([File(path="boot.pyc", data=b"boot"), *HOSTILE[name]])[0]
        bench = Bench(tmp_path / way, handmade(stub, tar, zipped))
        done = bench.start(PYPACK_SELF="extract")
        assert sound(done, {103, 104}), done
        assert not list(tmp_path.glob("**/out"))
        assert not [each for each in (bench.cache / "tmp").iterdir() if each.is_dir()]


def test_senseless_tars_and_zips(stub, tmp_path):
    """Right hashes around wrong content: each header byte changed, and the whole cut."""
    tar = tar_of([PYTHON, File(path="n" * 150, data=b"y" * 700), File(path="link", link="t" * 120)])
    tool, link = File(path="tool", data=b"t", executable=True), File(path="l", link="boot.pyc")
    local = zip_of([File(path="boot.pyc", data=b"boot"), tool, link])[0]
    chance = random.Random(13)
    jobs: list[tuple[bytes, bytes | None]] = []
    for _ in range(150):
        at, value = chance.randrange(len(tar) - 9000), chance.choice([0, 1, 0x2F, 0x30, 0x37, 0x80, 0xFF])
        block = bytearray(tar)
        block[at] = value
        head = at // 512 * 512
        block[head + 148 : head + 156] = b"        "
        block[head + 148 : head + 156] = b"%06o\0 " % sum(block[head : head + 512])
        jobs.append((bytes(block), None))
        at = chance.randrange(len(local))
        jobs.append((tar, local[:at] + bytes([value]) + local[at + 1 :]))
    jobs += [(tar[:count], None) for count in range(1, 4000, 131)]
    jobs += [(tar, local[:count]) for count in range(1, len(local))]

    def start_it(bench: Bench, job):
        bench.path.write_bytes(handmade(stub, *job))
        done = bench.start(PYPACK_SELF="extract")
        shutil.rmtree(bench.cache)
        return done

    outcomes = for_all(tmp_path, handmade(stub, tar), jobs, start_it)
    bad = [done for _, done in outcomes if not (done.returncode == 0 or sound(done, {103, 104}))]
    assert not bad, bad[:3]


@pytest.mark.parametrize("flags", [[1], [0, 1], [0, 2]])
def test_frames_that_carry_on_wrongly(stub, tmp_path, flags):
    tar = tar_of([PYTHON])
    step = len(tar) // len(flags)
    rows = [(tar[at * step : (at + 1) * step], flag) for at, flag in enumerate(flags)]
    done = Bench(tmp_path / "0", handmade(stub, tar, rows=rows)).start(PYPACK_SELF="extract")
    assert done.returncode == (0 if flags == [0, 1] else 103), done


def test_launch_block_for_another_system(stub, tmp_path):
    """Nothing is unpacked for a start that this launcher has no way to do."""
    extra = ("target=windows-x86_64", "launch=embed", "libpython=bin/python3")
    bench = Bench(tmp_path / "0", bundle(stub, small(extra=extra)))
    done = bench.start()
    assert sound(done, {102}), done
    assert "launch=embed, for windows-x86_64" in done.stderr
    assert not list(tmp_path.glob("**/layers"))


@pytest.mark.parametrize(
    "line",
    [
        "name=../x", "name=a/b", "name=", "python=/bin/sh", "python=../../bin/sh", "boot=a/../../b", "site=/etc",
        "launch=other", "loader=/lib/ld.so", "loader=../ld.so", "libpython=../x.dll",
        "script=a/b=m:f", "script=x=m", "script=x=m:f()", "script=x=1m:f", "script=x=m:", "script=..=m:f", "script=x",
        "script=2:../x", "command=2:../x", "command=2:", "command=x=m:f",
        "sentinel=1:x:bin", "sentinel=9:1:bin", "sentinel=1:99999999999999999999:bin",
        "path=3:../app", "path=app",
    ],
)  # fmt: skip
def test_launch_blocks_that_are_refused(stub, tmp_path, line):
    done = Bench(tmp_path / "0", bundle(stub, small(extra=("target=t", "launch=exec", line)))).start()
    assert sound(done, {102}), done
    assert f"the description in this file cannot be used: {line}\n" in done.stderr


def test_memory_runs_out(tmp_path):
    program = write(tmp_path / "hello", bundle(launcher(), recipe()))
    limited = ["sh", "-c", f"ulimit -v 900; exec '{program}'"]
    done = subprocess.run(limited, env=environment(tmp_path / "cache"), capture_output=True, text=True, check=False)
    assert done.returncode == 107, done
    assert done.stderr.startswith("hello: the system has no more memory for it\n")
