"""Native code: what a file is, which machine and which C library it is made for."""

from pypack.formats.binaries.loading import Machine, rows
from pypack.formats.binaries.model import Binary, Container, is_glibc
from pypack.formats.binaries.reader import container, read, read_file
from pypack.formats.binaries.survey import Floor, Survey, glibc_floor, look, natives  # fmt: skip

__all__ = [
    "Binary",
    "Container",
    "Floor",
    "Machine",
    "Survey",
    "container",
    "glibc_floor",
    "is_glibc",
    "look",
    "natives",
    "read",
    "read_file",
    "rows",
]
