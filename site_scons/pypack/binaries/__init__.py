"""Native code: what a file is, which machine and which C library it is made for."""

from pypack.binaries.model import Binary, Container
from pypack.binaries.reader import container, read, read_file
from pypack.binaries.survey import Floor, Mismatch, glibc_floor, mismatches, natives

__all__ = [
    "Binary",
    "Container",
    "Floor",
    "Mismatch",
    "container",
    "glibc_floor",
    "mismatches",
    "natives",
    "read",
    "read_file",
]
