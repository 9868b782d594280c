"""Wheel archives: images that hold one wheel, built here and rewritten to reproducible bytes, under its own name.

The name of a step's product must be known before its build, and that of a wheel is known only afterwards.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import posixpath
import re
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats import image
from pypack.formats.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILD_RECORD = "pypack-build.json"
"""File in a built wheel's .dist-info with its source and its build requirements."""
_INFO = re.compile(r"[^/]+\.dist-info")
_DROPPED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_DATE = (1980, 1, 1, 0, 0, 0)


@contextmanager
def open_wheel(path: Path) -> Iterator[Path]:
    """Yield the path of a wheel under its own name: ``path`` itself, or the wheel unpacked from a wheel archive."""
    if path.suffix == ".whl":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name:
        image.unpack(path, Path(name))
        (wheel,) = Path(name).iterdir()
        yield wheel


def build_record(values: Mapping[str, object]) -> bytes:
    """Return the text of the file that says what a wheel was built from (:data:`BUILD_RECORD`)."""
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()


def pack(
    wheel: Path, archive: Path, extra: Mapping[str, bytes], replaced: Mapping[str, bytes] = MappingProxyType({})
) -> None:
    """Write the wheel archive of a wheel; ``extra`` are files to add to its ``.dist-info`` (name -> content).

    ``replaced`` has contents of files in place of those of the wheel, by their path in it.
    """
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-", dir=archive.parent) as name:
        rewritten = Path(name) / wheel.name
        _rewrite(wheel, rewritten, extra, replaced)
        with ImageBuilder(wheel.name, folder=archive.parent) as builder:
            builder.add_file(wheel.name, rewritten)
            builder.write(archive)


def members_with(wheel: Path, text: bytes) -> list[str]:
    """Return the names of a wheel's files that contain ``text``."""
    with zipfile.ZipFile(wheel) as packed:
        return [name for name in packed.namelist() if text in packed.read(name)]


def _rewrite(wheel: Path, target: Path, extra: Mapping[str, bytes], replaced: Mapping[str, bytes]) -> None:
    """Rewrite a wheel reproducibly: members sorted and stored, one timestamp, two modes, RECORD in the same order."""
    try:
        with zipfile.ZipFile(wheel) as packed, zipfile.ZipFile(target, "w") as out:
            members = {info.filename: info for info in packed.infolist() if not info.is_dir()}
            folder = _info_folder(wheel, members)
            added = {f"{folder}/{name}": data for name, data in extra.items()}
            kept = members.keys() - {f"{folder}/{name}" for name in _DROPPED}
            text = io.StringIO()
            record = csv.writer(text, lineterminator="\n")
            for name in sorted(kept | added.keys()):
                data = added.get(name, replaced.get(name))
                data = packed.read(members[name]) if data is None else data
                executable = name not in added and bool(members[name].external_attr >> 16 & 0o100)
                _write(out, name, data, executable=executable)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.writerow((name, f"sha256={digest}", len(data)))
            record.writerow((f"{folder}/RECORD", "", ""))
            _write(out, f"{folder}/RECORD", text.getvalue().encode(), executable=False)
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"{wheel.name} was built, and is no wheel: {error}", hint="tell its authors") from error


def _info_folder(wheel: Path, names: Mapping[str, object]) -> str:
    folders = {posixpath.dirname(name) for name in names if _INFO.fullmatch(posixpath.dirname(name))}
    if len(folders) != 1:
        raise ArchiveError(f"{wheel.name} was built, and has {len(folders)} metadata folders", hint="tell its authors")
    return folders.pop()


def _write(out: zipfile.ZipFile, name: str, data: bytes, *, executable: bool) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system, info.external_attr = 3, (0o100755 if executable else 0o100644) << 16
    out.writestr(info, data)
