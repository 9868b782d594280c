"""Make bundles straight from docs/bundle-format.md, sharing no code with the product: also damaged, odd ones."""

from __future__ import annotations

import binascii
import functools
import hashlib
import io
import shutil
import struct
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"PYPK\x00\x02\x00\x00"
CLOSE_AT, FULL_AT = 4 << 20, 8 << 20


@dataclass(frozen=True, kw_only=True)
class File:
    """A member: content, or a link's target, or (neither) an empty folder."""

    path: str
    data: bytes = b""
    executable: bool = False
    link: str = ""
    folder: bool = False


@dataclass(kw_only=True)
class Recipe:
    """What goes into a bundle. The same recipe gives the same bytes."""

    runtime: list[File]
    app: list[File]
    deps: list[File] = field(default_factory=list)
    name: str = "hello"
    python: str = "bin/python3"
    boot: str = "boot.pyc"
    main: str = "app/main.py"
    options: tuple[str, ...] = ("-O",)
    site: str = "lib/site-packages"
    paths: tuple[str, ...] = ("app:app",)
    sentinels: tuple[str, ...] = ()
    extra: tuple[str, ...] = ("version=1.0", "target=linux-musl-x86_64", "launch=exec")
    salt: int = 0


def tar_of(members: list[File]) -> bytes:
    """Return the GNU tar of some members, in their order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            info = tarfile.TarInfo(member.path)
            info.mode = 0o755 if member.executable or member.folder else 0o644
            info.mtime = 315532800
            if member.link:
                info.type, info.linkname = tarfile.SYMTYPE, member.link
            elif member.folder:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(member.data)
            tar.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


def pieces(tar: bytes, close_at: int = CLOSE_AT, full_at: int = FULL_AT) -> list[tuple[bytes, int]]:
    """Cut a tar into frames: (content, flags)."""
    starts, at = [], 0
    while at < len(tar):
        starts.append(at)
        while tar[at + 156 : at + 157] in (b"L", b"K"):
            at += 512 + -(-int(tar[at + 124 : at + 135], 8) // 512) * 512
        if not any(tar[at : at + 512]):
            at = len(tar)
        else:
            size = int(tar[at + 124 : at + 135], 8)
            at += 512 + -(-size // 512) * 512
    found, begin, carries = [], 0, 0
    for member, behind in zip(starts, [*starts[1:], len(tar)], strict=True):
        if member - begin >= close_at:
            found.append((tar[begin:member], carries))
            begin, carries = member, 0
        while behind - begin > full_at:
            found.append((tar[begin : begin + full_at], carries))
            begin, carries = begin + full_at, 1
    found.append((tar[begin:], carries))
    return [(data, flags) for data, flags in found if data]


def layer_of(cut: list[tuple[bytes, int]], level: int = 3) -> tuple[bytes, bytes]:
    """Return the layer's bytes and its identity."""
    packed = [_packed(data, level) for data, _ in cut]
    told = [struct.pack("<II", len(data), flags) + hashlib.sha256(data).digest() for data, flags in cut]
    table = b"PYPKLYR\x01" + b"".join(
        struct.pack("<I", len(frame)) + row for frame, row in zip(packed, told, strict=True)
    )
    head = struct.pack("<II", 0x184D2A50, len(table))
    return head + table + b"".join(packed), hashlib.sha256(b"".join(told)).digest()


def listed(members: list[File], name: str) -> list[File]:
    """Return the members and the list of them, by which a program finds out what of it is damaged."""
    plain = sorted((each for each in members if not each.link and not each.folder), key=lambda each: each.path.encode())
    lines = [f"{len(each.data)} {hashlib.sha256(each.data).hexdigest()[:16]} {each.path}\n" for each in plain]
    return [*members, File(path=name, data="".join([*lines, f"{len(lines)}\n"]).encode())]


def folder_of(members: list[File]) -> str:
    """Return the name that a layer of these members has in the cache."""
    return layer_of(pieces(tar_of(members)))[1][:16].hex()


@functools.lru_cache(maxsize=8)
def _packed(data: bytes, level: int) -> bytes:
    return zstandard.ZstdCompressor(level=level).compress(data)


