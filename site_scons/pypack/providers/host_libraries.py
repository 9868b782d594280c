"""Which shared libraries a program needs and where the loader would take them from, read from the files themselves.

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

    from pypack.binaries import Binary


def search_folders(multiarch: str = "", *, conf: Path = Path("/etc/ld.so.conf")) -> list[Path]:
    """Return the folders that the loader searches for every program, in order, without repeats."""
    named = [Path(part) for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    default = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    if multiarch:
        default[:0] = [f"/lib/{multiarch}", f"/usr/lib/{multiarch}"]
    return list(dict.fromkeys([*named, *_configured(conf, set()), *map(Path, default)]))


def _configured(conf: Path, seen: set[Path]) -> Iterator[Path]:
    if conf in seen or not conf.is_file():
        return
    seen.add(conf)
    for line in conf.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                whole = conf.parent / pattern
                for name in sorted(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))):
                    yield from _configured(name, seen)
        elif words and words[0] != "hwcap":
            yield Path(words[0].rstrip(",:"))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What some files need: ``found`` maps a library's name to its file, ``missing`` a name to who asked for it."""

    found: Mapping[str, Path] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


class Libraries:
    """Answers which libraries a file needs, the libraries of these libraries included.

    ``program`` is the executable that will load them: its machine decides which files fit, its RPATH counts for all.
    """

    def __init__(self, program: Path, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._known: dict[Path, Binary | None] = {}
        self._program = program
        binary = self.read(program)
        self._kind = (binary.machines, binary.bits) if binary else ((), 0)
        self._inherited = self._expanded(binary.rpath, program) if binary and not binary.runpath else []

    def read(self, path: Path) -> Binary | None:
        """Read a file, each only once."""
        from pypack.binaries import read_file

        if path not in self._known:
            self._known[path] = read_file(path)
        return self._known[path]

    def needs(self, start: Path) -> Needs:
        """Return all libraries but glibc's own that ``start`` needs."""
        from pypack.binaries import is_glibc

        found: dict[str, Path] = {}
        missing: dict[str, str] = {}
        waiting = [start]
        while waiting:
            path = waiting.pop()
            binary = self.read(path)
            for name in binary.needed if binary else ():
                if is_glibc(name) or name in found:
                    continue
                place = self._find(name, binary, path) if binary else None
                if place is None:
                    missing[name] = path.name
                else:
                    found[name] = place
                    waiting.append(place)
        return Needs(found=found, missing=missing)

    def _find(self, name: str, binary: Binary, path: Path) -> Path | None:
        if "/" in name:
            return None  # a fixed place on this machine: it would not be found elsewhere
        own = self._expanded(binary.runpath or binary.rpath, path)
        for folder in [*own, *self._inherited, *self._folders]:
            candidate = folder / name
            if candidate.is_file():
                found = self.read(candidate.resolve())
                if found and (found.machines, found.bits) == self._kind:
                    return candidate.resolve()
        return None

    def _expanded(self, folders: Iterable[str], path: Path) -> list[Path]:
        origin = str(path.resolve().parent)
        whole = [re.sub(r"\$(ORIGIN|\{ORIGIN\})", lambda _: origin, folder) for folder in folders]
        return [Path(folder) for folder in whole if "$" not in folder]
