"""The programs on PATH of a build backend: zig as the target's compiler, and stand-ins for what is not available."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pypack.base import folders, hosts
from pypack.runtimes.cpython import compiler
from pypack.steps import zig

C, CXX = ("cc", "gcc", "clang", "c99"), ("c++", "g++", "clang++")
"""Names under which build scripts call a compiler."""
MISSING = {
    "cargo": "Rust", "rustc": "Rust", "cmake": "CMake", "meson": "Meson", "gfortran": "Fortran", "flang": "Fortran",
    "f77": "Fortran", "f90": "Fortran", "f95": "Fortran", "go": "Go", "nvcc": "CUDA",
}  # fmt: skip
"""Programs that are not available in a build, even if the host has them: they would compile for the host."""
_SILENT = (
    "pkg-config", "pkgconf", "xml2-config", "xslt-config", "pg_config", "mysql_config", "mariadb_config", "curl-config",
    "freetype-config", "krb5-config", "pcre2-config", "llvm-config", "gdal-config", "geos-config",
)  # fmt: skip
"""Programs that print where the host keeps its libraries, which are of no use to a target."""
_RUST_HOMES = {"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"}
"""Variables that say where Rust keeps its toolchains and crates, and where that usually is."""
FLAGS = ("-O2", "-fPIC", "-fno-sanitize=undefined", "-Wno-unused-command-line-argument")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """A folder of programs that comes first on PATH; the stand-ins in it write their names to ``call_log``."""

    folder: Path
    call_log: Path

    def called(self) -> list[str]:
        """Return the names of the stand-ins that were called, each once."""
        return list(dict.fromkeys(self.call_log.read_text(encoding="utf-8").split())) if self.call_log.is_file() else []


@functools.cache
def rust_version() -> str:
    """Return what the machine's Rust compiler says of itself, ``""`` if there is none, or no cargo."""
    rustc = shutil.which("rustc")
    if rustc is None or shutil.which("cargo") is None:
        return ""
    done = subprocess.run([rustc, "-vV"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def add_rust(tools: Tools, root: Path, *, offline: bool) -> dict[str, str]:
    """Let builds call the machine's own Rust; return the variables for that. Crates are fetched by cargo itself."""
    for name in ("cargo", "rustc"):
        path = shutil.which(name)
        assert path is not None  # rust_version() has found it
        compiler.script(tools.folder / name, [path], [])
    homes = {name: os.environ.get(name, str(Path.home() / folder)) for name, folder in _RUST_HOMES.items()}
    flags = {"RUSTFLAGS": f"--remap-path-prefix={root}=.", "CARGO_TARGET_DIR": str(root / "rust")}
    return {**homes, **flags, **({"CARGO_NET_OFFLINE": "true"} if offline else {})}


def prefer_installed(tools: Tools, programs: Path) -> None:
    """Drop the stand-ins of programs that the build requirements have installed into ``programs``."""
    for name in MISSING:
        if (programs / name).exists():
            (tools.folder / name).unlink(missing_ok=True)


def stand_ins(root: Path, *, compilers: bool) -> Tools:
    """Write the folder ``tools`` below ``root`` with stand-ins that fail; ``compilers``: for compilers too."""
    tools = Tools(folder=root / "tools", call_log=root / "asked")
    tools.folder.mkdir()
    if hosts.system() == "windows":  # its build scripts look for compilers elsewhere
        return tools
    for name in (*MISSING, *((*C, *CXX) if compilers else ())):
        log = shlex.quote(str(tools.call_log))
        note = f"echo {name} >>{log}; echo '{name}: not available in this build' >&2; exit 127\n"
        _program(tools.folder / name, note)
    for name in _SILENT:
        _program(tools.folder / name, "exit 1\n")
    return tools


def add_zig(tools: Tools, root: Path, *, target: str, include: str, deps: Path) -> None:
    """Add zig as compiler for ``target`` (its name for it).

    ``root`` is the folder of the build, which no product may name; ``include`` where below ``deps`` Python's headers
    are, and ``deps`` holds headers and archives of the libraries that may be linked with.
    """
    dynamic = ("-dynamic",) if "-musl" in target else ()
    front = ["-target", target, *FLAGS, f"-ffile-prefix-map={root}=.", f"-I{deps / include}"]
    behind = [*compiler.BEHIND, "-s", *dynamic, "-isystem", str(deps / "include"), f"-L{deps / 'lib'}"]
    for mode, names in (("cc", C), ("c++", CXX)):
        for name in names:
            compiler.script(tools.folder / name, [str(zig.binary()), mode, *front], behind)
    for name, subcommand in (("ar", "ar"), ("ranlib", "ranlib"), ("ld", "ld.lld")):
        compiler.script(tools.folder / name, [str(zig.binary()), subcommand], [])


def environment(tools: Tools, root: Path, scripts: Path) -> dict[str, str]:
    """Return the variables by which build scripts find the compiler, and zig its caches.

    ``scripts`` is the folder of the interpreter that builds, which has the programs of its build requirements.
    """
    # Windows has no such default; elsewhere nothing of what the caller has on PATH shall count
    path = os.environ.get("PATH", os.defpath) if hosts.system() == "windows" else os.defpath
    return {
        "PATH": os.pathsep.join([str(tools.folder), str(scripts), path]),
        "CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib",
        "LDSHARED": "cc -shared", "LDCXXSHARED": "c++ -shared",
        "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()),
        "ZIG_LOCAL_CACHE_DIR": str(root / "zig"),  # objects of one build are of no use to another
    }  # fmt: skip


def add_scripts(scripts: Path, python: Path) -> None:
    """Put what the build requirements installed into ``scripts`` beside ``python``, which is on PATH.

    A console script (``NAME.py``, written by pypack) becomes a program, any other script and native programs are kept.
    """
    if hosts.system() == "windows" or not scripts.is_dir():
        return
    for path in sorted(scripts.iterdir()):
        is_native = not path.read_bytes()[:8].startswith((b"#!python", b"import s"))
        program = python.parent / (path.name if is_native else path.name.removesuffix(".py"))
        if program.exists():
            continue
        if is_native:
            shutil.copy2(path, program)
            program.chmod(0o755)
        else:
            compiler.script(program, [str(python), str(path)], [])


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
    path.chmod(0o755)
