"""Wheels that were built here: made the same whenever they are built, and kept in an image under their own names.

A step's product has a name before it is made, a wheel's name is told by its build only: the image is the box around it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import re
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.images import image
from pypack.images.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INFO = re.compile(r"[^/]+\.dist-info")
_DROPPED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_DATE = (1980, 1, 1, 0, 0, 0)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give the wheel ``path``, or, for a box, the wheel that is in it, under its own name, for a ``with`` block."""
    if path.suffix == ".whl":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name:
        image.unpack(path, Path(name))
        (wheel,) = Path(name).iterdir()
        yield wheel


def pack(wheel: Path, box: Path, more: Mapping[str, bytes]) -> None:
    """Write the box of a wheel; ``more`` are files that are added to its metadata folder."""
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-", dir=box.parent) as name:
        same = Path(name) / wheel.name
        _rewrite(wheel, same, more)
        with ImageBuilder(wheel.name, folder=box.parent) as builder:
            builder.add_file(wheel.name, same)
            builder.write(box)


def members_with(wheel: Path, text: bytes) -> list[str]:
    """Return the files of a wheel in which ``text`` stands."""
    with zipfile.ZipFile(wheel) as packed:
        return [name for name in packed.namelist() if text in packed.read(name)]


def _rewrite(wheel: Path, place: Path, more: Mapping[str, bytes]) -> None:
    """Write a wheel anew: members sorted and stored, one time, two modes, and a RECORD in that order."""
    try:
        with zipfile.ZipFile(wheel) as packed, zipfile.ZipFile(place, "w") as out:
            found = {info.filename: info for info in packed.infolist() if not info.is_dir()}
            folder = _info_folder(wheel, found)
            added = {f"{folder}/{name}": data for name, data in more.items()}
            kept = found.keys() - {f"{folder}/{name}" for name in _DROPPED}
            rows = io.StringIO()
            record = csv.writer(rows, lineterminator="\n")
            for name in sorted(kept | added.keys()):
                data = added[name] if name in added else packed.read(found[name])
                executable = name not in added and bool(found[name].external_attr >> 16 & 0o100)
                _write(out, name, data, executable=executable)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.writerow((name, f"sha256={digest}", len(data)))
            record.writerow((f"{folder}/RECORD", "", ""))
            _write(out, f"{folder}/RECORD", rows.getvalue().encode(), executable=False)
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"{wheel.name} was built, and is no wheel: {error}", do="tell its authors") from error


def _info_folder(wheel: Path, found: Mapping[str, object]) -> str:
    folders = {posixpath.dirname(name) for name in found if _INFO.fullmatch(posixpath.dirname(name))}
    if len(folders) != 1:
        raise ArchiveError(f"{wheel.name} was built, and has {len(folders)} metadata folders", do="tell its authors")
    return folders.pop()


def _write(out: zipfile.ZipFile, name: str, data: bytes, *, executable: bool) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system, info.external_attr = 3, (0o100755 if executable else 0o100644) << 16
    out.writestr(info, data)
