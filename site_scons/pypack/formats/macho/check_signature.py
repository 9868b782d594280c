"""Check signatures: that each part of them is there, and every hash right.

This module shares nothing with ``sign`` on purpose: it is written from xnu's ``bsd/sys/codesign.h`` and from what
``codesign --verify --strict`` looks at, so that a mistake of the one is not repeated by the other.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pypack.formats.macho import cms
from pypack.formats.macho.check_program import DamagedError, Part, Program

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["none", "ad hoc", "identity", "damaged"]

_HASHES = {1: ("sha1", 20), 2: ("sha256", 32)}
_DIRECTORIES = (0, 0x1000, 0x1001, 0x1002, 0x1003, 0x1004)
_CMS_SLOT = 0x10000
_CMS_MAGIC = bytes.fromhex("fade0b01")
_WRAPPERS = (_CMS_SLOT, 0x10001, 0x10002)  # signature, identification, notarization ticket: they cover the directory
_OUTSIDE = (1, 3)  # Info.plist and the list of resources of an application's folder: files beside the program
_AD_HOC, _LINKER = 0x2, 0x20000
_DIRECTORY = (
    "magic", "length", "version", "flags", "hashes", "ident", "specials", "pages", "limit", "width", "type", "platform",
    "page",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The signature of one program, as it describes itself.

    ``cdhash`` is the hash that macOS knows a program by (20 bytes, hex). ``signer`` is the name in the certificate,
    which nobody has checked; ``minimum`` the oldest system, e.g. ``11.0``.
    """

    arch: str
    state: State
    identifier: str = ""
    cdhash: str = ""
    signer: str = ""
    team: str = ""
    by_linker: bool = False
    platform: str = ""
    minimum: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        state = {
            "none": "not signed",
            "damaged": "with a damaged signature",
            "ad hoc": f"signed ad hoc as {self.identifier}",
            "identity": f"signed as {self.identifier} by {self.signer or 'an unknown identity'}",
        }[self.state]
        state += " (by its linker)" if self.by_linker else ""
        state += f" of team {self.team}" if self.team else ""
        state += f", cdhash {self.cdhash}" if self.cdhash else ""
        return f"{self.arch}: {state}; {self.platform} {self.minimum} or newer"


def faults(part: Part, program: Program) -> Iterator[str]:
    """Yield what is wrong with a program's signature; that it has none counts as wrong."""
    if len(program.signatures) != 1:
        yield "it is not signed" if not program.signatures else "it has two signatures"
        return
    offset, size = program.signatures[0]
    if offset + size != part.size:
        yield "its signature does not end the file"
    blobs = _blobs(part.take(offset, size))
    directories = [blobs[slot] for slot in _DIRECTORIES if slot in blobs]
    if not directories:
        yield "its signature has no code directory"
    for directory in directories:
        yield from _directory_faults(part, program, _directory(directory), blobs, offset)
    flags = _directory(directories[0])["flags"] if directories else 0
    wrapper = blobs.get(_CMS_SLOT, b"")
    cms_size = len(wrapper)
    if wrapper and wrapper[:4] != _CMS_MAGIC:
        yield "what should name the identity in its signature is something else"
    if not flags & _AD_HOC and cms_size <= 8:
        yield "its signature names no identity and does not say that it is ad hoc"
    if flags & _AD_HOC and cms_size > 8:
        yield "its signature names an identity and says that it is ad hoc"


def _blobs(data: bytes) -> dict[int, bytes]:
    """Return the parts of a signature by their slot."""
    if len(data) < 12:
        raise DamagedError("its signature is cut short")
    magic, length, count = struct.unpack_from(">III", data)
    if magic != 0xFADE0CC0 or length > len(data) or 12 + 8 * count > length:
        raise DamagedError("its signature is damaged")
    blobs, ranges = {}, []
    for row in range(count):
        slot, at = struct.unpack_from(">II", data, 12 + 8 * row)
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if at < 12 + 8 * count or size < 8 or at + size > length or slot in blobs:
            raise DamagedError("a part of its signature leaves it")
        blobs[slot] = data[at : at + size]
        ranges.append((at, at + size))
    ranges.sort()
    if any(first[1] > second[0] for first, second in itertools.pairwise(ranges)):
        raise DamagedError("parts of its signature overlap")
    return blobs


