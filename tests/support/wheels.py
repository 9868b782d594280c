"""Small wheels: real ones, with a RECORD that is right."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str | bytes],
    *,
    version: str = "1.0",
    needs: Iterable[str] = (),
    extra: Iterable[tuple[str, str]] = (),
    without: Iterable[str] = (),
) -> Path:
    """Write the wheel of a distribution that brings ``files``, and return its path.

    ``needs`` are requirements for its METADATA, ``extra`` more files, ``without`` parts of .dist-info to leave out.
    """
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {each}\n" for each in needs)
    files = {
        **files,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}",
        **dict(extra),
    }
    left = {f"{info}/{each}" for each in without}
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    with zipfile.ZipFile(path, "w") as out:
        for member, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            if member not in left:
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                writer.writerow((member, f"sha256={digest}", len(data)))
                out.writestr(member, data)
        writer.writerow((f"{info}/RECORD", "", ""))
        if f"{info}/RECORD" not in left:
            out.writestr(f"{info}/RECORD", rows.getvalue())
    return path


def entry_points(name: str, text: str, *, version: str = "1.0") -> list[tuple[str, str]]:
    """Return the file that gives a distribution its entry points, for ``extra`` of :func:`wheel`."""
    return [(f"{name}-{version}.dist-info/entry_points.txt", text)]
