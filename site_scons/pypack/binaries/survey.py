"""Questions about all the native code of an image at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from pypack.binaries import windows_dlls
from pypack.binaries.model import is_glibc
from pypack.binaries.reader import container, read
from pypack.images.image import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.binaries.model import Binary, Container
    from pypack.images.image import Member
    from pypack.targets import Target

_HEAD = 64
_MACOS = ("/usr/lib/", "/System/Library/")  # what every Mac has


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
class Mismatch:
    """A member that cannot be loaded on the target, and why, in one clause."""

    path: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Native:
    """A member that begins as native code does; ``binary`` is None where nothing can be read from it."""

    path: str
    kind: Container
    binary: Binary | None


class Survey:
    """What one reading of an image finds: its members, and the native code among them.

    All questions below take a survey, or the path of an image, which is then read for that one question.
    """

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.natives: list[Native] = []

    def see(self, member: Member, stream: IO[bytes] | None) -> None:
        """Take in one member; ``stream`` is where it was afterwards, at the beginning."""
        self.members.append(member)
        if stream is None or member.size < _HEAD:
            return
        kind = container(stream.read(_HEAD))
        stream.seek(0)
        if kind:
            self.natives.append(Native(path=member.path, kind=kind, binary=read(stream)))
            stream.seek(0)


def look(image: Path | Survey) -> Survey:
    """Read an image, unless that was done."""
    if isinstance(image, Survey):
        return image
    found = Survey()
    for member, stream in read_image(image):
        found.see(member, stream)
    return found


def glibc_floor(images: Iterable[Path | Survey]) -> Floor | None:
    """Return the glibc that the ELF members of ``images`` need, or None where none of them needs any."""
    highest: Floor | None = None
    for image in images:
        for path, binary in binaries(image, only={"elf"}):
            version = binary.glibc
            if binary.loadable and version and (highest is None or version > highest.version):
                highest = Floor(version=version, path=path)
    return highest


def macos_floor(images: Iterable[Path | Survey], arch: str) -> Floor | None:
    """Return the macOS that the Mach-O members of ``images`` need on the processor ``arch``, or None."""
    highest: Floor | None = None
    for image in images:
        for path, binary in binaries(image, only={"macho"}):
            version = binary.macos.get(arch)
            if version and (highest is None or version > highest.version):
                highest = Floor(version=version, path=path, of="macOS")
    return highest


@dataclass(frozen=True, kw_only=True)
class Libraries:
    """Shared libraries of an image: the names that it ``needs``, and those that it ``brings``.

    Not among the first is what every system has: glibc's parts, Windows' own DLLs.
    """

    needs: tuple[str, ...]
    brings: tuple[str, ...]


def libraries(image: Path | Survey, container: Container = "elf") -> Libraries:
    """Return which shared libraries the members of ``image`` in that container need and bring.

    Names of DLLs are in lower case. Programs beside them (setuptools' launchers) count too.
    """
    image = look(image)
    if container != "elf":
        return _dlls(image) if container == "pe" else _dylibs(image)
    needs, brings = set[str](), set[str]()
    for path, binary in binaries(image, only={"elf"}):
        needs.update(name for name in binary.needed if not is_glibc(name))
        brings.update({binary.soname, PurePosixPath(path).name} - {""})
    # a library may be asked for by the name of a link to it: musl's loader as libc.so
    links = (PurePosixPath(member.path).name for member in image.members if member.kind == "link")
    brings.update(name for name in links if ".so" in name)
    return Libraries(needs=tuple(sorted(needs)), brings=tuple(sorted(brings)))


def _dlls(image: Survey) -> Libraries:
    needs, brings = set[str](), set[str]()
    for path, binary in binaries(image, only={"pe"}):
        needs.update(name for name in binary.needed if not windows_dlls.is_system(name))
        brings.update([PurePosixPath(path).name.lower()] if path.lower().endswith(".dll") else [])
    return Libraries(needs=tuple(sorted(needs)), brings=tuple(sorted(brings)))


def _dylibs(image: Survey) -> Libraries:
    needs, brings = set[str](), set[str]()
    for path, binary in binaries(image, only={"macho"}):
        needs.update(PurePosixPath(name).name for name in binary.needed if not name.startswith(_MACOS))
        brings.update({PurePosixPath(binary.soname).name, PurePosixPath(path).name} - {""})
    return Libraries(needs=tuple(sorted(needs)), brings=tuple(sorted(brings)))


def natives(image: Path | Survey, *, only: Iterable[Container] = ("elf", "pe", "macho")) -> list[str]:
    """Return the paths of the members that are native code in one of the containers of ``only``."""
    kinds = set(only)
    return [native.path for native in look(image).natives if native.kind in kinds]


def mismatches(image: Path | Survey, target: Target) -> list[Mismatch]:
    """Return the members that Python would load and that are made for another machine or C library than ``target``.

    Programs of other systems that lie about as data (setuptools carries Windows launchers everywhere) are no mismatch;
    an extension module in the wrong container is.
    """
    found = []
    for native in look(image).natives:
        path, binary = native.path, native.binary
        why = _mismatch(path, binary, target) if binary else _damage(path, native.kind, target)
        if why:
            found.append(Mismatch(path=path, why=why))
    return found


def binaries(
    image: Path | Survey, *, only: Iterable[Container] = ("elf", "pe", "macho")
) -> Iterator[tuple[str, Binary]]:  # fmt: skip
    """Yield each member that is native code, read."""
    kinds = set(only)
    for native in look(image).natives:
        if native.kind in kinds and native.binary:
            yield native.path, native.binary


def _damage(path: str, kind: Container, target: Target) -> str:
    """Say what is wrong with a module or DLL that nothing can be read from; other files may look like one by chance."""
    loaded = {"pe": (".pyd", ".dll"), "macho": (".so", ".dylib")}.get(kind, ())
    return "it is cut short or damaged" if path.lower().endswith(loaded) and kind == target.container else ""


def _mismatch(path: str, binary: Binary, target: Target) -> str:
    if not binary.loadable:
        return ""
    machines = "+".join(binary.machines)
    if binary.container != target.container:
        suffixes = PurePosixPath(path).suffixes
        module = suffixes[-1:] == [".pyd"] or (suffixes[-1:] == [".so"] and len(suffixes) > 1)
        return f"it is made for {binary.container} systems" if module else ""
    if target.arch not in binary.machines:
        return f"it is made for {machines}"
    if binary.libc and target.libc and binary.libc != target.libc:
        return f"it is linked with {'glibc' if binary.libc == 'gnu' else 'musl'}"
    return ""
