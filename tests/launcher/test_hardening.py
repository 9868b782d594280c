"""What the systems offer to programs against being misused is asked for: in the file, and in the running process."""

from __future__ import annotations

import fcntl
import io
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.support.launchers import environment, launcher

WRITE, EXECUTE = 2, 1
NOW, PIE = 1, 0x08000000  # DF_1_NOW, DF_1_PIE
HIGH_ENTROPY, DYNAMIC_BASE, NX = 0x20, 0x40, 0x100
MH_PIE = 0x200000
ELF = [
    ("linux-musl-x86_64", ""),
    ("linux-musl-aarch64", ""),
    ("linux-gnu-x86_64", "embed"),
    ("linux-gnu-aarch64", "embed"),
]


@pytest.mark.parametrize(("target", "launch"), ELF)
def test_elf(target, launch):
    file = ELFFile(io.BytesIO(launcher(target, launch)))
    assert file.header.e_type == "ET_DYN", "it has a fixed address"
    segments = {segment.header.p_type: segment for segment in file.iter_segments()}
    assert ("PT_INTERP" in segments) == (launch == "embed")
    assert not segments["PT_GNU_STACK"].header.p_flags & EXECUTE
    loaded = [segment.header for segment in file.iter_segments() if segment.header.p_type == "PT_LOAD"]
    assert not [each for each in loaded if each.p_flags & WRITE and each.p_flags & EXECUTE]
    constant = segments["PT_GNU_RELRO"].header
    flags = {tag.entry.d_tag: tag.entry.d_val for tag in segments["PT_DYNAMIC"].iter_tags()}
    assert flags["DT_FLAGS_1"] & PIE
    assert launch != "embed" or flags["DT_FLAGS_1"] & NOW
    got = file.get_section_by_name(".got").header
    assert constant.p_vaddr <= got.sh_addr < constant.p_vaddr + constant.p_memsz


@pytest.mark.parametrize("target", ["windows-x86_64", "windows-aarch64"])
def test_pe(target):
    content = launcher(target)
    (head,) = struct.unpack_from("<I", content, 0x3C)
    (flags,) = struct.unpack_from("<H", content, head + 24 + 70)
    assert flags & (HIGH_ENTROPY | DYNAMIC_BASE | NX) == HIGH_ENTROPY | DYNAMIC_BASE | NX


@pytest.mark.parametrize("target", ["macos-x86_64", "macos-aarch64"])
@pytest.mark.parametrize("launch", ["", "embed"])
def test_macho(target, launch):
    (flags,) = struct.unpack_from("<I", launcher(target, launch), 24)
    assert flags & MH_PIE


def mappings(process: subprocess.Popen) -> list[tuple[int, int, str, str]]:
    found = []
    for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
        area, modes, _, _, _, *name = line.split(maxsplit=5)
        begin, end = (int(number, 16) for number in area.split("-"))
        found.append((begin, end, modes, "".join(name)))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="NOT tested: only Linux shows a process's memory so")
def test_a_running_launcher(hello, cache, program):
    """It stands elsewhere each time, and what it has relocated cannot be written any more."""
    assert subprocess.run([hello], env=environment(cache), capture_output=True, check=False).returncode == 0
    layer = next(each for each in (cache / "layers").iterdir() if (each / "bin").exists())
    shutil.rmtree(layer)
    file = ELFFile(io.BytesIO(launcher()))
    constant = next(each.header for each in file.iter_segments() if each.header.p_type == "PT_GNU_RELRO")
    bases = set()
    with (cache / "tmp" / f"{layer.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(3):
            process = subprocess.Popen([hello], env=environment(cache), stdout=subprocess.DEVNULL)
            time.sleep(0.3)  # it waits for the lock
            areas = mappings(process)
            process.kill()
            process.wait()
            base = min(begin for begin, _, _, name in areas if name == str(hello))
            bases.add(base)
            (modes,) = [modes for begin, end, modes, _ in areas if begin <= base + constant.p_vaddr < end]
            assert modes.startswith("r--"), areas
            assert not [area for area in areas if "w" in area[2] and "x" in area[2]]
    assert len(bases) > 1
