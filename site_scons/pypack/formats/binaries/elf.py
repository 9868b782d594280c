"""Read ELF with pyelftools, through program headers alone: section headers may have been stripped."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from pypack.formats.binaries.model import Binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile

_MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_AARCH64": "aarch64",
    "EM_386": "x86",
    "EM_ARM": "armv7",
    "EM_RISCV": "riscv64",
    "EM_PPC64": "ppc64le",
    "EM_S390": "s390x",
}
_LISTS = {"DT_NEEDED": "needed", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
_WEAK = 0x2  # VER_FLG_WEAK: the loader does without it


def read(stream: IO[bytes]) -> Binary | None:
    """Return what an ELF file says about itself; None if it is too damaged to be loaded by anything."""
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        file = ELFFile(stream)
        return _binary(file)
    except (ELFError, ConstructError, UnicodeDecodeError, ValueError, OverflowError, AttributeError, TypeError):
        return None  # pyelftools raises any of these on a file that was cut short


def _binary(file: ELFFile) -> Binary:
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.segments import InterpSegment

    header = file.header
    machine = _MACHINES.get(header.e_machine, str(header.e_machine).removeprefix("EM_").lower())
    lists: dict[str, list[str]] = {name: [] for name in _LISTS.values()}
    soname = interpreter = ""
    versions: tuple[str, ...] = ()
    for segment in file.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags():
                if tag.entry.d_tag == "DT_SONAME":
                    soname = str(getattr(tag, "soname", ""))  # pyelftools sets it on this kind of tag only
                elif tag.entry.d_tag in _LISTS:
                    name = _LISTS[tag.entry.d_tag]
                    lists[name].append(getattr(tag, name))
            versions = tuple(sorted(set(_versions(file, segment))))
    return Binary(
        container="elf",
        machines=(machine,),
        bits=file.elfclass,
        loadable=header.e_type in {"ET_EXEC", "ET_DYN"},
        soname=soname,
        needed=tuple(lists["needed"]),
        rpath=_folders(lists["rpath"]),
        runpath=_folders(lists["runpath"]),
        interpreter=interpreter,
        versions=versions,
    )


def _versions(file: ELFFile, dynamic: DynamicSegment) -> Iterator[str]:
    """Yield the symbol versions of DT_VERNEED (gABI supplement of the LSB, "Version Requirements")."""
    from elftools.common.utils import struct_parse

    _, start = dynamic.get_table_offset("DT_VERNEED")
    if start is None:
        return
    _, names = dynamic.get_table_offset("DT_STRTAB")
    need_at = start
    while True:
        need = struct_parse(file.structs.Elf_Verneed, file.stream, need_at)
        aux_at = need_at + need.vn_aux
        for _ in range(need.vn_cnt):
            aux = struct_parse(file.structs.Elf_Vernaux, file.stream, aux_at)
            if not aux.vna_flags & _WEAK:
                yield _string(file, names + aux.vna_name)
            aux_at += aux.vna_next
        if not need.vn_next:
            return
        need_at += need.vn_next


def _string(file: ELFFile, offset: int) -> str:
    from elftools.common.utils import parse_cstring_from_stream

    return (parse_cstring_from_stream(file.stream, offset) or b"").decode("utf-8", "replace")


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)