def zip_of(members: list[File]) -> tuple[bytes, bytes]:
    """Return the local entries and the central folder with its end record (offsets count from the zip)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for member in members:
            info = zipfile.ZipInfo(member.path + ("/" if member.folder else ""))
            if member.executable or member.link:
                mode = 0o120777 if member.link else 0o100755
                link = member.link.encode()
                body = struct.pack("<HIHH", mode, len(link), 0, 0) + link
                body = struct.pack("<I", binascii.crc32(body)) + body
                info.extra = struct.pack("<HH", 0x756E, len(body)) + body
            packed.writestr(info, member.data)
        start = packed.start_dir
    whole = out.getvalue()
    return whole[:start], whole[start:]


def launch_block(recipe: Recipe) -> bytes:
    """Return the `key=value` part of the trailer."""
    lines = [
        f"name={recipe.name}", f"python={recipe.python}", f"boot={recipe.boot}", f"main={recipe.main}",
        f"site={recipe.site}", *recipe.extra,
        *(f"option={word}" for word in recipe.options), *(f"path={word}" for word in recipe.paths),
        *(f"sentinel={word}" for word in recipe.sentinels),
    ]  # fmt: skip
    return b"".join(line.encode("utf-8", "surrogateescape") + b"\0" for line in lines)


def trailer_of(block: bytes, table: list[bytes], end_before: int, first: tuple[int, int], app: int) -> bytes:
    """Return the trailer; ``end_before`` is where it begins in the bundle."""
    line = b"a test bundle\n"
    size = len(line) + len(block) + 72 * len(table) + 96
    foot = struct.pack("<IIIIII", size, len(line), len(block), len(line) + len(block), len(table), 0)
    foot += struct.pack("<Q", end_before + size) + MAGIC + struct.pack("<QQQ", *first, app)
    body = line + block + b"".join(table)
    return body + hashlib.sha256(body + foot).digest() + foot


def bundle(stub: bytes, recipe: Recipe, *, cut: tuple[int, int] = (CLOSE_AT, FULL_AT), hole: int = 0) -> bytes:
    """Return a whole bundle; offsets are those of a file with a hole of so many bytes behind the launcher."""
    out, table, first = bytearray(stub), [], (0, 0)
    for kind, members in ((1, recipe.runtime), (2, recipe.deps)):
        if not members:
            continue
        tar = tar_of(members)
        frames = pieces(tar, *cut)
        layer, identity = layer_of(frames)
        out += bytes(-len(out) % 8)
        first = first if first[1] else (len(out) + hole, len(layer))
        table.append(struct.pack("<IIQQQII", kind, 0, len(out) + hole, len(layer), len(tar), len(frames), 0) + identity)
        out += layer
    out += bytes(-len(out) % 8)
    app = len(out) + hole
    local, central = zip_of(recipe.app)
    identity = hashlib.sha256(local).digest()
    table.append(struct.pack("<IIQQQII", 3, 0, app, len(local), len(local), 0, 0) + identity)
    out += local + central
    out += trailer_of(launch_block(recipe), table, len(out) + hole, first, app)
    return bytes(out)


def bundle_around(path: Path, packed: Path, recipe: Recipe) -> None:
    """Append to a launcher a runtime layer that is there as a file, of any size, and the recipe's app."""
    with packed.open("rb") as layer, path.open("r+b") as out:
        head = layer.read(16)
        table = layer.read(struct.unpack("<I", head[4:8])[0] - 8)
        rows = [(*struct.unpack_from("<III", table, at), table[at + 12 : at + 44]) for at in range(0, len(table), 44)]
        told = b"".join(struct.pack("<II", size, flags) + digest for _, size, flags, digest in rows)
        out.seek(0, io.SEEK_END)
        out.write(bytes(-out.tell() % 8))
        first = (out.tell(), packed.stat().st_size)
        layer.seek(0)
        shutil.copyfileobj(layer, out, 1 << 20)
        unpacked = sum(row[1] for row in rows)
        table_rows = [struct.pack("<IIQQQII", 1, 0, *first, unpacked, len(rows), 0) + hashlib.sha256(told).digest()]
        out.write(bytes(-out.tell() % 8))
        app = out.tell()
        local, central = zip_of(recipe.app)
        entry = struct.pack("<IIQQQII", 3, 0, app, len(local), len(local), 0, 0) + hashlib.sha256(local).digest()
        out.write(local + central)
        out.write(trailer_of(launch_block(recipe), [*table_rows, entry], out.tell(), first, app))


def write(path: Path, content: bytes) -> Path:
    """Write an executable."""
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def write_sparse(path: Path, stub: bytes, recipe: Recipe, hole: int) -> Path:
    """Write a bundle whose layers begin ``hole`` bytes (a multiple of 8) behind the launcher, as a hole in the file."""
    content = bundle(stub, recipe, hole=hole)
    with path.open("wb") as out:
        out.write(content[: len(stub)])
        out.seek(len(stub) + hole)
        out.write(content[len(stub) :])
    path.chmod(0o755)
    return path