def _directory(data: bytes) -> dict[str, Any]:
    """Read a code directory, whichever version."""
    if len(data) < 44:
        raise DamagedError("its code directory is cut short")
    directory: dict[str, Any] = dict(zip(_DIRECTORY, struct.unpack_from(">9I4B", data), strict=True))
    if directory["magic"] != 0xFADE0C02 or directory["type"] not in _HASHES or directory["page"] not in range(12, 17):
        raise DamagedError("its code directory is of an unknown kind")
    directory["data"] = data
    directory["name"] = _string(data, directory["ident"])
    directory["team"] = directory["wide"] = 0
    if directory["version"] >= 0x20200 and len(data) >= 52:
        directory["team"] = int.from_bytes(data[48:52], "big")
    if directory["version"] >= 0x20400 and len(data) >= 88:
        directory["wide"], directory["base"], directory["text"], directory["exec"] = struct.unpack_from(">4Q", data, 56)
    width = _HASHES[directory["type"]][1]
    first, last = directory["hashes"] - directory["specials"] * width, directory["hashes"] + directory["pages"] * width
    if directory["width"] != width or first <= data.index(b"\0", directory["ident"]) or first < 44 or last > len(data):
        raise DamagedError("the hashes of its code directory leave it")
    return directory


def _string(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if at < 44 or end < 0:
        raise DamagedError("a name in its code directory is cut off")
    return data[at:end].decode("utf-8", "replace")


def _directory_faults(
    part: Part, program: Program, directory: dict[str, Any], blobs: dict[int, bytes], end: int
) -> Iterator[str]:
    limit, page = directory["wide"] or directory["limit"], 1 << directory["page"]
    if limit != end:
        yield f"its signature covers {limit:,} bytes of {end:,}"
    if directory["pages"] != -(-limit // page):
        yield "its signature has not one hash for each page"
        return
    if program.kind == 2 and directory["version"] >= 0x20400:
        text = [(segment["offset"], segment["size"]) for segment in program.segments if segment["name"] == "__TEXT"]
        if [(directory["base"], directory["text"])] != text or not directory["exec"] & 1:
            yield "its signature does not name the executable segment"
    name, width = _HASHES[directory["type"]]
    table = memoryview(directory["data"])[directory["hashes"] :]
    wrong = 0
    for row, piece in enumerate(part.pieces(0, limit, page)):
        wrong += hashlib.new(name, piece).digest() != table[row * width : (row + 1) * width]
    if wrong:
        yield f"{wrong:,} of {directory['pages']:,} pages do not have their hash"
    yield from _special_faults(part, program, directory, blobs)


def _special_faults(part: Part, program: Program, directory: dict[str, Any], blobs: dict[int, bytes]) -> Iterator[str]:
    """Compare what is signed besides the pages: requirements, entitlements, Info.plist."""
    name, width = _HASHES[directory["type"]]
    info = [
        section for segment in program.segments for section in segment["sections"] if section["name"] == b"__info_plist"
    ]
    for slot in range(1, directory["specials"] + 1):
        digest = directory["data"][directory["hashes"] - slot * width :][:width]
        content = part.take(info[0]["offset"], info[0]["size"]) if slot == 1 and info else blobs.get(slot)
        if content is None and slot in _OUTSIDE:
            continue
        if any(digest) and (content is None or hashlib.new(name, content).digest() != digest):
            yield f"part {slot} of its signature does not have its hash"
        if not any(digest) and slot in blobs:
            yield f"part {slot} of its signature is not covered"
    covered = {*range(directory["specials"] + 1), *_DIRECTORIES, *_WRAPPERS}
    if uncovered := sorted(set(blobs) - covered):
        yield f"parts {uncovered} of its signature are not covered"


def read_signature(part: Part, program: Program) -> Signature:
    """Return the signature of a program; its hashes are not checked."""
    facts: dict[str, Any] = {"arch": program.arch, "platform": program.platform, "minimum": program.minimum}
    if not program.signatures:
        return Signature(state="none", **facts)
    try:
        blobs = _blobs(part.take(*program.signatures[0]))
        directories = [_directory(blobs[slot]) for slot in _DIRECTORIES if slot in blobs]
        best = max(directories, key=lambda directory: int(directory["type"]))
        team = _string(best["data"], best["team"]) if best["team"] else ""
    except (DamagedError, ValueError):
        return Signature(state="damaged", **facts)
    signed = blobs.get(_CMS_SLOT, b"")[8:]
    return Signature(
        state="identity" if signed else "ad hoc",
        identifier=best["name"],
        cdhash=hashlib.new(_HASHES[best["type"]][0], best["data"]).hexdigest()[:40],
        signer=cms.signer(signed) if signed else "",
        team=team,
        by_linker=bool(best["flags"] & _LINKER),
        **facts,
    )
