"""Looking up debian: and pypi: addresses, against a local server that plays a mirror and an index."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
import time

import pytest

from pypack.base import folders
from pypack.download import addresses, fetch
from pypack.download.pins import Pin
from pypack.errors import FetchError, InputError
from pypack.steps.step import Settings

ZLIB = b"the zlib archive" * 1000
OTHER = b"another archive"
SETTINGS = Settings(say=lambda _: None)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pin(data: bytes, address: str, file: str = "zlib-1.3.1.tar.gz") -> Pin:
    return Pin(file=file, urls=(address,), sha256=sha(data))


def stanza(package: str, folder: str, files: dict[str, bytes]) -> str:
    rows = "".join(f" {sha(data)} {len(data)} {name}\n" for name, data in files.items())
    md5 = "".join(f" {'0' * 32} {len(data)} {name}\n" for name, data in files.items())
    head = f"Package: {package}\nBinary: a,\n b\nVersion: 1\n"
    return f"{head}Files:\n{md5}Checksums-Sha256:\n{rows}Directory: {folder}\n\n"


@pytest.fixture
def mirror(web, monkeypatch):
    name = "zlib_1.3.dfsg+really1.3.1.orig.tar.gz"
    index = stanza("aaa", "pool/main/a/aaa", {"aaa_1.orig.tar.gz": OTHER, "copy_of_zlib.tar.gz": ZLIB}) + stanza(
        "zlib", "pool/main/z/zlib", {"zlib_1.dsc": b"dsc", name: ZLIB}
    )
    web.files["/debian/dists/trixie/main/source/Sources.xz"] = lzma.compress(index.encode())
    web.files[f"/debian/pool/main/z/zlib/{name}"] = ZLIB
    web.files["/debian/pool/main/a/aaa/aaa_1.orig.tar.gz"] = OTHER
    monkeypatch.setenv("PYPACK_DEBIAN_MIRROR", f"{web.url}/debian/")
    return web


def test_archive_is_found_by_hash_in_the_named_package(mirror):
    wanted = pin(ZLIB, "debian:trixie/zlib")
    assert fetch.fetch(wanted, settings=SETTINGS).read_bytes() == ZLIB
    assert fetch.cache_path(wanted).name == "zlib-1.3.1.tar.gz"
    assert mirror.seen[-1][1] == "/debian/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz"


def test_archive_is_found_in_any_package_after_a_rename(mirror):
    assert addresses.resolve("debian:trixie/bbb", pin(OTHER, ""), settings=SETTINGS) == (
        f"{mirror.url}/debian/pool/main/a/aaa/aaa_1.orig.tar.gz"
    )


def test_index_is_kept_for_a_day(mirror):
    for data in (ZLIB, OTHER):
        addresses.resolve("debian:trixie/zlib", pin(data, ""), settings=SETTINGS)
    assert len(mirror.seen) == 1
    (index,) = (folders.downloads() / "debian").rglob("Sources.xz")
    yesterday = time.time() - 25 * 3600
    os.utime(index, (yesterday, yesterday))
    addresses.resolve("debian:trixie/zlib", pin(ZLIB, ""), settings=SETTINGS)
    assert len(mirror.seen) == 2


def test_hash_that_is_gone_is_told_by_pin_and_suite(mirror):
    with pytest.raises(FetchError) as caught:
        fetch.fetch(pin(b"gone", "debian:trixie/zlib"), settings=SETTINGS)
    assert "zlib-1.3.1.tar.gz" in str(caught.value)
    assert "is gone from Debian trixie" in str(caught.value)


def test_unknown_suite(mirror):
    with pytest.raises(FetchError, match="no source index of Debian sid") as caught:
        addresses.resolve("debian:sid/zlib", pin(ZLIB, ""), settings=SETTINGS)
    assert "the server answers 404" in caught.value.what
    assert "PYPACK_DEBIAN_MIRROR" in caught.value.hint


def test_damaged_index_is_removed(mirror):
    whole = mirror.files["/debian/dists/trixie/main/source/Sources.xz"]
    mirror.files["/debian/dists/trixie/main/source/Sources.xz"] = whole[:-20]
    with pytest.raises(FetchError, match="the sources index of Debian was damaged and has been removed"):
        addresses.resolve("debian:trixie/none", pin(b"none", ""), settings=SETTINGS)
    mirror.files["/debian/dists/trixie/main/source/Sources.xz"] = whole
    assert addresses.resolve("debian:trixie/zlib", pin(ZLIB, ""), settings=SETTINGS)


def test_without_a_mirror_it_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="no Debian mirror is known") as caught:
        addresses.resolve("debian:trixie/zlib", pin(ZLIB, ""), settings=SETTINGS)
    assert "PYPACK_DEBIAN_MIRROR" in caught.value.hint


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        (
            "http://a/debian/\tDebian\tDebian\nhttp://a/security/\tDebian\tDebian-Security\n"
            "http://b/node/\tNode\tNode\nhttp://a/debian/\tDebian\tDebian\n",
            ["http://a/debian"],
        ),
        ("http://a/debian/\t\t\ncdrom://x/\t\t\nhttp://b/\t\t\n", ["http://a/debian", "http://b"]),
        ("", []),
    ],
)
def test_mirror_of_the_systems_own_apt(monkeypatch, tmp_path, printed, found):
    tool = tmp_path / "apt-get"
    tool.write_text(f"#!/bin/sh\n[ \"$1\" = indextargets ] && cat <<'E'\n{printed}E\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert addresses.debian_mirrors() == found


def test_offline_looks_nothing_up(mirror):
    with pytest.raises(FetchError, match="the build is offline"):
        fetch.fetch(pin(ZLIB, "debian:trixie/zlib"), settings=Settings(offline=True))
    assert mirror.seen == []


# --- a Python package index ---


def sdist(name: str, version: str) -> bytes:
    buffer = io.BytesIO()
    metadata = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'.encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in {"PKG-INFO": metadata, "pyproject.toml": project}.items():
            info = tarfile.TarInfo(f"{name}-{version}/{member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def index(web, monkeypatch, tmp_path):
    data = sdist("thing", "1.0")
    link = f'<a href="/files/thing-1.0.tar.gz#sha256={sha(data)}">thing-1.0.tar.gz</a>'
    web.files["/simple/thing/"] = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
    web.headers["/simple/thing/"] = {"Content-Type": "text/html"}
    web.files["/files/thing-1.0.tar.gz"] = data
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{web.url}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.chdir(tmp_path)
    return data


def test_sdist_of_the_index_is_found_by_hash(web, index):
    wanted = pin(index, "pypi:thing==1.0", "thing-1.0.tar.gz")
    assert fetch.fetch(wanted, settings=SETTINGS).read_bytes() == index


def test_release_without_that_hash(index):
    with pytest.raises(FetchError, match="none of the 1 files of thing"):
        addresses.resolve("pypi:thing==1.0", pin(b"x", ""), settings=SETTINGS)


def test_release_that_does_not_exist(index):
    with pytest.raises(FetchError, match="uv cannot find thing=="):
        addresses.resolve("pypi:thing==2.0", pin(b"x", ""), settings=SETTINGS)


@pytest.mark.parametrize(
    "address", ["debian:trixie", "debian:", "pypi:thing", "pypi:thing>=1", "pypi:-r==1", "pypi:a==1;x"]
)
def test_malformed_addresses(address):
    with pytest.raises(InputError, match="is not understood"):
        addresses.resolve(address, pin(b"x", ""), settings=SETTINGS)
