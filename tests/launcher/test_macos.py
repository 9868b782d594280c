"""The launcher for macOS: its structure as two foreign parsers see it, and its own reading of Mach-O files, run here.

Nothing here can start it.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import lief
import pytest

from pypack.base import folders, targets
from pypack.formats.macho import payload
from tests.launcher.test_start import told
from tests.support.bundles import bundle, write
from tests.support.launchers import SANITIZED, build_folder, environment, launcher, macos_reader, recipe

SUPPORT = Path(__file__).parent.parent / "support"
PROCESSORS = {"macos-aarch64": "aarch64", "macos-x86_64": "x86_64"}
PAYLOAD = b"payload!" * 5000 + b"end"


@pytest.fixture(scope="module", params=PROCESSORS)
def target(request) -> str:
    return request.param


def filled(target: str, content: bytes, folder: Path) -> bytes:
    """The launcher with a payload in it, as the writer of bundles makes it."""
    stub = write(folder / f"{target}.stub", launcher(target))
    with (folder / f"{target}.bundle").open("w+b") as out:
        base = payload.begin(stub, out)
        out.seek(base)
        out.write(content)
        payload.finish(out, stub, base=base, size=len(content), identifier="test")
    return (folder / f"{target}.bundle").read_bytes()


def fat(parts: dict[str, bytes], *, wide: bool = False) -> bytes:
    """A fat file of programs, by processor (mach-o/fat.h)."""
    numbers = {"x86_64": 0x01000007, "aarch64": 0x0100000C}
    table = struct.pack(">II", 0xCAFEBABF if wide else 0xCAFEBABE, len(parts))
    body, at = b"", 0x4000
    for processor, content in parts.items():
        row = (numbers[processor], 0, at, len(content), 14)
        table += struct.pack(">IIQQII", *row, 0) if wide else struct.pack(">IIIII", *row)
        body += content + bytes(-len(content) % 0x4000)
        at = 0x4000 + len(body)
    return table.ljust(0x4000, b"\0") + body


# ---- what the linker made ----


def test_structure(target):
    file = lief.MachO.parse(list(launcher(target)))
    assert file
    program = file.at(0)  # lives as long as the file
    assert [library.name for library in program.libraries] == ["/usr/lib/libSystem.B.dylib"]
    version = program.build_version
    assert ".".join(map(str, version.minos[:2])) == targets.load()[target].floor
    assert version.platform == lief.MachO.BuildVersion.PLATFORMS.MACOS
    assert program.header.has(lief.MachO.Header.FLAGS.PIE)
    names = [segment.name for segment in program.segments]
    assert names[-2:] == ["__PYPACK", "__LINKEDIT"]
    place = program.get_segment("__PYPACK")
    assert [(section.name, section.size) for section in place.sections] == [("__payload", 8)]
    assert not [command for command in program.commands if command.command == lief.MachO.LoadCommand.TYPE.RPATH]


def test_the_one_that_loads_python():
    """It takes libpython by its path, so it names no other library than the plain one does."""
    found = {}
    for launch in ("exec", "embed"):
        file = lief.MachO.parse(list(launcher("macos-aarch64", launch)))
        assert file
        program = file.at(0)
        assert [library.name for library in program.libraries] == ["/usr/lib/libSystem.B.dylib"]
        assert [segment.name for segment in program.segments][-2:] == ["__PYPACK", "__LINKEDIT"]
        found[launch] = {symbol.name for symbol in program.imported_symbols}
    assert found["embed"] - found["exec"] >= {"_dlopen", "_dlsym"}


def test_small_and_clean(target):
    content = launcher(target)
    assert len(content) < 300_000
    for word in (str(Path.home()), str(Path.cwd()), "zig-cache", "/pypack-", "DYLD_", "/proc/"):
        assert word == "/" or word.encode() not in content, word


def test_another_parser(tmp_path, target):
    tool = shutil.which("llvm-otool") or shutil.which("llvm-otool-14")
    if not tool:
        pytest.skip("llvm-otool is not here: the launcher was NOT read by a second parser")
    file = write(tmp_path / "stub", launcher(target))
    libraries = subprocess.run([tool, "-L", file], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in libraries[1:]] == ["/usr/lib/libSystem.B.dylib"]
    commands = subprocess.run([tool, "-l", file], capture_output=True, text=True, check=True).stdout
    assert "minos 11.0" in commands
    assert "sectname __payload" in commands


# ---- how it finds its payload ----


@pytest.fixture(scope="module")
def probe() -> Path:
    """The launcher's own code, for this system, with sanitizers."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: the launcher's reading of Mach-O was NOT run")
    stubs, product = folders.data("stubs"), build_folder() / "macho-probe"
    sources = [SUPPORT / "macho_probe.c", stubs / "os/macos/macho.c", stubs / "base/memory.c"]
    words = ["gcc", "-std=c11", "-g", "-O1", *SANITIZED]
    subprocess.run([*words, f"-I{stubs}", *sources, "-o", product], check=True)
    return product


def found(probe: Path, file: Path, processor: str) -> str:
    return subprocess.run([probe, file, processor], capture_output=True, text=True, check=True).stdout.strip()


def test_payload_is_found(probe, tmp_path, target):
    content = filled(target, PAYLOAD, tmp_path)
    place = content.index(PAYLOAD)
    assert found(probe, write(tmp_path / "x", content), PROCESSORS[target]) == f"{place} {len(PAYLOAD)}"
    other = next(each for each in PROCESSORS.values() if each != PROCESSORS[target])
    assert found(probe, tmp_path / "x", other) == "it is for another processor"


