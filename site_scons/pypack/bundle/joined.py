"""Join the packed frames of many images to one layer.

Only runs of frames in which a member is dropped are packed again: another image contains the same member.
"""

from __future__ import annotations

import io
import tempfile
from typing import IO, TYPE_CHECKING

from pypack.bundle import layer, listing
from pypack.formats import tar
from pypack.formats.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from pypack.bundle.layer import LayerFacts, Packed

_CHUNK = 1 << 20


def join(
    parts: Sequence[Path],
    target: Path,
    *,
    dropped: Sequence[Collection[str]],
    folders: Iterable[str] = (),
    profile: str,
    jobs: int = 1,
) -> LayerFacts:
    """Write the layer that holds the members of all ``parts``, in their order.

    ``parts`` are layers without an end. ``dropped`` has, for each of them, the paths that are left out; ``folders`` are
    empty folders to add. In the last frame is the list of all files, made of those of the parts.
    The same parts give the same bytes, and the same identity whatever they were packed with.
    """
    return layer.write(_frames(parts, target, dropped, folders, profile, jobs), target)


def _frames(
    parts: Sequence[Path],
    target: Path,
    dropped: Sequence[Collection[str]],
    folders: Iterable[str],
    profile: str,
    jobs: int,
) -> Iterator[Packed]:
    for part, unwanted in zip(parts, dropped, strict=True):
        for run in _runs(layer.read(part)) if unwanted else ():
            yield from _repack_without(run, frozenset(unwanted), target.parent, profile, jobs)
        if not unwanted:
            yield from layer.read(part)
    end = target.with_name(f"{target.name}.end")
    try:
        with ImageBuilder("end", folder=target.parent) as builder:
            for folder in folders:
                builder.add_dir(folder)
            builder.add(listing.NAME, listing.text(_rows(parts, dropped)))
            builder.write(end)
        yield from layer.packed_frames(layer.frames(end), profile=profile, jobs=jobs)
    finally:
        end.unlink(missing_ok=True)


def _rows(parts: Sequence[Path], dropped: Sequence[Collection[str]]) -> Iterator[listing.Row]:
    for part, unwanted in zip(parts, dropped, strict=True):
        yield from listing.without(layer.read_rows(part), unwanted)


def _runs(frames: Iterator[Packed]) -> Iterator[list[Packed]]:
    """Yield frames that hold whole members together: the first begins with a member, the others continue one."""
    run: list[Packed] = []
    for frame in frames:
        if run and not frame.flags:
            yield run
            run = []
        run.append(frame)
    if run:
        yield run


def _repack_without(
    run: list[Packed], unwanted: frozenset[str], folder: Path, profile: str, jobs: int
) -> Iterator[Packed]:  # fmt: skip
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as kept:
        for frame in run:
            source.write(layer.unpack(frame))
        if not _copy_wanted(source, kept, unwanted):
            yield from run
            return
        kept.seek(0)
        yield from layer.packed_frames(layer.cut(kept, "a run of frames"), profile=profile, jobs=jobs)


def _copy_wanted(source: IO[bytes], kept: IO[bytes], unwanted: frozenset[str]) -> bool:
    """Copy the members of a piece of a tar that are not ``unwanted``; say whether any was left out."""
    source.seek(0)
    is_any_dropped = False
    for header, size in layer.units(source):
        if _path(header) in unwanted:
            is_any_dropped = True
            source.seek(size, io.SEEK_CUR)
            continue
        kept.write(header)
        for left in range(size, 0, -_CHUNK):
            kept.write(source.read(min(left, _CHUNK)))
    return is_any_dropped


def _path(header: bytes) -> str:
    member = tar.member(lambda offset, size: header[offset : offset + size], 0)
    assert member is not None  # we wrote it ourselves
    return member.name.rstrip(b"/").decode("utf-8", "surrogateescape")
