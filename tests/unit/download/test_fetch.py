"""Fetching over HTTP and from this machine: what comes, what is refused, what is left behind."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from pypack.base import folders
from pypack.download import fetch, urls
from pypack.download import web as transport
from pypack.download.pins import Pin
from pypack.errors import FetchError, InputError
from pypack.steps.step import Context, Settings

DATA = bytes(range(256)) * 20_000  # 5 MB
NAME = "cpython-3.13.15+1-x.tar.gz"


def pin(*addresses: str, data: bytes = DATA, size: int = 0, file: str = NAME, hint: str = "") -> Pin:
    return Pin(file=file, urls=addresses, sha256=hashlib.sha256(data).hexdigest(), size=size, hint=hint)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def settings(said) -> Settings:
    return Settings(say=said.append)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "UNREACHABLE_WAITS", (0.01, 0.01))
    monkeypatch.setattr(transport, "READ_SECONDS", 2.0)
    monkeypatch.setattr(transport, "FLAKY_WAITS", (0.01, 0.01, 0.01, 0.01))


def left_over(wanted: Pin) -> list[str]:
    folder = fetch.cache_path(wanted).parent
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock")) if folder.exists() else []


def test_file_comes_once_and_stays_in_the_cache(web, settings, said):
    web.files[f"/{NAME}"] = DATA
    wanted = pin(f"{web.url}/{NAME.replace('+', '%2B')}", size=len(DATA))
    path = fetch.fetch(wanted, settings=settings)
    assert path == folders.downloads() / wanted.sha256 / NAME
    assert path.read_bytes() == DATA
    assert left_over(wanted) == [NAME]
    assert said == [f"  fetching {NAME} (5.1 MB) from 127.0.0.1:{web.port}"]
    assert fetch.fetch(wanted, settings=settings) == path
    assert fetch.cached(wanted) == path
    assert len(web.seen) == 1


def test_damage_in_the_cache_is_noticed_and_repaired(web, settings, said):
    web.files["/a"] = DATA
    path = fetch.fetch(pin(f"{web.url}/a"), settings=settings)
    path.write_bytes(DATA[:-1] + b"?")
    assert fetch.fetch(pin(f"{web.url}/a"), settings=settings).read_bytes() == DATA
    assert any("is damaged" in line for line in said)


def test_wrong_hash_is_deleted_and_both_values_are_named(web, settings):
    web.files["/a"] = b"something else"
    wanted = pin(f"{web.url}/a")
    with pytest.raises(FetchError) as caught:
        fetch.fetch(wanted, settings=settings)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert wanted.sha256 in str(caught.value)
    assert left_over(wanted) == []
    assert len(web.seen) == 1


def test_next_address_is_tried_after_a_wrong_hash(web, settings, said):
    web.files.update({"/bad": b"x", "/good": DATA})
    assert fetch.fetch(pin(f"{web.url}/bad", f"{web.url}/good"), settings=settings).read_bytes() == DATA
    assert any("wrong file" in line for line in said)


def test_size_limits_what_is_read(web, settings):
    web.files["/a"] = DATA + b"more"
    wanted = pin(f"{web.url}/a", size=len(DATA))
    with pytest.raises(FetchError, match=f"{len(DATA) + 4} bytes there, pinned are {len(DATA)}"):
        fetch.fetch(wanted, settings=settings)
    web.headers["/a"] = {"Content-Length": ""}
    with pytest.raises(FetchError, match="more than the"):
        fetch.fetch(wanted, settings=settings)
    assert left_over(wanted) == []


def test_right_hash_with_a_wrong_pinned_size_is_refused(settings, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    with pytest.raises(FetchError, match="pinned are 7"):
        fetch.fetch(pin(str(tmp_path / "a"), size=7), settings=settings)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_passing_faults_of_the_server_are_retried(web, settings, status):
    web.files["/a"], web.faults["/a"] = DATA, [status, status]
    assert fetch.fetch(pin(f"{web.url}/a"), settings=settings).read_bytes() == DATA
    assert len(web.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_other_4xx_are_not_retried(web, settings, status):
    web.files["/a"], web.faults["/a"] = DATA, [status]
    with pytest.raises(FetchError, match=f"the server answers {status}"):
        fetch.fetch(pin(f"{web.url}/a"), settings=settings)
    assert len(web.seen) == 1


def test_retries_end(web, settings):
    web.files["/a"], web.faults["/a"] = DATA, [503] * 50
    with pytest.raises(FetchError, match="the server answers 503"):
        fetch.fetch(pin(f"{web.url}/a"), settings=settings)
    assert len(web.seen) == 5


def test_broken_connection_is_resumed_by_range(web, settings):
    web.files["/a"], web.faults["/a"] = DATA, [("cut", 3_000_000), ("cut", 1_000_000)]
    assert fetch.fetch(pin(f"{web.url}/a", size=len(DATA)), settings=settings).read_bytes() == DATA
    assert [asked for _, _, asked in web.seen] == ["", "bytes=3000000-", "bytes=4000000-"]


def test_partial_file_of_an_earlier_run_is_continued(web, settings):
    web.files["/a"] = DATA
    wanted = pin(f"{web.url}/a")
    part = fetch.cache_path(wanted).with_name(f"{NAME}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:1000])
    assert fetch.fetch(wanted, settings=settings).read_bytes() == DATA
    assert [asked for _, _, asked in web.seen] == ["bytes=1000-"]


@pytest.mark.parametrize("broken", ["ranges", "wrong_range"])
def test_server_that_cannot_resume_is_asked_for_the_whole(web, settings, broken):
    web.files["/a"], web.faults["/a"] = DATA, [("cut", 3_000_000)]
    setattr(web, broken, broken == "wrong_range")
    assert fetch.fetch(pin(f"{web.url}/a"), settings=settings).read_bytes() == DATA


@pytest.mark.parametrize("rubbish", [b"not what the server has", DATA, DATA + b"too much"])
def test_partial_file_of_something_else_does_no_harm(web, settings, rubbish):
    web.files["/a"] = DATA
    wanted = pin(f"{web.url}/a")
    part = fetch.cache_path(wanted).with_name(f"{NAME}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(rubbish)
    assert fetch.fetch(wanted, settings=settings).read_bytes() == DATA
    assert left_over(wanted) == [NAME]


def test_mirror_comes_first_by_name_then_by_hash(web, settings, monkeypatch):
    wanted = pin(f"{web.url}/own")
    web.files[f"/m/sha256/{wanted.sha256}"] = DATA
    monkeypatch.setenv("PYPACK_MIRROR", f"{web.url}/m/")
    assert fetch.fetch(wanted, settings=settings).read_bytes() == DATA
    assert [path for _, path, _ in web.seen] == [f"/m/{NAME}", f"/m/sha256/{wanted.sha256}"]


@pytest.mark.parametrize("form", ["plain", "uri"])
def test_mirror_may_be_a_folder(settings, monkeypatch, tmp_path, form):
    folder = tmp_path / "mit Leerzeichen und ü"
    folder.mkdir()
    (folder / NAME).write_bytes(DATA)
    monkeypatch.setenv("PYPACK_MIRROR", str(folder) if form == "plain" else folder.as_uri())
    assert fetch.fetch(pin("https://nowhere.invalid/a"), settings=settings).read_bytes() == DATA


@pytest.mark.parametrize("form", ["plain", "uri"])
def test_local_addresses_work_offline(tmp_path, form):
    file = tmp_path / "a b.bin"
    file.write_bytes(DATA)
    address = str(file) if form == "plain" else file.as_uri()
    assert fetch.fetch(pin(address), settings=Settings(offline=True)).read_bytes() == DATA
    assert file.exists()


def test_offline_names_what_is_missing_and_asks_nobody(web):
    wanted = pin(f"{web.url}/a", hint="choose another runtime: --runtime host")
    with pytest.raises(FetchError) as caught:
        fetch.fetch(wanted, settings=Settings(offline=True))
    assert NAME in str(caught.value)
    assert "--offline" in caught.value.hint
    assert "--runtime host" in caught.value.hint
    assert web.seen == []


def test_unreachable_hosts_take_no_time_and_are_all_listed(settings, monkeypatch):
    monkeypatch.setenv("PYPACK_MIRROR", "https://mirror.invalid/base")
    began = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch.fetch(pin("https://code.invalid/a", "http://127.0.0.1:9/a"), settings=settings)
    assert time.monotonic() - began < 3
    told = str(caught.value)
    assert told.count("name cannot be resolved") == 2
    assert "could not be reached a moment ago" in told
    assert "http://127.0.0.1:9/a: no connection: Connection refused" in told
    assert "PYPACK_MIRROR" in told
    assert str(fetch.cache_path(pin())) in told


def test_credentials_are_used_and_never_shown(web, settings, said):
    web.files["/a"] = DATA
    address = f"http://ada:s3cret@127.0.0.1:{web.port}/a?token=t0ken"
    fetch.fetch(pin(address), settings=settings)
    assert web.authorizations == ["Basic YWRhOnMzY3JldA=="]
    others = [f"http://ada:s3cret@{host}/b?token=t0ken" for host in (f"127.0.0.1:{web.port}", "code.invalid")]
    wanted = pin(*others, data=b"another file")
    with pytest.raises(FetchError) as caught:
        fetch.fetch(wanted, settings=settings)
    for text in (*said, str(caught.value)):
        assert "s3cret" not in text
        assert "t0ken" not in text


def test_netrc_is_used(web, settings, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    web.files["/a"] = DATA
    fetch.fetch(pin(f"{web.url}/a"), settings=settings)
    assert web.authorizations == ["Basic YWRhOnMzY3JldA=="]


def test_proxy_is_used(web, settings, monkeypatch):
    web.files["/a"] = DATA
    monkeypatch.setenv("http_proxy", web.url)
    assert fetch.fetch(pin("http://code.invalid/a"), settings=settings).read_bytes() == DATA


def test_own_authorities_are_used(monkeypatch, tmp_path):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert transport._session().verify == str(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    assert transport._session().verify is True  # requests itself reads that one


def test_content_encoding_is_not_undone(web, settings):
    web.files["/a"] = DATA
    web.headers["/a"] = {"Content-Encoding": "gzip"}
    assert fetch.fetch(pin(f"{web.url}/a"), settings=settings).read_bytes() == DATA


def test_full_disk_is_one_clear_error_and_leaves_nothing(web, settings, monkeypatch):
    web.files["/a"] = DATA
    wanted = pin(f"{web.url}/a", size=len(DATA))
    start = Path.open

    def full(self, mode="r", *args, **kwargs):
        stream = start(self, mode, *args, **kwargs)
        if "w" not in mode or not self.name.endswith(".part"):
            return stream

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                stream.close()

            def write(self, data):
                stream.write(data[:10])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(FetchError, match="the disk is full") as caught:
            fetch.fetch(wanted, settings=settings)
    assert "PYPACK_CACHE_DIR" in caught.value.hint
    assert "5.1 MB in all" in caught.value.what
    assert left_over(wanted) == []
    assert fetch.fetch(wanted, settings=settings).read_bytes() == DATA


def test_cache_folder_that_is_a_file(settings, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="cannot be kept in"):
        fetch.fetch(pin("https://code.invalid/a"), settings=settings)


def test_missing_local_file_and_a_folder(settings, tmp_path):
    with pytest.raises(FetchError) as caught:
        fetch.fetch(pin(str(tmp_path / "none"), str(tmp_path)), settings=settings)
    assert "No such file or directory" in str(caught.value)
    assert "Is a directory" in str(caught.value)


def test_parallel_builds_fetch_once(web, settings):
    web.files["/a"] = DATA
    wanted, found = pin(f"{web.url}/a"), []
    threads = [threading.Thread(target=lambda: found.append(fetch.fetch(wanted, settings=settings))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [fetch.cache_path(wanted)] * 6
    assert len(web.seen) == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\0b", "c:x"])
def test_file_names_that_lead_elsewhere_are_refused(settings, name):
    with pytest.raises(InputError, match="not usable as a file name"):
        fetch.fetch(pin("https://code.invalid/a", file=name), settings=settings)


def test_step_signature_is_the_hash_not_the_address(web, tmp_path, settings):
    web.files["/a"] = DATA
    one, two = fetch.step(pin(f"{web.url}/a")), fetch.step(pin("https://elsewhere.invalid/b"))
    assert (one.product, one.params, one.cached) == (two.product, two.params, False)
    assert one.product == f"fetch/{one.params['sha256'][:16]}/{NAME}"
    product = tmp_path / "product"
    one.run(Context(product=product, inputs=(), params=one.params, unhashed=one.unhashed, settings=settings))
    assert product.read_bytes() == DATA


def test_step_copies_where_links_are_not_possible(web, tmp_path, settings, monkeypatch):
    web.files["/a"] = DATA

    def no_link(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    step = fetch.step(pin(f"{web.url}/a"))
    step.run(Context(product=tmp_path / "p", inputs=(), params=step.params, unhashed=step.unhashed, settings=settings))
    assert (tmp_path / "p").read_bytes() == DATA
    assert (tmp_path / "p").stat().st_nlink == 1


@pytest.mark.parametrize("address", ["ftp://example.org/a", "http://u:s3cret@[broken/a", "https:///a", "git+ssh://a"])
def test_addresses_that_cannot_be_fetched_are_refused(address):
    with pytest.raises(InputError, match="cannot fetch from") as caught:
        urls.kind(address)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://a/b", "http"),
        ("HTTP://a/b", "http"),
        ("file:///a", "local"),
        ("/a/b", "local"),
        ("a.tar", "local"),
        (r"C:\a\b.zip", "local"),
        ("debian:trixie/zlib", "debian"),
        ("pypi:zstandard==0.25.0", "pypi"),
    ],
)
def test_kinds(address, kind):
    assert urls.kind(address) == kind


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://u:p@h:1/a?b=c#d", "https://h:1/a?…"),
        ("https://h/a", "https://h/a"),
        ("http://u:p@[broken/a", "http://…"),
        ("/plain/path", "/plain/path"),
    ],
)
def test_shown(address, shown):
    assert urls.shown(address) == shown


def test_nothing_but_the_cache_is_written(web, settings, tmp_path, monkeypatch):
    web.files["/a"] = DATA
    monkeypatch.chdir(tmp_path)
    fetch.fetch(pin(f"{web.url}/a"), settings=settings)
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree(folders.downloads())
