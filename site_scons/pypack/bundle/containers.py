"""Put the payload into each executable format: appended to an ELF or PE file, in a segment of a Mach-O."""

from __future__ import annotations

import io
import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from pypack.bundle.offset_stream import OffsetStream
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_MOST = 0xFFFF_FFFF
"""A PE image past this does not start, and the offsets of Mach-O sections and signatures have 32 bits."""
_OVERHEAD = 64 << 20
"""Bytes that zip directory, padding and page hashes may add to the parts (besides 1/128 of hashes)."""


def check_size(container: str, parts: Iterable[Path], target: str) -> None:
    """Raise :class:`StepError` for a payload that the format cannot hold, before anything is written."""
    size = sum(part.stat().st_size for part in parts)
    if container != "elf" and size + size // 128 + _OVERHEAD > _MOST:
        raise StepError(
            f"the bundle for {target} would be {size / (1 << 30):.1f} GiB, and its format ends at 4 GiB",
            hint="build it as a folder (mode=onedir), exclude what is not needed, or load the data at run time",
            docs="docs/bundle-format.md",
        )


@contextmanager
def payload(container: str, stub: Path, out: IO[bytes], *, identifier: str) -> Iterator[IO[bytes]]:
    """Yield the file to write the payload to; the executable is completed when the ``with`` block ends.

    ``out`` is empty, open for reading and writing. Positions in the yielded file are those of the bundle format:
    they count from the start of ``out``, or from the segment's of a Mach-O. ``identifier`` is the name in a Mach-O's
    signature.
    """
    if container != "macho":
        with stub.open("rb") as stream:
            shutil.copyfileobj(stream, out, _CHUNK)
        yield out
        return
    from pypack.formats.macho import payload as segment

    base = segment.begin(stub, out)
    segment_stream = OffsetStream(out, base)
    yield cast("IO[bytes]", segment_stream)
    segment.finish(out, stub, base=base, size=segment_stream.seek(0, io.SEEK_END), identifier=identifier)
