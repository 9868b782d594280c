"""zig as ``cc``, ``build-cc``, ``ar``, ``ranlib`` and ``ld``: a folder of wrappers that comes first on PATH.

The wrappers carry every flag that names a folder of this build, so that none of them gets into what a
build script writes down (OpenSSL's ``compiler:`` line, CPython's sysconfig).
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.base import folders
from pypack.formats.headers import EPOCH
from pypack.steps import zig

if TYPE_CHECKING:
    from pathlib import Path

FRONT = (
    "-O2",
    "-fno-sanitize=undefined",
    "-fomit-frame-pointer",  # zig keeps it otherwise, which costs the interpreter a register
    "-fno-unwind-tables",  # C alone throws nothing: 7 % of the size
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
)
"""Flags before the caller's, which may override them."""
BEHIND = (
    "-g0",
    "-Wno-date-time",
    "-Wno-error=date-time",
    "-Wno-unused-command-line-argument",
)
"""Flags after the caller's: a build script's own ``-g`` must not add debug information, which has paths."""
_NO_TIMES = """\
case $1 in *U*) flags=$(printf %s "$1" | tr -d U); shift; set -- "$flags" "$@" ;; esac
"""
"""For ``ar``: ncurses asks for real times in its archives (``U``), which would differ from build to build."""


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """zig as the compiler of one build.

    ``target`` and ``build`` are zig's names, e.g. ``x86_64-linux-musl``: of what is made, and of programs that the
    build itself runs (``build-cc``).
    """

    target: str
    build: str
    root: Path
    """The temporary folder of the step; its name is replaced by ``.`` in all that is compiled."""
    deps: Path
    """Headers and archives of the libraries that the step needs."""
    link: tuple[str, ...]
    """How programs are linked, whatever a build script makes of what it finds on the host: see :func:`link_flags`."""

    def install(self) -> Path:
        """Write the wrappers and return their folder."""
        tools = self.root / "tools"
        tools.mkdir()
        front = ["cc", "-target", self.target, *FRONT, f"-ffile-prefix-map={self.root}=."]
        behind = [*BEHIND, *self.link, "-isystem", str(self.deps / "include"), f"-L{self.deps / 'lib'}"]
        script(tools / "cc", [str(zig.binary()), *front], behind)
        script(tools / "build-cc", [str(zig.binary()), "cc", "-target", self.build, *FRONT], [*BEHIND, "-static"])
        for name, command in {"ranlib": "ranlib", "ld": "ld.lld"}.items():
            script(tools / name, [str(zig.binary()), command], [])
        script(tools / "ar", [str(zig.binary()), "ar"], [], before=_NO_TIMES)
        return tools

    def environment(self, tools: Path) -> dict[str, str]:
        """Return the whole environment for build scripts; nothing of the caller's but PATH gets through."""
        work = self.root / "work"
        work.mkdir(exist_ok=True)
        return {
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(work),
            "TMPDIR": str(work),
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()),
            # objects of one step are of no use to another: they go with its folder
            "ZIG_LOCAL_CACHE_DIR": str(self.root / "zig"),
            "CC": "cc",
            "AR": "ar",
            "RANLIB": "ranlib",
        }


def link_flags(target: str, kind: str) -> tuple[str, ...]:
    """Return the flags by which programs of ``kind`` are linked for zig's ``target``.

    zig links static programs for musl unless it is told otherwise, and never for glibc.
    """
    if "-musl" not in target:
        return ()
    return ("-static",) if kind == "static" else ("-dynamic",)


def script(path: Path, front: list[str], behind: list[str], *, before: str = "") -> None:
    """Write a wrapper that runs ``front``, then what it is called with, then ``behind``."""
    front_text = " ".join(shlex.quote(word) for word in front)
    behind_text = " ".join(shlex.quote(word) for word in behind)
    path.write_text(f'#!/bin/sh\n{before}exec {front_text} "$@" {behind_text}\n', encoding="utf-8")
    path.chmod(0o755)
