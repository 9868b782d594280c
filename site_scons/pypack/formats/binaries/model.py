"""The facts about one file of native code, for all containers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Container = Literal["elf", "pe", "macho"]

_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")

# Markers that name no version: the glibc that brought each of them (glibc's NEWS and Versions.def).
_GLIBC_MARKERS = {
    "GLIBC_ABI_DT_RELR": (2, 36),
    "GLIBC_ABI_DT_X86_64_PLT": (2, 42),
    "GLIBC_ABI_GNU_TLS": (2, 42),
    "GLIBC_ABI_GNU2_TLS": (2, 42),
}

# The parts of glibc: they belong to the kernel's loader on each machine and must not be carried along.
_GLIBC_PARTS = re.compile(
    r"(ld-linux.*|ld64|linux-vdso|linux-gate|libc|libm|libmvec|libpthread|libdl|librt|libutil|libresolv|libnss_.*"
    r"|libanl|libnsl|libBrokenLocale|libthread_db|libc_malloc_debug)\.so\.[0-9.]+"
)
_NOT_GLIBC = {"libnsl.so.2", "libnsl.so.3"}  # the library of that name outside of glibc


@dataclass(frozen=True, kw_only=True)
class Binary:
    """One executable or shared library.

    ``machines`` are processors by the names that targets use (several in a universal Mach-O). ``soname``, ``needed``,
    ``rpath``, ``runpath`` and ``interpreter`` are what the file itself says, ``$ORIGIN`` unexpanded. ``versions`` are
    the symbol versions without which the loader refuses it, e.g. ``GLIBC_2.17``. ``loadable`` is False for
    object files. ``macos`` is the oldest macOS by processor, e.g. ``{"aarch64": (11, 0)}``. ``signed``: a PE has a
    table of certificates, each program of a Mach-O has a signature, whatever these are worth. Of a PE only:
    ``subsystem`` (``console``, ``gui``, ``native``, else its number) and ``dll``.
    """

    container: Container
    machines: tuple[str, ...]
    bits: int = 64
    loadable: bool = True
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interpreter: str = ""
    versions: tuple[str, ...] = ()
    macos: dict[str, tuple[int, int]] = field(default_factory=dict)
    subsystem: str = ""
    dll: bool = False
    signed: bool = False

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The oldest glibc that can load it, or None where it asks for none."""
        versions = [version for version in map(_glibc_version, self.versions) if version]
        return max(versions, default=None)

    @property
    def libc(self) -> Literal["gnu", "musl", ""]:
        """The C library that it is linked with, or ``""`` (static, or it uses none)."""
        if "ld-musl-" in self.interpreter or any(name == "libc.so" or "libc.musl-" in name for name in self.needed):
            return "musl"
        if self.glibc or any(name.startswith(("libc.so.", "ld-linux")) for name in self.needed):
            return "gnu"
        return ""


def _glibc_version(name: str) -> tuple[int, int] | None:
    match = _GLIBC.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else _GLIBC_MARKERS.get(name)


def is_glibc(name: str) -> bool:
    """Say whether the library ``name`` (a soname) is a part of glibc."""
    return bool(_GLIBC_PARTS.fullmatch(name)) and name not in _NOT_GLIBC
