"""Turn a downloaded archive (tar.gz, tar.xz, tar.bz2, tar.zst, tar, zip, wheel) into an image."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from pypack.errors import ArchiveError
from pypack.formats import paths
from pypack.formats.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large an archive may become. A bomb is refused before it fills the disk.

    ``unpacked`` bytes in all, ``members`` in number, and ``ratio`` of unpacked to packed bytes,
    which counts only past ``free`` bytes (small files of zeros compress well and do no harm).
    """

    unpacked: int = 8 * _GIB
    members: int = 500_000
    ratio: int = 400
    free: int = 64 << 20


def extract(archive: Path, target: Path, *, strip: int = 0, under: str = "", limits: Limits | None = None) -> None:
    """Write the image of ``archive`` to ``target``.

    ``strip`` drops that many leading folders of each member, ``under`` keeps only what stands below
    that folder (and strips it). Every member is checked by :mod:`pypack.formats.paths`.
    """
    with ImageBuilder(archive.name, folder=target.parent) as builder:
        fill(builder, archive, strip=strip, under=under, limits=limits or Limits())
        if not len(builder):
            location = f" below {under!r}" if under else ""
            raise ArchiveError(f"{archive.name} holds nothing{location}", hint="check the address or pin it came from")
        builder.write(target)


def fill(builder: ImageBuilder, archive: Path, *, strip: int = 0, under: str = "", limits: Limits) -> None:
    """Add the members of ``archive`` to ``builder``."""
    pick = _Picker(archive.name, strip, under)
    guard = _Guard(archive, limits)
    try:
        if zipfile.is_zipfile(archive):
            _fill_from_zip(builder, archive, pick, guard)
        else:
            _fill_from_tar(builder, archive, pick, guard)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise  # the disk's fault, not the archive's
        raise ArchiveError(
            f"{archive.name} cannot be read: {e or type(e).__name__}",
            hint="it is damaged or of no known kind; fetch it again",
        ) from e


class _Picker:
    """Maps names of members to paths in the image; ``""``: the member is left out."""

    def __init__(self, archive: str, strip: int, under: str) -> None:
        self._archive, self._strip, self._under = archive, strip, under.strip("/")

    def __call__(self, name: str) -> str:
        path = paths.checked(name, archive=self._archive)
        path = "/".join(path.split("/")[self._strip :])
        if not self._under:
            return path
        return path[len(self._under) + 1 :] if path.startswith(f"{self._under}/") else ""


class _Guard:
    """Counts members and unpacked bytes; raises :class:`ArchiveError` past a limit."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._name, self._packed, self._limits = archive.name, archive.stat().st_size, limits
        self._bytes = self._members = 0

    def member(self, path: str) -> None:
        self._members += 1
        if self._members > self._limits.members:
            self._refuse(path, f"the archive has more than {self._limits.members} members")

    def data(self, path: str, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.unpacked:
            self._refuse(path, f"the archive unpacks to more than {self._limits.unpacked} bytes")
        if self._bytes > self._limits.free and self._bytes > self._packed * self._limits.ratio:
            self._refuse(path, f"the archive unpacks to more than {self._limits.ratio} times its size")

    def _refuse(self, path: str, reason: str) -> None:
        raise ArchiveError(f"{self._name}: member {path!r} is refused: {reason}", hint="do not use this archive")


class _Counted:
    """A stream that reports the bytes read through it to the guard."""

    def __init__(self, stream: IO[bytes], path: str, guard: _Guard) -> None:
        self._stream, self._path, self._guard = stream, path, guard

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._guard.data(self._path, len(data))
        return data


def _fill_from_tar(builder: ImageBuilder, archive: Path, pick: _Picker, guard: _Guard) -> None:
    with _open_tar(archive) as tar:
        for info in tar:
            guard.member(info.name)
            path = pick(info.name)
            if info.isdir():
                if path:
                    builder.add_dir(path)
                continue
            if not (info.isfile() or info.issym() or info.islnk()):
                raise ArchiveError(
                    f"{archive.name}: member {info.name!r} is refused: it is a device, a pipe or another special file",
                    hint="do not use this archive",
                )
            if not path:
                continue
            executable = bool(info.mode & stat.S_IXUSR)
            if info.issym():
                builder.add_link(path, info.linkname)
            elif info.islnk():
                builder.add_copy(path, pick(info.linkname), executable=executable)
            else:
                guard.data(path, 0)
                stream = tar.extractfile(info)
                assert stream is not None  # a regular file always has content
                builder.add(path, cast("IO[bytes]", _Counted(stream, path, guard)), executable=executable)


def _fill_from_zip(builder: ImageBuilder, archive: Path, pick: _Picker, guard: _Guard) -> None:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            guard.member(info.filename)
            path = pick(info.orig_filename if "\0" in info.orig_filename else info.filename)
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if info.is_dir():
                if path:
                    builder.add_dir(path)
                continue
            if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
                raise ArchiveError(
                    f"{archive.name}: member {info.filename!r} is refused: it is a special file",
                    hint="do not use this archive",
                )
            if not path:
                continue
            with packed.open(info) as stream:
                counted = cast("IO[bytes]", _Counted(stream, path, guard))
                if kind == stat.S_IFLNK:
                    builder.add_link(path, counted.read(paths.LONGEST + 1).decode("utf-8"))
                else:
                    builder.add(path, counted, executable=bool(mode & stat.S_IXUSR))


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    with archive.open("rb") as raw:
        if raw.read(4) != b"\x28\xb5\x2f\xfd":
            with tarfile.open(archive, "r|*", encoding="utf-8") as tar:
                yield tar
            return
        raw.seek(0)
        import zstandard

        with (
            zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as plain,
            tarfile.open(fileobj=plain, mode="r|", encoding="utf-8") as tar,
        ):
            yield tar
