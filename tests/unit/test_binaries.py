"""Native code is read right, by hand-made files of every container and machine."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest
from tests.support import machos
from tests.support.pe_files import AMD64, ARM64, I386, pe

from pypack import binaries, targets
from pypack.binaries import is_glibc, windows_dlls
from pypack.binaries.strip import strip
from pypack.bundle import facts
from pypack.images.image import ImageBuilder
from pypack.providers.host_libraries import Libraries

if TYPE_CHECKING:
    from pathlib import Path

EM_X86_64, EM_AARCH64 = 62, 183
ET_REL, ET_DYN = 1, 3


class Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def __call__(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def elf(
    *,
    machine: int = EM_X86_64,
    kind: int = ET_DYN,
    soname: str = "",
    needed: tuple[str, ...] = (),
    rpath: str = "",
    runpath: str = "",
    interpreter: str = "",
    versions: dict[str, tuple[str, ...]] | None = None,
    weak: tuple[str, ...] = (),
) -> bytes:
    """Make a 64-bit little-endian ELF file that has program headers and no section headers."""
    strings, tags = Strings(), []
    tags += [(1, strings(name)) for name in needed]
    tags += [(tag, strings(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text]
    verneed = _verneed(versions or {}, weak, strings)
    program = interpreter.encode() + b"\0" if interpreter else b""
    count = 2 + bool(program)
    at_program = 64 + 56 * count
    at_strings = at_program + len(program)
    at_verneed = at_strings + len(strings.data)
    at_dynamic = at_verneed + len(verneed)
    tags += [(5, at_strings), (10, len(strings.data))]
    if verneed:
        tags += [(0x6FFFFFFE, at_verneed), (0x6FFFFFFF, len(versions or {}))]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    size = at_dynamic + len(dynamic)
    heads = [_phdr(1, 0, size), _phdr(2, at_dynamic, len(dynamic))]
    if program:
        heads.insert(0, _phdr(3, at_program, len(program)))
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    ehdr = ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return ehdr + b"".join(heads) + program + bytes(strings.data) + verneed + dynamic


def _phdr(kind: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)


def _verneed(versions: dict[str, tuple[str, ...]], weak: tuple[str, ...], strings: Strings) -> bytes:
    out = b""
    for number, (file, names) in enumerate(versions.items(), start=1):
        size = 16 + 16 * len(names)
        following = size if number < len(versions) else 0
        out += struct.pack("<HHIII", 1, len(names), strings(file), 16, following)
        for place, name in enumerate(names, start=1):
            flags = 2 if name in weak else 0
            out += struct.pack("<IHHII", 0, flags, place, strings(name), 16 if place < len(names) else 0)
    return out


def macho(cpu: int) -> bytes:
    return struct.pack("<IIII", 0xFEEDFACF, cpu, 0, 8) + bytes(112)  # MH_BUNDLE


def fat(*cpus: int) -> bytes:
    return machos.fat(*(macho(cpu) for cpu in cpus), cpus=cpus)


def image(folder: Path, members: dict[str, bytes], name: str = "image.tar") -> Path:
    with ImageBuilder("test", folder=folder) as builder:
        for path, data in members.items():
            builder.add(path, data)
        builder.write(folder / name)
    return folder / name


def read(data: bytes) -> binaries.Binary:
    found = binaries.read(io.BytesIO(data))
    assert found is not None
    return found


def test_elf_is_read_without_section_headers():
    found = read(
        elf(
            soname="libx.so.1",
            needed=("libz.so.1", "libc.so.6"),
            rpath="$ORIGIN/../lib:/opt/lib",
            runpath="/usr/local/lib",
            interpreter="/lib64/ld-linux-x86-64.so.2",
            versions={"libz.so.1": ("ZLIB_1.2.0",), "libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.14")},
        )
    )
    assert (found.container, found.machines, found.bits, found.loadable) == ("elf", ("x86_64",), 64, True)
    assert (found.soname, found.needed) == ("libx.so.1", ("libz.so.1", "libc.so.6"))
    assert (found.rpath, found.runpath) == (("$ORIGIN/../lib", "/opt/lib"), ("/usr/local/lib",))
    assert found.interpreter == "/lib64/ld-linux-x86-64.so.2"
    assert found.versions == ("GLIBC_2.14", "GLIBC_2.2.5", "ZLIB_1.2.0")
    assert (found.glibc, found.libc) == ((2, 14), "gnu")


def test_version_numbers_are_compared_as_numbers():
    assert read(elf(versions={"libc.so.6": ("GLIBC_2.9", "GLIBC_2.17", "GLIBC_2.4")})).glibc == (2, 17)


def test_weak_versions_do_not_count():
    data = elf(versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34")}, weak=("GLIBC_2.34",))
    assert read(data).glibc == (2, 17)


def test_a_marker_without_a_number_names_its_glibc():
    assert read(elf(versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_ABI_DT_RELR")})).glibc == (2, 36)


@pytest.mark.parametrize(
    ("parts", "libc"),
    [
        ({"interpreter": "/lib/ld-musl-x86_64.so.1"}, "musl"),
        ({"needed": ("libc.musl-x86_64.so.1",)}, "musl"),
        ({"needed": ("libc.so",)}, "musl"),
        ({"needed": ("libc.so.6",)}, "gnu"),
        ({}, ""),
    ],
)
def test_the_c_library_is_told_apart(parts, libc):
    assert read(elf(**parts)).libc == libc


def test_object_files_are_not_loadable():
    assert not read(elf(kind=ET_REL)).loadable


@pytest.mark.parametrize(
    ("data", "container", "machines"),
    [
        (elf(machine=EM_AARCH64), "elf", ("aarch64",)),
        (pe(0x8664), "pe", ("x86_64",)),
        (pe(0xAA64), "pe", ("aarch64",)),
        (pe(0x14C), "pe", ("x86",)),
        (macho(0x0100000C), "macho", ("aarch64",)),
        (fat(0x01000007, 0x0100000C), "macho", ("x86_64", "aarch64")),
    ],
)
def test_containers_and_machines(data, container, machines):
    found = read(data)
    assert (found.container, found.machines) == (container, machines)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"import sys\n" * 20,
        b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(100),  # a Java class of version 52
        b"MZ" + bytes(58) + struct.pack("<I", 64) + b"NE" + bytes(64),  # a program for DOS
        b"MZ" + bytes(58) + struct.pack("<I", 9999),
        b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", AMD64) + bytes(64),
        b"\x7fELF",
    ],
)
def test_what_is_no_native_code(data):
    assert binaries.read(io.BytesIO(data)) is None


def test_a_cut_elf_never_raises():
    whole = elf(needed=("libc.so.6",), interpreter="/lib/ld.so", versions={"libc.so.6": ("GLIBC_2.17",)})
    for size in range(len(whole)):
        binaries.read(io.BytesIO(whole[:size]))


def test_floor_over_images(tmp_path):
    old = elf(versions={"libc.so.6": ("GLIBC_2.17",)})
    new = elf(versions={"libc.so.6": ("GLIBC_2.28",)})
    first = image(tmp_path, {"lib/a.so": old, "lib/text.py": b"x = 1\n" * 20}, "first.tar")
    second = image(tmp_path, {"b.so": new, "c.so": old}, "second.tar")
    floor = binaries.glibc_floor([first, second])
    assert floor is not None
    assert (floor.version, floor.path) == ((2, 28), "b.so")
    assert str(floor) == "glibc 2.28 (b.so)"


def test_no_floor_without_glibc(tmp_path):
    assert binaries.glibc_floor([image(tmp_path, {"a.so": elf(), "b.py": b"pass\n" * 20})]) is None


def test_natives_are_found_by_content(tmp_path):
    whole = image(tmp_path, {"a": elf(), "b.so": b"INPUT(libc.so.6)" * 8, "cli.exe": pe(0x8664), "d": macho(7)})
    assert binaries.natives(whole) == ["a", "cli.exe", "d"]
    assert binaries.natives(whole, only=["elf"]) == ["a"]


def test_mismatches_name_machine_and_c_library(tmp_path):
    target = targets.find("linux-gnu-x86_64", targets.load())
    whole = image(
        tmp_path,
        {
            "right.so": elf(needed=("libc.so.6",)),
            "arm.so": elf(machine=EM_AARCH64),
            "musl.so": elf(needed=("libc.musl-x86_64.so.1",)),
            "object.o": elf(machine=EM_AARCH64, kind=ET_REL),
            "setuptools/cli-64.exe": pe(0x8664),
            "_speedups.cp313-win_amd64.pyd": pe(0x8664),
            "_speedups.cpython-313-darwin.so": macho(0x0100000C),
        },
    )
    found = {mismatch.path: mismatch.why for mismatch in binaries.mismatches(whole, target)}
    assert found == {
        "arm.so": "it is made for aarch64",
        "musl.so": "it is linked with musl",
        "_speedups.cp313-win_amd64.pyd": "it is made for pe systems",
        "_speedups.cpython-313-darwin.so": "it is made for macho systems",
    }


def test_mismatches_of_glibc_on_musl(tmp_path):
    target = targets.find("linux-musl-x86_64", targets.load())
    found = binaries.mismatches(image(tmp_path, {"x.so": elf(needed=("libc.so.6",))}), target)
    assert [(one.path, one.why) for one in found] == [("x.so", "it is linked with glibc")]


def test_strip_leaves_a_file_without_sections_alone():
    data = elf(needed=("libc.so.6",))
    assert strip(data) == data


def _library(folder: Path, name: str, **parts) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(elf(soname=name, **parts))
    return path


def test_libraries_are_followed_and_glibc_is_left_out(tmp_path):
    program = _library(tmp_path / "bin", "python", needed=("libpython.so", "libc.so.6"), runpath="$ORIGIN/../lib")
    libpython = _library(tmp_path / "lib", "libpython.so", needed=("libz.so.1", "libm.so.6"))
    libz = _library(tmp_path / "system", "libz.so.1", needed=("libc.so.6",))
    needs = Libraries(program, [tmp_path / "system"]).needs(program)
    assert needs.found == {"libpython.so": libpython, "libz.so.1": libz}
    assert not needs.missing


def test_rpath_comes_before_the_system_and_another_machine_is_passed_over(tmp_path):
    own = tmp_path / "own"
    program = _library(tmp_path, "python", needed=("liba.so", "libb.so"), rpath=f"{own}:${{ORIGIN}}/more")
    _library(own, "liba.so", machine=EM_AARCH64)
    right = _library(tmp_path / "more", "liba.so")
    _library(tmp_path / "system", "liba.so")
    system = _library(tmp_path / "system", "libb.so")
    assert Libraries(program, [tmp_path / "system"]).needs(program).found == {"liba.so": right, "libb.so": system}


def test_a_missing_library_is_named_with_who_asks(tmp_path):
    program = _library(tmp_path, "python")
    module = _library(tmp_path, "_tkinter.so", needed=("libtk.so",), rpath="$ORIGIN")
    _library(tmp_path, "libtk.so", needed=("libX11.so.6",), rpath="$ORIGIN")
    assert Libraries(program, []).needs(module).missing == {"libX11.so.6": "libtk.so"}


def test_the_rpath_of_the_program_counts_for_what_it_loads(tmp_path):
    program = _library(tmp_path / "bin", "python", rpath="$ORIGIN/../lib")
    module = _library(tmp_path / "dynload", "_ssl.so", needed=("libssl.so",))
    libssl = _library(tmp_path / "lib", "libssl.so")
    assert Libraries(program, []).needs(module).found == {"libssl.so": libssl}


def test_needed_by_a_fixed_path_cannot_be_carried(tmp_path):
    program = _library(tmp_path, "python", needed=(f"{tmp_path}/libx.so",))
    _library(tmp_path, "libx.so")
    assert list(Libraries(program, [tmp_path]).needs(program).missing) == [f"{tmp_path}/libx.so"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("libc.so.6", True),
        ("ld-linux-x86-64.so.2", True),
        ("ld-linux-aarch64.so.1", True),
        ("libnss_files.so.2", True),
        ("libnsl.so.1", True),
        ("libnsl.so.2", False),
        ("libcrypt.so.1", False),
        ("libcrypto.so.3", False),
        ("libgcc_s.so.1", False),
        ("libstdc++.so.6", False),
    ],
)
def test_what_belongs_to_glibc(name, part):
    assert is_glibc(name) is part


def test_pe_tells_what_it_needs_and_is():
    found = read(
        pe(needed=("KERNEL32.dll", "python313.dll"), delayed=("Late.DLL", "kernel32.dll"), subsystem=2, dll=True)
    )
    assert (found.container, found.machines, found.bits) == ("pe", ("x86_64",), 64)
    assert found.needed == ("kernel32.dll", "python313.dll", "late.dll")
    assert (found.subsystem, found.dll, found.signed) == ("gui", True, False)
    found = read(pe(ARM64, certificate=bytes(16)))
    assert (found.machines, found.needed) == (("aarch64",), ())
    assert (found.subsystem, found.dll, found.signed) == ("console", False, True)


def test_a_cut_pe_is_nothing_at_any_length():
    whole = pe(needed=("kernel32.dll",), delayed=("late.dll",), certificate=bytes(16))
    for size in [*range(0, len(whole), 9), len(whole) - 1]:
        assert binaries.read(io.BytesIO(whole[:size])) is None, size
    assert read(whole + b"payload").signed


def test_a_damaged_pe_never_raises():
    whole = pe(needed=("kernel32.dll",), delayed=("late.dll",), exports={"a": "code"}, certificate=bytes(16))
    for place in [*range(60, 400, 3), *range(0x400, len(whole), 7)]:
        for value in (0, 0x7F, 0xFF):
            binaries.read(io.BytesIO(whole[:place] + bytes([value]) + whole[place + 1 :]))


def test_dlls_that_neither_windows_nor_the_image_has(tmp_path):
    whole = image(
        tmp_path,
        {
            "python313.dll": pe(
                dll=True, needed=("KERNEL32.dll", "VCRUNTIME140.dll", "api-ms-win-crt-heap-l1-1-0.dll")
            ),
            "vcruntime140.dll": pe(dll=True, needed=("ucrtbase.dll",)),
            "numpy/_core.cp313-win_amd64.pyd": pe(dll=True, needed=("python313.dll", "libblas-1f.dll", "MSVCP140.dll")),
            "numpy.libs/LibBlas-1f.dll": pe(dll=True),
            "lib/x.so": elf(needed=("libz.so.1",)),
        },
    )
    found = binaries.libraries(whole, "pe")
    assert found.needs == ("libblas-1f.dll", "msvcp140.dll", "python313.dll", "vcruntime140.dll")
    assert set(found.needs) - set(found.brings) == {"msvcp140.dll"}
    assert binaries.libraries(whole).needs == ("libz.so.1",)


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("KERNEL32.dll", True),
        ("api-ms-win-core-path-l1-1-0.dll", True),
        ("ext-ms-win-ntuser-window-l1-1-0.dll", True),
        ("WINSPOOL.DRV", True),
        ("ucrtbase.dll", True),
        ("vcruntime140.dll", False),
        ("vcruntime140_1.dll", False),
        ("msvcp140.dll", False),
        ("mfplat.dll", False),
        ("api.dll", False),
        ("", False),
    ],
)
def test_what_belongs_to_windows(name, system):
    assert windows_dlls.is_system(name) is system


def test_mismatches_on_windows(tmp_path):
    target = targets.find("windows-x86_64", targets.load())
    right = pe(dll=True, needed=("python313.dll",))
    whole = image(
        tmp_path,
        {
            "right.pyd": right,
            "arm.pyd": pe(ARM64, dll=True),
            "old.dll": pe(I386, dll=True),
            "cut.pyd": right[:-1],
            "data.bin": b"MZ" + bytes(100),
            "x.cpython-313-x86_64-linux-gnu.so": elf(),
        },
    )
    assert {one.path: one.why for one in binaries.mismatches(whole, target)} == {
        "arm.pyd": "it is made for aarch64",
        "cut.pyd": "it is cut short or damaged",
        "old.dll": "it is made for x86",
        "x.cpython-313-x86_64-linux-gnu.so": "it is made for elf systems",
    }


def test_a_large_pe_is_read_from_the_disk(tmp_path, monkeypatch):
    from pypack.binaries import pe as reader

    monkeypatch.setattr(reader, "_IN_MEMORY", 100)
    assert read(pe(needed=("kernel32.dll",))).needed == ("kernel32.dll",)
    assert binaries.read(io.BytesIO(pe(needed=("kernel32.dll",))[:-1])) is None


def test_a_bundle_for_musl_needs_no_glibc_whatever_its_wheels_name(tmp_path):
    deps = image(tmp_path, {"n.libs/libgcc_s.so.1": elf(versions={"libc.so.6": ["GLIBC_2.0"]})})
    params = {"sentinels": [], "container": "elf", "arch": "x86_64"}
    assert facts.gather(binaries.look(deps), {**params, "libc": "gnu"})["floor"] == "2.0"
    assert facts.gather(binaries.look(deps), {**params, "libc": "musl"})["floor"] == ""
