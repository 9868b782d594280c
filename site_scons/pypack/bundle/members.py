"""The files in a bundle: a tree of their sizes, the difference of two bundles, one file's content."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from pypack.bundle.offset_stream import OffsetStream
from pypack.errors import InputError, did_you_mean
from pypack.steps.display import megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pypack.bundle import verify
    from pypack.bundle.verify_layer import Layer

_DOCS = "docs/bundle-format.md"

_CHUNK = 1 << 20
_ERRORS = (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file or link of a layer. ``path`` begins with the layer's kind; ``size`` in bytes; a link has no ``sha256``."""

    path: str
    size: int = 0
    sha256: str = ""
    link: str = ""


def read(bundle: verify.Bundle, take: Callable[[str, IO[bytes]], None] | None = None) -> list[Member]:
    """Return the files of all layers in their order; ``take`` is called with the path and content of each file.

    Raises :class:`InputError` if a layer cannot be unpacked.
    """
    members: list[Member] = []
    with bundle.path.open("rb") as file:
        part = OffsetStream(file, bundle.start)
        for layer in bundle.layers:
            read_layer = _read_zip if layer.kind == "app" else _read_tar
            try:
                members += read_layer(part, layer, take)
            except _ERRORS as error:
                raise InputError(
                    f"the {layer.kind} layer of {bundle.path} cannot be unpacked: {error}",
                    hint="build or copy it again",
                    docs=_DOCS,
                ) from error
    return members


def _read_tar(part: OffsetStream, layer: Layer, take: Callable[[str, IO[bytes]], None] | None) -> Iterator[Member]:
    import zstandard

    part.seek(layer.offset)
    packed = cast("IO[bytes]", _Limited(part, layer.size))
    with (
        zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as stream,
        tarfile.open(fileobj=stream, mode="r|", encoding="utf-8") as tar,
    ):
        for info in tar:
            path = posixpath.join(layer.kind, info.name)
            if info.issym():
                yield Member(path=path, link=info.linkname)
            elif info.isfile():
                content = tar.extractfile(info)
                assert content is not None
                yield _member(path, info.size, content, take)


def _read_zip(part: OffsetStream, layer: Layer, take: Callable[[str, IO[bytes]], None] | None) -> Iterator[Member]:
    with zipfile.ZipFile(part) as packed:
        for info in packed.infolist():
            if not info.is_dir():
                with packed.open(info) as content:
                    yield _member(posixpath.join(layer.kind, info.filename), info.file_size, content, take)


def _member(path: str, size: int, content: IO[bytes], take: Callable[[str, IO[bytes]], None] | None) -> Member:
    digest = hashlib.sha256()
    if take:
        data = content.read()
        digest.update(data)
        take(path, io.BytesIO(data))
    else:
        while piece := content.read(_CHUNK):
            digest.update(piece)
    return Member(path=path, size=size, sha256=digest.hexdigest())


class _Limited(io.RawIOBase):
    """The next ``size`` bytes of a stream."""

    def __init__(self, stream: IO[bytes] | OffsetStream, size: int) -> None:
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` and return how many bytes there were."""
        piece = self._stream.read(min(len(buffer), self._left)) or b""
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)


# --- the tree ---------------------------------------------------------------------------------------------------------


def tree(bundle: verify.Bundle) -> list[str]:
    """Return lines that show what takes how much room: layers, and in them distributions or folders."""
    records: dict[str, str] = {}

    def take(path: str, content: IO[bytes]) -> None:
        if path.endswith(".dist-info/RECORD"):
            folder = posixpath.dirname(posixpath.dirname(path))
            name = posixpath.basename(posixpath.dirname(path)).removesuffix(".dist-info").replace("-", " ")
            for line in content.read().decode("utf-8", "replace").splitlines():
                records[posixpath.normpath(posixpath.join(folder, line.rsplit(",", 2)[0].strip('"')))] = name

    members = read(bundle, take)
    lines = [f"{bundle.path.name}  {megabytes(bundle.size)}"]
    for layer in bundle.layers:
        inside = [member for member in members if member.path.startswith(f"{layer.kind}/")]
        unpacked = sum(member.size for member in inside)
        lines.append(f"  {layer.kind:<8} {megabytes(layer.size):>9} packed {megabytes(unpacked):>9} unpacked")
        lines += [
            f"    {megabytes(size):>9} {count:>6} files  {owner}" for owner, (size, count) in _by_owner(inside, records)
        ]
    return lines


def _by_owner(members: list[Member], records: dict[str, str]) -> list[tuple[str, tuple[int, int]]]:
    """Return size and number of files by distribution or folder, the largest first."""
    totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for member in members:
        owner = records.get(_source(member.path)) or records.get(member.path) or _folder(member.path)
        size, count = totals[owner]
        totals[owner] = (size + member.size, count + 1)
    return sorted(totals.items(), key=lambda item: (-item[1][0], item[0]))


def _source(path: str) -> str:
    """Return the path of the source of bytecode in ``__pycache__``; else the path itself."""
    folder, name = posixpath.split(path)
    above, last = posixpath.split(folder)
    return posixpath.join(above, f"{name.split('.', 1)[0]}.py") if last == "__pycache__" else path


def _folder(path: str) -> str:
    """Return what a file without a distribution counts for: the standard library, or its folder."""
    parts = path.split("/")
    if parts[0] == "runtime" and "python" in parts[min(2, len(parts) - 1)] and parts[1].lower() == "lib":
        return "standard library"
    return "/".join(parts[1:2]) + ("/" if len(parts) > 2 else "")


# --- the difference ---------------------------------------------------------------------------------------------------


def difference(before: verify.Bundle, after: verify.Bundle) -> list[str]:
    """Return a line for each file that differs; none if all files of two bundles are the same."""
    old, new = ({member.path: member for member in read(bundle)} for bundle in (before, after))
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            lines.append(f"- {path}  {megabytes(old[path].size)}")
        elif path not in old:
            lines.append(f"+ {path}  {megabytes(new[path].size)}")
        elif old[path] != new[path]:
            lines.append(f"! {path}  {_change(old[path], new[path])}")
    return lines


def _change(old: Member, new: Member) -> str:
    if old.link or new.link:
        return f"{old.link or 'a file'} -> {new.link or 'a file'}"
    grown = new.size - old.size
    return f"{grown:+,} bytes" if grown else "other content"


# --- one file ---------------------------------------------------------------------------------------------------------


def extract(bundle: verify.Bundle, wanted: str, out: IO[bytes]) -> None:
    """Write the content of the file at ``wanted`` (``runtime/lib/…``, ``deps/site-packages/…``, ``app/app/…``)."""
    written: list[bool] = []

    def take(path: str, content: IO[bytes]) -> None:
        if path == wanted and not written:
            out.write(content.read())
            written.append(True)

    members = read(bundle, take)
    if written:
        return
    links = {member.path: member.link for member in members if member.link}
    if wanted in links:
        raise InputError(f"{wanted} is a link to {links[wanted]}", hint="name the file that it leads to", docs=_DOCS)
    raise InputError(
        f"{bundle.path.name} has no file {wanted}{did_you_mean(wanted, {member.path: None for member in members})}",
        hint=f"pypack inspect --files {bundle.path} lists all files",
        docs=_DOCS,
    )
