"""Questions about all the native code of an image at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from pypack.formats.binaries.reader import container, read
from pypack.formats.image import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.formats.binaries.model import Binary, Container
    from pypack.formats.image import Member

_HEAD = 64
_CHUNK = 1 << 20
_LONGEST = 1 << 10  # bytes of the longest name of a module, and more


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The oldest glibc (or system) that can load all of it, e.g. ``(2, 17)``, and a member that needs as much."""

    version: tuple[int, int]
    path: str
    of: str = "glibc"

    def __str__(self) -> str:
        """Return e.g. ``glibc 2.17 (lib/libssl.so.3)``."""
        return f"{self.of} {self.version[0]}.{self.version[1]} ({self.path})"


@dataclass(frozen=True, kw_only=True)
class Native:
    """A member that begins like native code; ``binary`` is None where it cannot be read.

    ``init``: it holds the name of the function that an import of it calls.
    """

    path: str
    kind: Container
    binary: Binary | None
    init: bool = False


class Survey:
    """The members of an image and the native code among them, collected in one reading.

    All questions below take a survey, or the path of an image, which is then read for that one question.
    """

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.natives: list[Native] = []

    def read_member(self, member: Member, stream: IO[bytes] | None) -> None:
        """Read one member; ``stream`` is left at its beginning."""
        self.members.append(member)
        if stream is None or member.size < _HEAD:
            return
        kind = container(stream.read(_HEAD))
        stream.seek(0)
        if kind:
            binary = read(stream)
            self.natives.append(Native(path=member.path, kind=kind, binary=binary, init=_inits(member.path, stream)))
            stream.seek(0)


def look(image: Path | Survey) -> Survey:
    """Return the survey of an image; a survey is returned as it is."""
    if isinstance(image, Survey):
        return image
    survey = Survey()
    for member, stream in read_image(image):
        survey.read_member(member, stream)
    return survey


def glibc_floor(images: Iterable[Path | Survey]) -> Floor | None:
    """Return the glibc that the ELF members of ``images`` need, or None where none of them needs any."""
    highest: Floor | None = None
    for image in images:
        for path, binary in binaries(image, only={"elf"}):
            version = binary.glibc
            if binary.loadable and version and (highest is None or version > highest.version):
                highest = Floor(version=version, path=path)
    return highest


def natives(image: Path | Survey, *, only: Iterable[Container] = ("elf", "pe", "macho")) -> list[str]:
    """Return the paths of the members that are native code in one of the containers of ``only``."""
    kinds = set(only)
    return [native.path for native in look(image).natives if native.kind in kinds]


def binaries(
    image: Path | Survey, *, only: Iterable[Container] = ("elf", "pe", "macho")
) -> Iterator[tuple[str, Binary]]:  # fmt: skip
    """Yield each member that is native code, read."""
    kinds = set(only)
    for native in look(image).natives:
        if native.kind in kinds and native.binary:
            yield native.path, native.binary


def _inits(path: str, stream: IO[bytes]) -> bool:
    """Say whether a file named as an extension module holds the name of a module's first function.

    PEP 489 and PEP 793 say what it is called. Names of exports stand in files as they are, whatever the container.
    """
    name = PurePosixPath(path)
    if name.suffix not in {".so", ".pyd"}:
        return False
    stem = name.name.split(".", 1)[0]
    stem = name.parent.name if stem == "__init__" else stem
    if stem.isascii():
        names = [f"{prefix}_{stem}\0".encode() for prefix in ("PyInit", "PyModExport")]
    else:  # an export's name is ASCII: punycode follows
        names = [b"PyInitU_", b"PyModExportU_"]
    stream.seek(0)
    last = b""
    while piece := stream.read(_CHUNK):
        if any(prefix in last + piece for prefix in names):
            return True
        last = piece[-_LONGEST:]
    return False
