"""What one package brings, told once for each wheel: a change of one requirement looks at no other wheel again."""

from __future__ import annotations

import hashlib
import json
import posixpath
from email.parser import HeaderParser
from typing import IO, TYPE_CHECKING, Any

from pypack import binaries
from pypack.bundle import commands, facts
from pypack.images.image import read_image
from pypack.packages.wheels import SITE

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.images.image import Member
    from pypack.pipeline import Context
    from pypack.targets import Target

_CHUNK = 1 << 20


def run_contents(context: Context) -> None:
    """Step: the image of one wheel -> JSON with all that the joining of several has to know of it.

    Beside the facts of :func:`pypack.bundle.facts.gather`: ``commands`` (:mod:`pypack.bundle.commands`), ``wheel`` (its
    file's name without the ending), ``name``, ``version`` and ``requires`` of its METADATA, ``files`` as rows of path,
    kind, size and sha256 (of a link: its target), ``mismatches`` as rows of path and reason, ``pth`` with the lines of
    its .pth files.

    Params: ``container`` and ``arch``; ``target``, for which native code must be made.
    """
    image = context.inputs[0]
    target: Target = context.params["target"].value
    seen, brought, told = binaries.Survey(), commands.Commands(), _Files()
    for member, stream in read_image(image):
        for each in (seen, brought, told):
            each.see(member, stream)
    found = {
        **facts.gather(seen, {**context.params, "sentinels": []}),
        "commands": brought.pairs(),
        "wheel": image.stem,
        "mismatches": [[each.path, each.why] for each in binaries.mismatches(seen, target)],
        **told.found(name=image.stem.split("-", 1)[0]),
    }
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    context.product.write_text(text + "\n", encoding="utf-8", newline="\n")


def read(path: Path) -> dict[str, Any]:
    """Return what :func:`run_contents` wrote."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


class _Files:
    """The files of a wheel with their hashes, and what its METADATA and .pth files say."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []
        self._metadata = b""
        self._pth: dict[str, list[str]] = {}

    def see(self, member: Member, stream: IO[bytes] | None) -> None:
        folder, file = posixpath.split(member.path)
        text = stream.read() if stream and _is_text(folder, file) else None
        self._rows.append([member.path, member.kind, member.size, _mark(member, stream, text)])
        if text is not None and file == "METADATA":
            self._metadata = text
        elif text is not None:
            self._pth[file] = _decoded(text).splitlines()

    def found(self, *, name: str) -> dict[str, Any]:
        """Return what was seen; ``name`` is that of a wheel whose METADATA tells none."""
        headers = HeaderParser().parsestr(self._metadata.decode("utf-8", "replace"))
        return {
            "files": self._rows,
            "pth": self._pth,
            "name": str(headers.get("Name", name)),
            "version": str(headers.get("Version", "")),
            "requires": [str(each) for each in headers.get_all("Requires-Dist", [])],
        }


def _is_text(folder: str, name: str) -> bool:
    if folder == SITE:
        return name.endswith(".pth") and not name.startswith(".")  # as CPython's site has it
    # what a package has vendored brings metadata too, further below
    return name == "METADATA" and folder.endswith(".dist-info") and posixpath.dirname(folder) == SITE


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
