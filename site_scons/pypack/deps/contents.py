"""The contents of one wheel's image, cached for each wheel: a changed requirement reads no other wheel again."""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import IO, TYPE_CHECKING, Any

from installer.utils import parse_metadata_file
from packaging.metadata import parse_email

from pypack.bundle import commands, facts
from pypack.deps.wheels import SITE
from pypack.formats import binaries
from pypack.formats.image import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.formats.image import Member
    from pypack.steps.step import Context

_CHUNK = 1 << 20


def run_contents(context: Context) -> None:
    """Step: the image of one wheel -> JSON with all that merging several wheels needs.

    Beside the facts of :func:`pypack.bundle.facts.gather`: ``commands`` (:mod:`pypack.bundle.commands`), ``wheel`` (its
    file's name without the ending), ``any`` (it is for any system), ``name``, ``version`` and ``requires`` of its
    METADATA, ``files`` as rows of path, kind, size and sha256 (of a link: its target), ``pth`` with the lines of its
    .pth files.

    Params: ``container``, ``arch`` and ``libc``, for which native code must be made.
    """
    image = context.inputs[0]
    survey, package_commands, files = binaries.Survey(), commands.Commands(), _Files()
    for member, stream in read_image(image):
        for collector in (survey, package_commands, files):
            collector.read_member(member, stream)
    package_contents = {
        **facts.gather(survey, {**context.params, "sentinels": []}),
        "commands": package_commands.pairs(),
        "wheel": image.stem,
        **files.collected(name=image.stem.split("-", 1)[0]),
    }
    text = json.dumps(package_contents, sort_keys=True, separators=(",", ":"))
    context.product.write_text(text + "\n", encoding="utf-8", newline="\n")


def read(path: Path) -> dict[str, Any]:
    """Return what :func:`run_contents` wrote."""
    package_contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return package_contents


class _Files:
    """Collects the files of a wheel with their hashes, and the contents of its METADATA and .pth files."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []
        self._metadata = self._wheel = b""
        self._pth: dict[str, list[str]] = {}

    def read_member(self, member: Member, stream: IO[bytes] | None) -> None:
        folder, file = posixpath.split(member.path)
        text = stream.read() if stream and _is_text(folder, file) else None
        self._rows.append([member.path, member.kind, member.size, _mark(member, stream, text)])
        if text is not None and file == "METADATA":
            self._metadata = text
        elif text is not None and file == "WHEEL":
            self._wheel = text
        elif text is not None:
            self._pth[file] = _decoded(text).splitlines()

    def collected(self, *, name: str) -> dict[str, Any]:
        """Return the collected values; ``name`` is the distribution's where METADATA has none."""
        facts, _ = parse_email(self._metadata)
        tags = parse_metadata_file(self._wheel.decode("utf-8", "replace")).get_all("Tag", [])
        return {
            "any": bool(tags) and all(str(tag).strip().endswith("-any") for tag in tags),
            "files": self._rows,
            "pth": self._pth,
            "name": facts.get("name", name),
            "version": facts.get("version", ""),
            "requires": facts.get("requires_dist", []),
        }


def _is_text(folder: str, name: str) -> bool:
    if folder == SITE:
        return name.endswith(".pth") and not name.startswith(".")  # as CPython's site has it
    # vendored packages have metadata too, in deeper folders
    return name in {"METADATA", "WHEEL"} and folder.endswith(".dist-info") and posixpath.dirname(folder) == SITE


def _mark(member: Member, stream: IO[bytes] | None, text: bytes | None) -> str:
    if stream is None:
        return member.link
    if text is not None:
        return hashlib.sha256(text).hexdigest()
    digest = hashlib.sha256()
    while piece := stream.read(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return text.decode("latin-1")
