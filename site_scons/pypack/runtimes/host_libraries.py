"""Finds the shared libraries that a program needs, where the loader would find them, by reading the files.

The order is that of ld.so(8): RPATH, LD_LIBRARY_PATH, RUNPATH, the folders of /etc/ld.so.conf, the default folders.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pypack.formats.binaries import Binary


def search_folders(multiarch: str = "", *, conf: Path = Path("/etc/ld.so.conf")) -> list[Path]:
    """Return the folders that the loader searches for every program, in order, without repeats."""
    environment_folders = [Path(part) for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    default = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    if multiarch:
        default[:0] = [f"/lib/{multiarch}", f"/usr/lib/{multiarch}"]
    return list(dict.fromkeys([*environment_folders, *_configured_folders(conf, set()), *map(Path, default)]))


def _configured_folders(conf: Path, seen: set[Path]) -> Iterator[Path]:
    if conf in seen or not conf.is_file():
        return
    seen.add(conf)
    for line in conf.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields = line.split("#")[0].split()
        if fields[:1] == ["include"]:
            for pattern in fields[1:]:
                absolute_pattern = conf.parent / pattern
                for included in sorted(
                    Path(absolute_pattern.anchor).glob(str(absolute_pattern.relative_to(absolute_pattern.anchor)))
                ):
                    yield from _configured_folders(included, seen)
        elif fields and fields[0] != "hwcap":
            yield Path(fields[0].rstrip(",:"))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Libraries that a file needs: ``found`` maps a name to its file, ``missing`` a name to the file that needs it."""

    found: Mapping[str, Path] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


class Libraries:
    """Finds the libraries that a file needs, recursively.

    ``program`` is the executable that will load them: only files for its machine fit, and its RPATH applies to all.
    """

    def __init__(self, program: Path, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._known: dict[Path, Binary | None] = {}
        self._program = program
        binary = self.read(program)
        self._kind = (binary.machines, binary.bits) if binary else ((), 0)
        self._inherited = self._expanded(binary.rpath, program) if binary and not binary.runpath else []

    def read(self, path: Path) -> Binary | None:
        """Return the headers of a file, cached; None for a file that is not a binary."""
        from pypack.formats.binaries import read_file

        if path not in self._known:
            self._known[path] = read_file(path)
        return self._known[path]

    def needs(self, start: Path) -> Needs:
        """Return all libraries that ``start`` needs, except glibc's."""
        from pypack.formats.binaries import is_glibc

        found_files: dict[str, Path] = {}
        missing: dict[str, str] = {}
        pending = [start]
        while pending:
            path = pending.pop()
            binary = self.read(path)
            for name in binary.needed if binary else ():
                if is_glibc(name) or name in found_files:
                    continue
                library = self._find(name, binary, path) if binary else None
                if library is None:
                    missing[name] = path.name
                else:
                    found_files[name] = library
                    pending.append(library)
        return Needs(found=found_files, missing=missing)

    def _find(self, name: str, binary: Binary, path: Path) -> Path | None:
        if "/" in name:
            return None  # an absolute path on this machine, which does not exist elsewhere
        run_paths = self._expanded(binary.runpath or binary.rpath, path)
        for folder in [*run_paths, *self._inherited, *self._folders]:
            candidate = folder / name
            if candidate.is_file():
                library = self.read(candidate.resolve())
                if library and (library.machines, library.bits) == self._kind:
                    return candidate.resolve()
        return None

    def _expanded(self, folders: Iterable[str], path: Path) -> list[Path]:
        origin = str(path.resolve().parent)
        expanded = [re.sub(r"\$(ORIGIN|\{ORIGIN\})", lambda _: origin, folder) for folder in folders]
        return [Path(folder) for folder in expanded if "$" not in folder]
