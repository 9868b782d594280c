"""Read PE, the format of Windows' programs and DLLs, with pefile."""

from __future__ import annotations

import io
import mmap
import shutil
import struct
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from pypack.formats.binaries.model import Binary

if TYPE_CHECKING:
    from collections.abc import Iterator

_MACHINES = {0x014C: "x86", 0x8664: "x86_64", 0xAA64: "aarch64", 0x01C4: "armv7"}
_SUBSYSTEMS = {1: "native", 2: "gui", 3: "console"}
_PE64 = 0x20B
_DLL = 0x2000  # IMAGE_FILE_DLL
_IN_MEMORY = 64 << 20
_DIRECTORIES = ("IMAGE_DIRECTORY_ENTRY_IMPORT", "IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT")
_CERTIFICATES = 4  # IMAGE_DIRECTORY_ENTRY_SECURITY; its address is an offset in the file, unlike all others
_MOST_IN_A_ROW = 4096


def read(stream: IO[bytes]) -> Binary | None:
    """Return what a PE file says about itself; None if it is a program for DOS, cut short or damaged.

    ``needed`` are the DLLs that it imports, at once or when first called, in lower case: Windows does not
    distinguish. A file is cut short when a section or the table of certificates ends behind its end.
    """
    import pefile

    try:
        with _whole(stream) as data:  # never its close(): that runs a whole garbage collection
            return _binary(pefile.PE(data=data, fast_load=True), len(data))
    except (
        pefile.PEFormatError,
        struct.error,
        ValueError,
        AttributeError,
        LookupError,
        TypeError,
        OverflowError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the file's
        return None  # pefile raises any of these on a file that was cut short


def _binary(file: Any, size: int) -> Binary | None:  # noqa: ANN401 - pefile has no types
    import pefile

    ends = [section.PointerToRawData + section.SizeOfRawData for section in file.sections if section.SizeOfRawData]
    folders = file.OPTIONAL_HEADER.DATA_DIRECTORY
    table = folders[_CERTIFICATES] if len(folders) > _CERTIFICATES else None
    signed = bool(table and table.VirtualAddress and table.Size)
    if table and signed:
        ends.append(table.VirtualAddress + table.Size)
    if max(ends, default=0) > size or len(file.sections) != file.FILE_HEADER.NumberOfSections:
        return None
    numbers = [pefile.DIRECTORY_ENTRY[name] for name in _DIRECTORIES]
    file.parse_data_directories(directories=numbers, import_dllnames_only=True)
    name = _MACHINES.get(file.FILE_HEADER.Machine, f"pe-{file.FILE_HEADER.Machine:#06x}")
    subsystem = file.OPTIONAL_HEADER.Subsystem
    return Binary(
        container="pe",
        machines=(name,),
        bits=64 if file.OPTIONAL_HEADER.Magic == _PE64 else 32,
        needed=tuple(dict.fromkeys(_needed(file))),
        subsystem=_SUBSYSTEMS.get(subsystem, str(subsystem)),
        dll=bool(file.FILE_HEADER.Characteristics & _DLL),
        signed=signed,
    )


def _needed(file: Any) -> Iterator[str]:  # noqa: ANN401 - pefile has no types
    for name in ("DIRECTORY_ENTRY_IMPORT", "DIRECTORY_ENTRY_DELAY_IMPORT"):
        for entry in getattr(file, name, [])[:_MOST_IN_A_ROW]:
            yield entry.dll.decode("utf-8", "replace").lower()


@contextmanager
def _whole(stream: IO[bytes]) -> Iterator[bytes | mmap.mmap]:
    """Give the content; that of a large file is mapped, as the stream may be a member of an image."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size <= _IN_MEMORY:
        yield stream.read()
        return
    with tempfile.TemporaryFile(prefix="pypack-") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
        out.flush()
        with mmap.mmap(out.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
