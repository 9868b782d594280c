"""Write and read tar images.

An image is an uncompressed GNU tar: whole paths sorted by their UTF-8 bytes, every time
1980-01-01, modes 0755 or 0644, no owner, symbolic links that stay inside. Folders
stand in it only where they are empty. The same tree gives the same bytes on any host.
"""

from __future__ import annotations

import io
import shutil
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, Self, cast

from pypack.errors import ArchiveError
from pypack.formats import headers, paths, tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["file", "link", "dir"]
_CHUNK = 1 << 20
_BUFFER = 1 << 16
_END = 2 * tar.BLOCK
_RECORD = 20 * tar.BLOCK
"""Bytes of a record: the size of a tar is a multiple of it by convention."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of an image. ``size`` in bytes, ``link`` is the target of a symbolic link."""

    path: str
    kind: Kind = "file"
    executable: bool = False
    size: int = 0
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class _Stored:
    member: Member
    offset: int = 0


class ImageBuilder:
    """Collect a tree in any order, then write it as an image.

    Contents go to one spool file, so nothing big is held in memory and no member's path
    ever touches the file system. ``name`` is what errors call the tree.
    """

    def __init__(self, name: str, *, folder: Path | None = None) -> None:
        self._name = name
        self._spool = tempfile.TemporaryFile(prefix="pypack-", dir=folder)  # noqa: SIM115 - closed by close()
        self._members: dict[str, _Stored] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __contains__(self, path: str) -> bool:
        return path in self._members

    def __len__(self) -> int:
        return len(self._members)

    def paths(self) -> list[str]:
        """Return all member paths, sorted as they will be written."""
        return sorted(self._members, key=_bytes)

    def real(self, path: str) -> str:
        """Return the file that ``path`` leads to, through any links, or ``""`` where it leads to none."""
        seen = set[str]()
        while path in self and path not in seen:
            member = self.member(path)
            if member.kind != "link":
                return path if member.kind == "file" else ""
            seen.add(path)
            path = paths.linked(path, member.link)
        return ""

    def member(self, path: str) -> Member:
        """Return the member at ``path``."""
        return self._members[path].member

    def add(self, path: str, data: bytes | IO[bytes], *, executable: bool = False) -> None:
        """Add a file. ``data`` is its content, or an open file that is read to its end."""
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        offset = self._spool.seek(0, io.SEEK_END)
        shutil.copyfileobj(stream, self._spool, _CHUNK)
        size = self._spool.tell() - offset
        self._put(Member(path=path, executable=executable, size=size), offset)

    def add_file(self, path: str, source: Path) -> None:
        """Add a file of the disk, with its content and its executable bit."""
        with source.open("rb") as stream:
            mode = source.stat().st_mode
            self.add(path, stream, executable=bool(mode & stat.S_IXUSR))

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link; one that points outside of the tree is refused."""
        clean = paths.checked(path, archive=self._name)
        link = paths.checked_link(clean, target, archive=self._name)
        self._put(Member(path=path, kind="link", link=link), 0)

    def add_dir(self, path: str) -> None:
        """Add a folder. It is written only if nothing is inside it; a repeat does no harm."""
        clean = paths.checked(path, archive=self._name)
        if clean and not (clean in self._members and self._members[clean].member.kind == "dir"):
            self._put(Member(path=clean, kind="dir"), 0)

    def add_copy(self, path: str, of: str, *, executable: bool | None = None) -> None:
        """Add a file with the content of another member (an archive's hard link)."""
        stored = self._members.get(of)
        if stored is None or stored.member.kind != "file":
            raise ArchiveError(f"{self._name}: member {path!r} is refused: it is a hard link to {of!r}, no file")
        flag = stored.member.executable if executable is None else executable
        self._put(replace(stored.member, path=path, executable=flag), stored.offset)

    def add_image(self, image: Path, *, under: str = "") -> None:
        """Add all members of another image, below the folder ``under``."""
        for member, stream in read_image(image):
            self.add_member(replace(member, path=f"{under}/{member.path}" if under else member.path), stream)

    def add_member(self, member: Member, stream: IO[bytes] | None) -> None:
        """Add what :func:`read_image` yields."""
        if member.kind == "link":
            self.add_link(member.path, member.link)
        elif member.kind == "dir":
            self.add_dir(member.path)
        else:
            self.add(member.path, stream or b"", executable=member.executable)

    def remove(self, path: str) -> None:
        """Drop a member, or a folder with all that is in it."""
        if path in self._members and self._members[path].member.kind != "dir":
            del self._members[path]
            return
        for name in [name for name in self._members if name == path or name.startswith(f"{path}/")]:
            del self._members[name]

    def filter(self, is_wanted: Callable[[str], bool]) -> None:
        """Drop every member whose path is not wanted, in one pass."""
        self._members = {path: stored for path, stored in self._members.items() if is_wanted(path)}

    def read(self, path: str) -> bytes:
        """Return the content of a file member."""
        stored = self._members[path]
        self._spool.seek(stored.offset)
        return self._spool.read(stored.member.size)

    def replace(self, path: str, data: bytes) -> None:
        """Give a file member another content, keeping its executable bit."""
        executable = self._members.pop(path).member.executable
        self.add(path, data, executable=executable)

    def write(self, target: Path) -> None:
        """Write the image, checking that the tree holds together."""
        self._check()
        filled = {parent for path in self._members for parent in paths.parents(path)}
        with target.open("wb", buffering=_BUFFER) as out:
            for path in self.paths():
                stored = self._members[path]
                if stored.member.kind == "dir" and path in filled:
                    continue
                out.write(_headers(stored.member))
                self._copy(stored, out)
            end = out.tell() + _END
            out.write(bytes(_END + -end % _RECORD))

    def _copy(self, stored: _Stored, out: IO[bytes]) -> None:
        """Write the content of a file, filled up to whole blocks."""
        size = left = stored.member.size
        self._spool.seek(stored.offset)
        while left:
            left -= out.write(self._spool.read(min(left, _CHUNK)))
        out.write(bytes(headers.padded(size) - size))

    def _put(self, member: Member, offset: int) -> None:
        path = paths.checked(member.path, archive=self._name)
        if not path:
            raise ArchiveError(f"{self._name}: member {member.path!r} is refused: it is the tree itself")
        if path in self._members:
            raise ArchiveError(f"{self._name}: member {path!r} is refused: it stands in the archive twice")
        self._members[path] = _Stored(member=replace(member, path=path), offset=offset)

    def _check(self) -> None:
        for path, stored in self._members.items():
            for parent in paths.parents(path):
                above = self._members.get(parent)
                if above is not None and above.member.kind != "dir":
                    raise ArchiveError(
                        f"{self._name}: member {path!r} is refused: {parent!r} above it is a {above.member.kind}"
                    )
            if stored.member.kind == "link":
                paths.checked_link(path, stored.member.link, archive=self._name)


def read_image(image: Path) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield each member with an open stream of its content (None for links and folders), in order.

    A stream is good until the next member is asked for.
    """
    with image.open("rb", buffering=_BUFFER) as file:
        _check_end(image, file)
        yield from ((_member(header), stream) for header, stream in _read_members(image, file))


def _read_members(image: Path, file: BinaryIO) -> Iterator[tuple[tar.Member, IO[bytes] | None]]:
    def read(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    at = 0
    try:
        while member := tar.member(read, at):
            if member.kind not in {tar.FILE, tar.LINK, tar.FOLDER}:
                raise ValueError("it holds what images never hold")
            yield member, cast("IO[bytes]", _Content(file, member)) if member.kind == tar.FILE else None
            at = member.content + tar.padded(member.size)
    except ValueError as error:
        raise _damaged(image, str(error)) from error


class _Content(io.RawIOBase):
    """The content of one member, read from the image's own file."""

    def __init__(self, file: BinaryIO, member: tar.Member) -> None:
        self._file, self._start, self._size, self._at = file, member.content, member.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        piece = self._file.read(left if size is None or size < 0 else min(size, left))
        self._at += len(piece)
        return piece

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io.BufferedReader asks for
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def list_image(image: Path) -> list[Member]:
    """Return the members of an image without reading their contents."""
    return [member for member, _ in read_image(image)]


def _check_end(image: Path, file: BinaryIO) -> None:
    """Refuse an image without its end: a tar that ends at a member's border is cut short all the same."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END))
    if size % tar.BLOCK or size < _END or any(file.read()):
        raise _damaged(image, "it is cut short")


def _damaged(image: Path, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{image} is damaged: {reason}",
        hint="remove the folder .pypack; if it comes back, remove the build cache too (pypack cache --prune 0)",
    )


def rewrite(
    source: Path,
    target: Path,
    change: Callable[[ImageBuilder], None],
    *,
    name: str,
) -> None:
    """Copy an image while ``change`` edits the tree in between."""
    with ImageBuilder(name, folder=target.parent) as builder:
        builder.add_image(source)
        change(builder)
        builder.write(target)


def unpack(image: Path, folder: Path, *, only: Callable[[Member], bool] = lambda _: True) -> None:
    """Write an image of our own to the disk below ``folder`` (created if missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    for member, stream in read_image(image):
        if not only(member):
            continue
        path = folder / member.path
        if member.kind == "dir":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if stream is None:
            path.symlink_to(member.link)
            continue
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
        path.chmod(0o755 if member.executable else 0o644)


def add_tree(builder: ImageBuilder, folder: Path, *, under: str = "") -> None:
    """Add a folder of the disk: files, links and empty folders; anything else is refused."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        name = f"{under}/{inside}" if under else inside
        if path.is_symlink():
            builder.add_link(name, path.readlink().as_posix())
        elif path.is_dir():
            builder.add_dir(name)
        elif path.is_file():
            builder.add_file(name, path)
        else:
            raise ArchiveError(f"{path} is neither a file, a folder nor a link")


@contextmanager
def unpacked(*images: Path) -> Iterator[Path]:
    """Give a temporary folder that holds the trees of ``images``, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pypack-") as name:
        for image in images:
            unpack(image, Path(name))
        yield Path(name)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _headers(member: Member) -> bytes:
    name = _bytes(member.path)
    if member.kind == "link":
        return headers.of(name, headers.LINK, mode=0o777, link=_bytes(member.link))
    if member.kind == "dir":
        return headers.of(name + b"/", headers.FOLDER, mode=0o755)
    return headers.of(name, headers.FILE, mode=0o755 if member.executable else 0o644, size=member.size)


def _member(header: tar.Member) -> Member:
    path = header.name.decode("utf-8", "surrogateescape")
    if header.kind == tar.LINK:
        return Member(path=path, kind="link", link=header.link.decode("utf-8", "surrogateescape"))
    if header.kind == tar.FOLDER:
        return Member(path=path.rstrip("/"), kind="dir")
    return Member(path=path, executable=bool(header.mode & stat.S_IXUSR), size=header.size)
