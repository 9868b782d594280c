"""Inspects a runtime that the user gave: its version, its system, and its root folder in the tree."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING

from pypack.base import records
from pypack.errors import InputError
from pypack.formats import archive, binaries, image, paths
from pypack.runtimes import tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.formats.binaries import Binary

_STDLIB = re.compile(r"(?P<root>(?:.*/)?)(?:lib/python(?P<minor>3\.\d+)|(?P<windows>Lib))/os\.py")
_PROGRAM = re.compile(r"(?:.*/)?(?:bin/python3\.\d+|python\.exe|python3\d+\.dll|lib/libpython3\.\d+\.[^/]*)")
_HEADER = re.compile(r"(?:.*/)?include/(?:python3\.\d+/)?patchlevel\.h")
_IN_HEADER = re.compile(rb'#define\s+PY_VERSION\s+"([^"+]+)')
_IN_BINARY = re.compile(rb"(?<![\d.])(3\.\d+\.\d+(?:(?:a|b|rc)\d+)?)\+?\0")
_DLL = re.compile(r"(?:.*/)?python3(\d+)\.dll")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about a runtime. ``root`` is its folder in the tree, ``content`` a folder's hash (else ``""``)."""

    root: str
    version: str
    container: str
    machines: tuple[str, ...]
    libc: str
    static: bool
    headers: bool
    content: str = ""


@dataclass(kw_only=True)
class _Seen:
    """What one pass over the members of a tree has seen."""

    stdlib: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    programs: dict[str, Binary] = field(default_factory=dict)
    versions: dict[str, Counter[str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def find(path: Path, memo: Path) -> Facts:
    """Return the facts about an archive or a folder; from the JSON file ``memo`` if it is unchanged."""
    state = f"{path}\n{_state_hash(path)}"
    memo_rows = records.read(memo)
    if state in memo_rows:
        row = memo_rows[state]
        return Facts(**{**row, "machines": tuple(row["machines"])})
    facts = _inspect(path)
    others = {old: row for old, row in memo_rows.items() if not old.startswith(f"{path}\n")}
    records.write(memo, {**others, state: asdict(facts)})
    return facts


def mismatch(facts: Facts, target: Target) -> str:
    """Return why the runtime does not fit ``target``, in one clause, or ``""``."""
    binary = binaries.Binary(container=facts.container, machines=facts.machines)  # type: ignore[arg-type]
    fault = tree.mismatch(binary, container=target.container, arch=target.arch, libc="")
    if not fault and facts.libc and facts.libc != target.libc:
        return f"its interpreter is linked with {facts.libc}'s C library, not with {target.libc}'s"
    return fault


def _state_hash(path: Path) -> str:
    """Return a hash over modes, sizes and times of the file, or of all files of the folder."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else _files(path):
        facts = file.lstat()
        digest.update(
            f"{file}\0{facts.st_mode}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Yield files and links below a folder, sorted, links to folders too."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        parent_path = type(folder)(parent)
        links = [name for name in folders if (parent_path / name).is_symlink()]
        yield from (parent_path / name for name in sorted([*files, *links]))


def _content_hash(folder: Path) -> str:
    """Return the hash of names, executable bits and contents of a folder."""
    digest = hashlib.sha256()
    for file in _files(folder):
        if file.is_symlink():
            data = os.fsencode(file.readlink())
        else:
            with file.open("rb") as stream:
                data = hashlib.file_digest(stream, "sha256").digest()
        mode = "x" if file.lstat().st_mode & 0o100 else "-"
        name = file.relative_to(folder).as_posix()
        digest.update(f"{name}\0{mode}\0".encode("utf-8", "surrogateescape") + data + b"\0")
    return digest.hexdigest()


def _inspect(path: Path) -> Facts:
    seen = _Seen()
    for name, link, stream in _folder_members(path) if path.is_dir() else _archive_members(path):
        _record_member(seen, name, link, stream)
    if not seen.stdlib:
        raise _unusable_error(path, "holds no Python: there is no lib/python3.X/os.py and no Lib/os.py in it")
    root = min(seen.stdlib, key=len)
    minor = seen.stdlib[root] or _minor_of_dll(seen, root)
    python = f"{root}bin/python{minor}" if seen.stdlib[root] else f"{root}python.exe"
    program = seen.programs.get(_follow_links(seen, python))
    if program is None:
        raise _unusable_error(path, f"holds no interpreter: {python} is not in it, or is no executable")
    return Facts(
        root=root.rstrip("/"),
        version=_version(seen, root, minor, path),
        container=program.container,
        machines=program.machines,
        libc=program.libc,
        static=program.container == "elf" and not program.interpreter and not program.needed,
        headers=any(name.startswith(root) for name in seen.headers),
        content=_content_hash(path / root) if path.is_dir() else "",
    )


def _folder_members(folder: Path) -> Iterator[tuple[str, str, IO[bytes]]]:
    for file in _files(folder):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            yield name, file.readlink().as_posix(), io.BytesIO()
        elif file.is_file():
            with file.open("rb") as stream:
                yield name, "", stream


def _archive_members(path: Path) -> Iterator[tuple[str, str, IO[bytes]]]:
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        tar_file = type(path)(folder) / "whole.tar"
        archive.extract(path, tar_file)
        for member, stream in image.read_image(tar_file):
            yield member.path, member.link, stream or io.BytesIO()


def _record_member(seen: _Seen, name: str, link: str, stream: IO[bytes]) -> None:
    if link:
        seen.links[name] = link
        return
    stdlib = _STDLIB.fullmatch(name)
    if stdlib:
        seen.stdlib[stdlib["root"]] = stdlib["minor"] or ""
    elif _HEADER.fullmatch(name):
        match = _IN_HEADER.search(stream.read())
        seen.headers[name] = match[1].decode() if match else ""
    elif _PROGRAM.fullmatch(name):
        data = stream.read()
        seen.versions[name] = Counter(text.decode() for text in _IN_BINARY.findall(data))
        binary = binaries.read(io.BytesIO(data))
        if binary:
            seen.programs[name] = binary


def _follow_links(seen: _Seen, name: str) -> str:
    for _ in range(8):
        if name not in seen.links:
            break
        name = paths.linked(name, seen.links[name])
    return name


def _minor_of_dll(seen: _Seen, root: str) -> str:
    minors = [match[1] for name in seen.versions if name.startswith(root) and (match := _DLL.fullmatch(name))]
    return f"3.{minors[0]}" if minors else ""


def _version(seen: _Seen, root: str, minor: str, path: Path) -> str:
    """Return the full version: that of the headers, else the most frequent one in the binaries."""
    candidates = [version for name, version in seen.headers.items() if name.startswith(root) and version]
    counts: Counter[str] = Counter()
    for name, versions in seen.versions.items():
        if name.startswith(root):
            counts.update({text: count for text, count in versions.items() if text.startswith(f"{minor}.")})
    candidates += [text for text, _ in counts.most_common(1)]
    if not candidates:
        raise _unusable_error(path, f"does not tell its version: CPython {minor}, but which one?")
    return candidates[0]


def _unusable_error(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} {reason}",
        hint="give an archive or a folder of python-build-standalone's shape, headers included",
        docs="docs/pins.md",
    )
