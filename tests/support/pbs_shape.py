"""Archives of python-build-standalone's shape and names, made out of other parts.

The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.download import fetch
from pypack.runtimes.cpython import table
from pypack.steps import zig
from pypack.steps.step import Context, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RELEASE = "20260101"
"""The release date in the names; no release of python-build-standalone has it."""
EPOCH = 1767225600


@dataclass(frozen=True, kw_only=True)
class Item:
    """A file, or a symbolic link. ``path`` begins below ``python/``."""

    path: str
    data: bytes = b""
    executable: bool = False
    link: str = ""


def name(version: str, triple: str) -> str:
    """Return what such an archive is called."""
    return f"cpython-{version}+{RELEASE}-{triple}-install_only_stripped.tar.gz"


def write(path: Path, items: Iterable[Item]) -> Path:
    """Write the archive: sorted, without owner, time of writing or name of this machine in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as out,
    ):
        for item in sorted(items, key=lambda item: item.path):
            info = tarfile.TarInfo(f"python/{item.path}")
            info.mtime, info.size = EPOCH, len(item.data)
            info.mode = 0o755 if item.executable else 0o644
            if item.link:
                info.type, info.linkname = tarfile.SYMTYPE, item.link
            out.addfile(info, io.BytesIO(item.data))
    return path


@cache
def sources() -> dict[str, bytes]:
    """Return what a runtime takes from CPython's pinned source archive: ``Lib/``, ``Include/`` and the licence."""
    pin = table.load().cpython.pin
    found = {}
    with tarfile.open(fetch.fetch(pin, settings=Settings())) as archive:
        for info in archive:
            path = info.name.partition("/")[2]
            wanted = path.startswith(("Lib/", "Include/")) or path == "LICENSE"
            if wanted and info.isfile() and not path.startswith("Lib/test/"):
                stream = archive.extractfile(info)
                assert stream
                found[path] = stream.read()
    return found


def version() -> str:
    """Return the version of those sources."""
    return table.load().cpython.version


def stdlib(folder: str) -> list[Item]:
    """Return the standard library's sources below ``folder``."""
    return [
        Item(path=f"{folder}/{path.removeprefix('Lib/')}", data=data)
        for path, data in sources().items()
        if path.startswith("Lib/")
    ]


def headers(folder: str) -> list[Item]:
    """Return the headers, but for ``pyconfig.h``, which a configured build makes."""
    return [
        Item(path=f"{folder}/{path.removeprefix('Include/')}", data=data)
        for path, data in sources().items()
        if path.startswith("Include/")
    ]


def compiled(target: str, files: Mapping[str, str | bytes], words: Sequence[str], product: str) -> bytes:
    """Compile with zig for zig's ``target`` and return the product. ``files`` are written beside each other first."""
    context = Context(product=Path(product), inputs=(), params={}, settings=Settings(say=lambda _: None))
    with zig.workshop(target) as tool:
        for file, content in files.items():
            (tool.work / file).write_bytes(content.encode() if isinstance(content, str) else content)
        tool.cc(context, [*words, "-s", "-o", product])
        return (tool.work / product).read_bytes()