@pytest.mark.parametrize("wide", [False, True])
def test_each_part_of_a_fat_file_has_its_own(probe, tmp_path, wide):
    contents = {name: filled(name, PAYLOAD + name.encode(), tmp_path) for name in PROCESSORS}
    whole = fat({PROCESSORS[name]: content for name, content in contents.items()}, wide=wide)
    file = write(tmp_path / "fat", whole)
    for name, processor in PROCESSORS.items():
        own = PAYLOAD + name.encode()
        assert found(probe, file, processor) == f"{whole.index(own)} {len(own)}"
    one = write(tmp_path / "one", fat({"x86_64": contents["macos-x86_64"]}, wide=wide))
    assert found(probe, one, "aarch64") == "it has no part for this processor"


def test_bare_launcher_holds_no_trailer(probe, tmp_path, target):
    _, size = found(probe, write(tmp_path / "x", launcher(target)), PROCESSORS[target]).split()
    assert size == "8"


def test_other_files(probe, tmp_path):
    samples = {
        b"": "it is not whole",
        b"\x7fELF" + bytes(100): "it is not a 64-bit program of macOS",
        b"\xca\xfe\xba\xbe\x00\x00\x00\x41" + bytes(9000): "it has too many parts",
        struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 0, 0, 0, 0): "it has no place for one",
        struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 6, 0, 0, 0, 0): "it is not a 64-bit program of macOS",
        struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 1, 8, 0, 0): "it is not whole",
        struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 1, 8, 0, 0) + bytes(8): "its load commands are senseless",
        struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 1, 1 << 30, 0, 0): "its load commands are senseless",
    }
    for number, (content, why) in enumerate(samples.items()):
        assert found(probe, write(tmp_path / str(number), content), "x86_64") == why


def test_file_that_was_cut(probe, tmp_path, target):
    content = filled(target, PAYLOAD, tmp_path)
    end = content.index(PAYLOAD) + len(PAYLOAD)
    for size in (end - 1, end - len(PAYLOAD), 5000):
        assert found(probe, write(tmp_path / str(size), content[:size]), PROCESSORS[target]) == "it is not whole"


def test_damaged_headers(probe, tmp_path, target):
    """Each byte of the headers with several values, cut at each, and many bytes at once: no step out of the file."""
    content = filled(target, PAYLOAD, tmp_path)
    headers = 32 + int.from_bytes(content[20:24], "little")
    subprocess.run([probe, write(tmp_path / "thin", content), PROCESSORS[target], str(headers)], check=True)
    small = {PROCESSORS[target]: content}
    subprocess.run([probe, write(tmp_path / "fat", fat(small)), PROCESSORS[target], "64"], check=True)


# ---- a bundle for macOS, read and unpacked by the launcher's code ----


def start_foreign(file: Path, target: str, cache: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: the macOS bundle was NOT read by the launcher's code")
    env = environment(cache, TEST_BUNDLE=str(file), TEST_PROCESSOR=PROCESSORS[target], **more)
    return subprocess.run([macos_reader(), "x"], env=env, capture_output=True, check=False)


def test_offsets_count_from_the_payload(tmp_path, cache, target):
    """The program inside is a stand-in for this system, so that it can be started all the same."""
    content = filled(target, bundle(b"", recipe()), tmp_path)
    program = write(tmp_path / "hello", content)
    for _ in ("cold", "warm"):
        done = start_foreign(program, target, cache)
        assert (done.returncode, done.stderr) == (0, b"")
        assert told(done.stdout)["word"][-1] == "x"
    verified = start_foreign(program, target, cache, PYPACK_SELF="verify")
    assert verified.stdout.count(b"sound in the bundle and in the cache") == 3


def test_fat_bundle(tmp_path, cache):
    parts = {
        processor: filled(target, bundle(b"", recipe(salt=number, name=processor)), tmp_path)
        for number, (target, processor) in enumerate(PROCESSORS.items())
    }
    program = write(tmp_path / "hello", fat(parts))
    for target, processor in PROCESSORS.items():
        done = start_foreign(program, target, cache)
        assert told(done.stdout)["word"][0].endswith(f"/bin/{processor}")


def test_damaged_bundles_are_told(tmp_path, cache, target):
    content = filled(target, bundle(b"", recipe()), tmp_path)
    damaged = {
        "bare": (launcher(target), b"it was cut short, or never had one"),
        "cut": (content[: len(content) // 2], b"this file holds no program: it is not whole"),
        "other": (content.replace(b"__payload", b"__elsewhe"), b"this file holds no program: it has no place for one"),
    }
    for name, (data, why) in damaged.items():
        done = start_foreign(write(tmp_path / name, data), target, cache)
        assert done.returncode == 101
        assert why in done.stderr


@pytest.mark.parametrize(
    ("needed", "there", "starts"),
    [
        ("11.0", "10.15", False),
        ("11.0", "11.0", True),
        ("13.3", "13.2", False),
        ("13.3", "26.1", True),
        ("13", "13.0", True),
    ],
)
def test_a_macos_that_is_too_old(tmp_path, cache, needed, there, starts):
    content = bundle(b"", recipe(extra=("target=macos-aarch64", "launch=exec", f"macos={needed}")))
    program = write(tmp_path / "hello", filled("macos-aarch64", content, tmp_path))
    done = start_foreign(program, "macos-aarch64", cache, TEST_MACOS=there)
    assert done.returncode == (0 if starts else 108)
    told = f"this program needs macOS {needed} or newer; this system has {there}"
    assert (told.encode() in done.stderr) == (not starts)
    assert bool(list(cache.glob("layers/*"))) == starts
