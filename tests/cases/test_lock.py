"""``pypack lock`` and the build that follows, with an index that demands a password: it shall be found nowhere."""

from __future__ import annotations

import base64
import shutil
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from pypack.base import folders
from tests.support.index import Index

from .conftest import GNU, Checkout

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ("--runtime", "host")


@pytest.fixture
def index():
    served = Index()
    yield served
    served.close()


def leaks(secret: str, places, since: float) -> list[Path]:
    """Return files below some folders, written since then, in which a secret stands, plain or as HTTP sends it."""
    needles = (secret.encode(), base64.b64encode(f"bob:{secret}".encode()).rstrip(b"="))
    found = []
    for place in places:
        for path in place.rglob("*"):
            try:
                new = path.is_file() and not path.is_symlink() and path.stat().st_ctime >= since
                if new and any(needle in path.read_bytes() for needle in needles):
                    found.append(path)
            except OSError:  # of another build that is under way
                continue
    return found


def test_a_private_index_a_lock_and_a_build_that_asks_nobody(checkout, index, start, tmp_path):
    since, secret = time.time() - 1, uuid.uuid4().hex
    index.login = f"bob:{secret}"
    index.add("secretive", "1.0", files={"secretive_once.py": f"MARK = {uuid.uuid4().hex!r}\n"})  # in no cache yet
    app = checkout.path / "app"
    app.mkdir()
    (app / "main.py").write_text("import secretive\nprint(secretive.VERSION)\n")
    project = '[project]\nname = "locked"\nversion = "1"\ndependencies = [{}]\n'
    (app / "pyproject.toml").write_text(project.format('"secretive"'))
    env = {**checkout.env, "UV_DEFAULT_INDEX": f"http://bob:{secret}@{index.host}/simple",
           "UV_CACHE_DIR": str(tmp_path / "uv")}  # fmt: skip
    at = Checkout(path=checkout.path, env=env)

    told = at.pypack("lock", "app", *OPTIONS, "-v").text
    assert "packages: 1, made from pyproject.toml" in told
    told += at.pypack("build", "app", *OPTIONS, "--profile", "dev", "-v").text
    assert start(checkout.bundle("locked")).out == "1.0\n"
    assert "files/secretive-1.0-py3-none-any.whl" in index.seen
    assert secret not in told
    places = [checkout.path, tmp_path / "bundle-cache", folders.downloads(), folders.build_cache()]
    assert leaks(secret, places, since) == []
    (checkout.path / "control").write_text(f"bob:{secret}")
    assert leaks(secret, places, since) == [checkout.path / "control"]
    text = (app / "pylock.toml").read_text()
    assert f"http://{index.host}/files/secretive" in text

    # a newer release is no matter; no index is there to be asked
    index.add("secretive", "2.0")
    index.seen.clear()
    shutil.rmtree(checkout.path / ".pypack")
    alone = Checkout(path=checkout.path, env={**checkout.env, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"})
    alone.pypack("build", "app", *OPTIONS, "--profile", "dev")
    assert start(checkout.bundle("locked")).out == "1.0\n"
    assert index.seen == []
    assert f"serves {GNU}" in alone.pypack("lock", "app", "--check").out

    # the program asks for something else by now
    (app / "pyproject.toml").write_text(project.format('"secretive", "click"'))
    for words in (("build", "app", *OPTIONS), ("lock", "app", "--check")):
        done = alone.pypack(*words, ok=False)
        assert done.code == 2, done.text
        assert "pylock.toml is older than pyproject.toml:\n  click is asked for, and was not\n" in done.err
        assert "-> run pypack lock" in done.err
    done = alone.pypack("build", "app", *OPTIONS, "--upgrade", ok=False)
    assert (done.code, "pypack lock --upgrade" in done.err) == (2, True), done.text
