"""Native code: what a file is, which machine and which C library it is made for."""

from pypack.binaries.model import Binary, Container, is_glibc
from pypack.binaries.reader import container, read, read_file
from pypack.binaries.survey import (
    Floor,
    Libraries,
    Mismatch,
    Survey,
    glibc_floor,
    libraries,
    look,
    macos_floor,
    mismatches,
    natives,
)  # fmt: skip

__all__ = [
    "Binary",
    "Container",
    "Floor",
    "Libraries",
    "Mismatch",
    "Survey",
    "container",
    "glibc_floor",
    "is_glibc",
    "libraries",
    "look",
    "macos_floor",
    "mismatches",
    "natives",
    "read",
    "read_file",
]
