"""Names and passwords for the files of an index: found where uv finds them, sent to that index alone."""

from __future__ import annotations

import ssl
import subprocess
import tomllib

import pytest
import trustme
import uv
from tests.support.index import Index

from pypack.base import targets
from pypack.deps import indexes, lock, uv_command
from pypack.deps.inputs import Dependencies
from pypack.deps.uv_command import UvOptions
from pypack.download import fetch
from pypack.download.pins import Pin
from pypack.errors import FetchError
from pypack.steps.step import Settings

FILE = "aaa-1.0-py3-none-any.whl"
BOB = ("bob", "s3cr@t")


@pytest.fixture
def served(index, monkeypatch, tmp_path):
    """The index, which demands a login, on a machine where nothing is known about it."""
    index.add("aaa", "1.0")
    index.login = ":".join(BOB)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("UV_CREDENTIALS_DIR", str(tmp_path / "credentials"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return index


def get(index, folder, **more) -> bytes:
    """Fetch the wheel as a build does."""
    requirements = folder / "requirements.txt"
    if not requirements.exists():
        requirements.write_text("aaa\n")
    login = indexes.logins(Dependencies(kind="requirements", file=requirements))
    address = f"http://{index.host}/files/{FILE}"
    pin = Pin(file=FILE, urls=(address,), sha256=index.sha256(FILE), login=login)
    return fetch.fetch(pin, settings=Settings(say=lambda _: None)).read_bytes()


def in_the_address(index, monkeypatch, folder):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://bob:s3cr%40t@{index.host}/simple")


def among_several(index, monkeypatch, folder):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{index.host}/other")
    monkeypatch.setenv("UV_INDEX", f"http://x.test/simple corp=http://bob:s3cr%40t@{index.host}/simple")


def by_the_name_of_the_index(index, monkeypatch, folder):
    monkeypatch.setenv("UV_INDEX", f"my-corp=http://{index.host}/simple")
    monkeypatch.setenv("UV_INDEX_MY_CORP_USERNAME", "bob")
    monkeypatch.setenv("UV_INDEX_MY_CORP_PASSWORD", "s3cr@t")


def by_its_name_in_pyproject(index, monkeypatch, folder):
    text = f'[[tool.uv.index]]\nname = "corp"\nurl = "http://{index.host}/simple"\n'
    (folder / "pyproject.toml").write_text(text)
    monkeypatch.setenv("UV_INDEX_CORP_USERNAME", "bob")
    monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", "s3cr@t")


def in_uv_toml(index, monkeypatch, folder):
    (folder / "uv.toml").write_text(f'extra-index-url = ["http://bob:s3cr%40t@{index.host}/simple"]\n')


def in_the_requirements(index, monkeypatch, folder):
    monkeypatch.setenv("TOKEN", "s3cr%40t")
    (folder / "requirements.txt").write_text(f"--index-url http://bob:${{TOKEN}}@{index.host}/simple\naaa\n")


def at_the_requirement(index, monkeypatch, folder):
    (folder / "requirements.txt").write_text(f"aaa @ http://bob:s3cr%40t@{index.host}/files/{FILE}\n")


def in_netrc(index, monkeypatch, folder):
    (folder / "netrc").write_text("machine 127.0.0.1 login bob password s3cr@t\n")


def in_uv_s_store(index, monkeypatch, folder):
    command = [uv.find_uv_bin(), "auth", "login", f"http://{index.host}/", "--username", "bob", "--password", "s3cr@t"]
    subprocess.run(command, check=True, capture_output=True)


def in_a_keyring(index, monkeypatch, folder):
    command = folder / "bin" / "keyring"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\ntest "$*" = "get http://{index.host}/simple bob" && echo s3cr@t\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/bin:/usr/bin")
    monkeypatch.setenv("UV_KEYRING_PROVIDER", "subprocess")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://bob@{index.host}/simple")


def in_a_keyring_with_the_name(index, monkeypatch, folder):
    in_a_keyring(index, monkeypatch, folder)
    script = f'#!/bin/sh\ntest "$*" = "--mode creds get {index.host}" && printf "bob\\ns3cr@t\\n"\n'
    (folder / "bin/keyring").write_text(script)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{index.host}/simple")


@pytest.mark.parametrize(
    "known",
    [
        in_the_address, among_several, by_the_name_of_the_index, by_its_name_in_pyproject, in_uv_toml,
        in_the_requirements, at_the_requirement, in_netrc, in_uv_s_store, in_a_keyring, in_a_keyring_with_the_name,
    ],
)  # fmt: skip
def test_a_login_is_found_where_uv_finds_it(served, monkeypatch, tmp_path, known):
    known(served, monkeypatch, tmp_path)
    assert get(served, tmp_path) == served.files[FILE]


def test_without_a_login_the_answer_is_told(served, tmp_path):
    with pytest.raises(FetchError, match="the server answers 401"):
        get(served, tmp_path)


def test_an_authority_and_a_certificate_of_one_s_own(monkeypatch, tmp_path, uv_cache):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("bob@x.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "bob.pem")
    served = Index(context)
    served.add("aaa", "1.0")
    (tmp_path / "requirements.txt").write_text("aaa\n")
    dependencies = Dependencies(kind="requirements", file=tmp_path / "requirements.txt")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CLIENT_CERT", str(tmp_path / "bob.pem"))
    how = UvOptions(settings=Settings(say=lambda _: None))
    try:
        table = tomllib.loads(uv_command.resolve_lock(dependencies, "cannot be resolved", ("--universal",), how))
        (chosen,) = lock.choose_wheels(table, targets.load()["linux-gnu-x86_64"], "3.13", static=False)
        assert chosen.pin.urls[0].startswith("https://127.0.0.1")
        assert fetch.fetch(chosen.pin, settings=how.settings).read_bytes() == served.files[FILE]
    finally:
        served.close()


def test_a_login_goes_nowhere_else(served, monkeypatch, tmp_path):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://bob:s3cr%40t@files.test:8080/simple")
    login = indexes.logins(Dependencies(kind="requirements", file=tmp_path / "none.txt", manifest=None))
    (tmp_path / "none.txt").write_text("")
    assert login("http://files.test:8080/x.whl") == BOB
    others = (
        "http://files.test/x.whl",
        "https://files.test:8080/x.whl",
        "http://files.test.evil:8080/x.whl",
        "http://[",
    )
    assert [login(url) for url in others] == [None] * 4
    assert "s3cr" not in repr(indexes.Index(url="http://files.test", user="bob", password="s3cr@t"))


def test_of_two_indexes_on_a_host_the_nearer_one_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_INDEX", "http://a:1@x.test/one/simple http://b:2@x.test/two/simple")
    (tmp_path / "none.txt").write_text("")
    login = indexes.logins(Dependencies(kind="requirements", file=tmp_path / "none.txt"))
    assert login("http://x.test/two/files/x.whl") == ("b", "2")
    assert login("http://x.test/one/files/x.whl") == ("a", "1")
