"""Whether source looks as if native code were compiled from it, told from its files alone: nothing is run."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.packages.building.folder import Folder

_SUFFIXES = frozenset({
    ".c", ".cc", ".cpp", ".cxx", ".m", ".mm", ".pyx", ".rs", ".f", ".f90", ".f95", ".f03", ".s", ".asm", ".cu", ".go",
})  # fmt: skip
_NAMES = frozenset({"Cargo.toml", "CMakeLists.txt", "meson.build"})
_COMPILING = frozenset({
    "cffi", "cython", "maturin", "meson-python", "mypy", "mypyc", "numpy", "pybind11", "nanobind", "scikit-build",
    "scikit-build-core", "setuptools-rust", "hatch-mypyc",
})  # fmt: skip
"""What a build asks for when it makes C on the way, or compiles without C of its own."""
_ELSEWHERE = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"})
_EXTENSIONS = re.compile(rb"\bext_modules\b|\bcffi_modules\b|\bExtension\s*\(")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LIMIT = 1 << 20


def of_folder(found: Folder) -> bool:
    """Say whether a local project looks native."""
    tops = {name: path.read_bytes() for name, path in found.files if name in {"setup.py", "pyproject.toml"}}
    return _looks((name for name, _ in found.files), tops)


def of_archive(path: Path, inside: str = "") -> bool:
    """Say whether an sdist looks native; one that cannot be read does, and is refused when it is unpacked."""
    import tarfile
    import zipfile

    names: list[str] = []
    texts: dict[str, bytes] = {}
    try:
        for whole, data in _members(path):
            name = whole.partition("/")[2].removeprefix(f"{inside}/" if inside else "")
            names.append(name)
            if data is not None and name in {"setup.py", "pyproject.toml"}:
                texts[name] = data
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError):
        return True
    return _looks(names, texts)


def _members(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Yield the names of an archive's files, with the content of the two that say how it is built."""
    import tarfile
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                wanted = info.filename.endswith(("/setup.py", "/pyproject.toml")) and info.file_size < _LIMIT
                yield info.filename, packed.read(info) if wanted else None
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            wanted = member.isfile() and member.name.endswith(("/setup.py", "/pyproject.toml")) and member.size < _LIMIT
            stream = tar.extractfile(member) if wanted else None
            yield member.name, stream.read() if stream else None


def _looks(names: Iterable[str], texts: dict[str, bytes]) -> bool:
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
    """Return the names of what ``[build-system] requires``, normalised; nothing for what cannot be read."""
    try:
        table = tomllib.loads(pyproject.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return set()
    system = table.get("build-system", {})
    wanted = system.get("requires", []) if isinstance(system, dict) else []
    found = (_NAME.match(each) for each in wanted if isinstance(each, str))
    return {canonicalize_name(name[0]) for name in found if name}
