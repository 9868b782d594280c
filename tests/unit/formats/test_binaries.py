"""Native code is read right, by hand-made files of every container and machine."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest
from tests.support import machos
from tests.support.elf_files import EM_AARCH64, ET_REL, elf
from tests.support.pe_files import AMD64, ARM64, pe

from pypack.bundle import facts
from pypack.formats import binaries
from pypack.formats.binaries import is_glibc, windows_dlls
from pypack.formats.binaries.strip import strip
from pypack.formats.image import ImageBuilder
from pypack.runtimes.host_libraries import Libraries

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_large_pe_is_read_from_the_disk(tmp_path, monkeypatch):
    from pypack.formats.binaries import pe as reader

    monkeypatch.setattr(reader, "_IN_MEMORY", 100)
    assert read(pe(needed=("kernel32.dll",))).needed == ("kernel32.dll",)
    assert binaries.read(io.BytesIO(pe(needed=("kernel32.dll",))[:-1])) is None


def test_a_bundle_for_musl_needs_no_glibc_whatever_its_wheels_name(tmp_path):
    deps = image(tmp_path, {"n.libs/libgcc_s.so.1": elf(versions={"libc.so.6": ["GLIBC_2.0"]})})
    params = {"sentinels": [], "container": "elf", "arch": "x86_64"}
    assert facts.gather(binaries.look(deps), {**params, "libc": "gnu"})["floor"] == "2.0"
    assert facts.gather(binaries.look(deps), {**params, "libc": "musl"})["floor"] == ""


def test_a_file_for_another_processor_raises_no_floor(tmp_path):
    new = elf(machine=EM_AARCH64, versions={"libc.so.6": ["GLIBC_2.38"]})
    deps = image(tmp_path, {"x/a.so": elf(versions={"libc.so.6": ["GLIBC_2.17"]}), "x/b.so": new})
    params = {"sentinels": [], "container": "elf", "libc": "gnu"}
    assert facts.gather(binaries.look(deps), {**params, "arch": "x86_64"})["floor"] == "2.17"
    assert facts.gather(binaries.look(deps), {**params, "arch": "aarch64"})["floor"] == "2.38"
