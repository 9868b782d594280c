"""Drop what an ELF file does not need to run: debug sections and the static symbol table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section

_ALLOC = 0x2  # SHF_ALLOC: part of the running image
_NO_BITS = "SHT_NOBITS"
_NAMES = b"\0.shstrtab\0"


def strip(data: bytes) -> bytes:
    """Return the ELF file ``data`` without the sections that are never loaded; as it is when there is nothing to drop.

    What is loaded keeps its place. A file whose section table is missing or that is no program comes back unchanged.
    """
    from elftools.elf.elffile import ELFFile

    file = ELFFile(io.BytesIO(data))
    sections = list(file.iter_sections())
    droppable = any(section.name == ".symtab" or section.name.startswith(".debug_") for section in sections)
    if not droppable or file.header.e_type not in {"ET_DYN", "ET_EXEC"}:
        return data
    kept = [section for section in sections if section.header.sh_flags & _ALLOC]
    body = data[: _loaded_end(file, kept)]
    names, offsets = _names([section.name for section in kept])
    return _joined(file, body, kept, names, offsets)


def _loaded_end(file: ELFFile, kept: list[Section]) -> int:
    ends = [s.header.sh_offset + s.header.sh_size for s in kept if s.header.sh_type != _NO_BITS]
    ends += [segment.header.p_offset + segment.header.p_filesz for segment in file.iter_segments()]
    ends.append(file.header.e_phoff + file.header.e_phnum * file.header.e_phentsize)
    return int(max(ends))


def _names(names: list[str]) -> tuple[bytes, list[int]]:
    table, offsets = bytearray(_NAMES), []
    for name in names:
        offsets.append(len(table))
        table += name.encode() + b"\0"
    return bytes(table), offsets


def _joined(file: ELFFile, body: bytes, kept: list[Section], names: bytes, offsets: list[int]) -> bytes:
    """Put the new section table behind ``body``: the null section, what is kept, the table of names."""
    null = file.get_section(0).header
    loaded = [index for index, section in enumerate(file.iter_sections()) if section.header.sh_flags & _ALLOC]
    new_index = {old: new for new, old in enumerate(loaded, start=1)}
    build = file.structs.Elf_Shdr.build
    table: list[bytes] = [build(null)]
    for section, offset in zip(kept, offsets, strict=True):
        header = section.header
        header.sh_name, header.sh_link = offset, new_index.get(header.sh_link, 0)
        if header.sh_type in {"SHT_REL", "SHT_RELA"}:
            header.sh_info = new_index.get(header.sh_info, 0)
        table.append(build(header))
    last = null.copy()
    last.update({"sh_name": 1, "sh_type": "SHT_STRTAB", "sh_offset": len(body), "sh_size": len(names)})
    last["sh_addralign"] = 1
    table.append(build(last))
    gap = b"\0" * (-(len(body) + len(names)) % 8)
    header = file.header
    header.e_shoff = len(body) + len(names) + len(gap)
    header.e_shnum, header.e_shstrndx = len(table), len(table) - 1
    head: bytes = file.structs.Elf_Ehdr.build(header)
    return head + body[len(head) :] + names + gap + b"".join(table)
