"""A hash that changes with the interpreter that runs the build, and with the shared libraries that it loads."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import folders, records
from pypack.formats.binaries import elf, is_glibc
from pypack.runtimes import host_interpreter, host_libraries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pypack.runtimes.host_interpreter import Interpreter

_REMEMBERED = 20
"""How many states the record keeps."""


def fingerprint(interpreter: Interpreter, search_folders: Sequence[Path] = ()) -> str:
    """Return the hash of sizes and times. ``search_folders`` are the loader's folders, by default this machine's."""
    return survey(interpreter, search_folders)[0]


def survey(interpreter: Interpreter, search_folders: Sequence[Path] = ()) -> tuple[str, str]:
    """Return the fingerprint, and the glibc that the interpreter and its libraries need, e.g. ``2.36``.

    Which libraries there are is computed once (100 ms) for each state of the folders that the loader searches, and
    recorded: a package manager changes those folders with each package. The libraries themselves, and the folders in
    which an RPATH found them, are looked at each time.
    """
    search_folders = search_folders or host_libraries.search_folders(interpreter.multiarch)
    interpreter_rows = [*_rows([interpreter.python]), *_named_rows(host_interpreter.stdlib_files(interpreter))]
    state = _hash([interpreter_rows, _rows([Path("/etc/ld.so.cache"), *search_folders])])
    record = folders.build_cache() / "host-libraries.json"
    known = records.read(record)
    row: Any = known.get(state)
    libraries = [Path(path) for path in row["libraries"]] if isinstance(row, dict) and "libraries" in row else []
    if not libraries or row.get("folders") != _folder_rows(libraries, search_folders) or "glibc" not in row:
        libraries = _libraries(interpreter, search_folders)
        row = {
            "libraries": [str(path) for path in libraries],
            "folders": _folder_rows(libraries, search_folders),
            "glibc": _glibc([interpreter.python, *_natives(interpreter), *libraries]),
        }
        known = dict(list(known.items())[-_REMEMBERED + 1 :]) | {state: row}
        with contextlib.suppress(OSError):  # a read-only home
            records.write(record, known)
    return _hash([interpreter_rows, _rows(libraries)]), str(row["glibc"])


def _glibc(paths: Iterable[Path]) -> str:
    """Return the highest version of glibc that a file needs, ``""`` where none needs any."""
    highest: tuple[int, ...] = ()
    for path in paths:
        with contextlib.suppress(OSError), path.open("rb") as stream:
            binary = elf.read(stream)
            if binary and binary.glibc and not is_glibc(path.name):
                highest = max(highest, binary.glibc)
    return ".".join(map(str, highest))


def _natives(interpreter: Interpreter) -> list[Path]:
    return [path for _, path in host_interpreter.stdlib_files(interpreter) if path.suffix == ".so"]


def _folder_rows(libraries: Iterable[Path], search_folders: Iterable[Path]) -> list[list[object]]:
    """Return sizes and times of the folders that only an RPATH names."""
    return _rows(sorted({path.parent for path in libraries} - set(search_folders)))


def _libraries(interpreter: Interpreter, search_folders: Iterable[Path]) -> list[Path]:
    """Return every shared library that the interpreter and its extension modules load, sorted."""
    libraries = host_libraries.Libraries(interpreter.python, search_folders)
    needs = [libraries.needs(path) for path in (interpreter.python, *_natives(interpreter))]
    return sorted({path for library_needs in needs for path in library_needs.found.values()})


def _rows(paths: Iterable[Path]) -> list[list[object]]:
    return list(_named_rows((str(path), path) for path in paths))


def _named_rows(pairs: Iterable[tuple[str, Path]]) -> Iterator[list[object]]:
    for name, path in pairs:
        try:
            stat = path.stat()
            yield [name, stat.st_size, stat.st_mtime_ns]
        except OSError:
            yield [name, None]


def _hash(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
