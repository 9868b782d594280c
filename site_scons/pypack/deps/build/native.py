"""Guess from the files of a source whether native code is compiled from it; nothing is run."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from pypack.deps.requirements import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.deps.build.folder import Folder

_SUFFIXES = frozenset({
    ".c", ".cc", ".cpp", ".cxx", ".m", ".mm", ".pyx", ".rs", ".f", ".f90", ".f95", ".f03", ".s", ".asm", ".cu", ".go",
})  # fmt: skip
_NAMES = frozenset({"Cargo.toml", "CMakeLists.txt", "meson.build"})
_COMPILING = frozenset({
    "cffi", "cython", "maturin", "meson-python", "mypy", "mypyc", "numpy", "pybind11", "nanobind", "scikit-build",
    "scikit-build-core", "setuptools-rust", "hatch-mypyc",
})  # fmt: skip
"""Build requirements of projects that generate C, or compile without C of their own."""
_ELSEWHERE = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"})
_EXTENSIONS = re.compile(rb"\bext_modules\b|\bcffi_modules\b|\bExtension\s*\(")
_LIMIT = 1 << 20


def of_folder(project: Folder) -> bool:
    """Say whether a local project looks native."""
    tops = {name: path.read_bytes() for name, path in project.files if name in {"setup.py", "pyproject.toml"}}
    return _looks_native((name for name, _ in project.files), tops)


def of_archive(path: Path, inside: str = "") -> bool:
    """Say whether an sdist looks native; one that cannot be read does, and is refused when it is unpacked."""
    import tarfile
    import zipfile

    names: list[str] = []
    texts: dict[str, bytes] = {}
    try:
        for member, data in _members(path):
            name = member.partition("/")[2].removeprefix(f"{inside}/" if inside else "")
            names.append(name)
            if data is not None and name in {"setup.py", "pyproject.toml"}:
                texts[name] = data
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError):
        return True
    return _looks_native(names, texts)


def _members(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Yield the names of an archive's files, with the content of the two that say how it is built."""
    import tarfile
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                is_read = info.filename.endswith(("/setup.py", "/pyproject.toml")) and info.file_size < _LIMIT
                yield info.filename, packed.read(info) if is_read else None
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            is_read = (
                member.isfile() and member.name.endswith(("/setup.py", "/pyproject.toml")) and member.size < _LIMIT
            )
            stream = tar.extractfile(member) if is_read else None
            yield member.name, stream.read() if stream else None


def _looks_native(names: Iterable[str], texts: dict[str, bytes]) -> bool:
    if any(_EXTENSIONS.search(text) for text in texts.values()):
        return True
    if requirements(texts.get("pyproject.toml", b"")) & _COMPILING:
        return True
    return any(_is_native(PurePosixPath(name)) for name in names)


def _is_native(path: PurePosixPath) -> bool:
    if _ELSEWHERE & {part.lower() for part in path.parts[:-1]}:
        return False
    return path.suffix.lower() in _SUFFIXES or path.name in _NAMES


def requirements(pyproject: bytes) -> set[str]:
    """Return the normalised names in ``[build-system] requires``; those that cannot be read are left out."""
    try:
        table = tomllib.loads(pyproject.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return set()
    system = table.get("build-system", {})
    lines = system.get("requires", []) if isinstance(system, dict) else []
    parsed_lines = (parsed(line) for line in lines if isinstance(line, str))
    return {canonicalize_name(requirement.name) for requirement in parsed_lines if requirement}
