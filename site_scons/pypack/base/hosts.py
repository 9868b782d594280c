"""Facts about the machine that runs the build. No other module detects the system."""

from __future__ import annotations

import os
import platform
import sys
from typing import Literal, get_args

from pypack.errors import InputError

_DOCS = "docs/settings.md"

System = Literal["linux", "macos", "windows"]
Arch = Literal["x86_64", "aarch64", "x86", "armv7", "riscv64", "ppc64le", "s390x"]

_SYSTEMS: dict[str, System] = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_ARCHES: dict[str, Arch] = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "i686": "x86",
    "i386": "x86",
    "armv7l": "armv7",
}


def system() -> System:
    """Return the host's system, by the name that targets use."""
    try:
        return _SYSTEMS[sys.platform]
    except KeyError:
        raise InputError(
            f"pypack does not know the host system {sys.platform!r}",
            hint="build on Linux, macOS or Windows",
            docs=_DOCS,
        ) from None


def arch() -> Arch:
    """Return the host's processor, by the name that targets use."""
    machine = platform.machine().lower()
    name = _ARCHES.get(machine, machine)
    for known_arch in get_args(Arch):
        if known_arch == name:
            return known_arch  # type: ignore[no-any-return]
    raise InputError(
        f"pypack does not know the host processor {machine!r}", hint="build on x86_64 or aarch64", docs=_DOCS
    )


def libc() -> Literal["gnu", "musl", ""]:
    """Return which C library the host's own Python is linked with (Linux), else ``""``."""
    if system() != "linux":
        return ""
    return "gnu" if platform.libc_ver()[0] == "glibc" else "musl"


def glibc() -> tuple[int, int] | None:
    """Return the host's glibc version as ``(major, minor)``, or None where there is none."""
    name, version = platform.libc_ver()
    if name != "glibc":
        return None
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def target_name() -> str:
    """Return the target that runs on this host, e.g. ``linux-gnu-x86_64``."""
    return "-".join(part for part in (system(), libc(), arch()) if part)


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
