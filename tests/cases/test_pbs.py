"""The provider ``pbs`` end to end: a pin of the user's own, a local server, an archive of PBS's shape and name.

The archive holds this machine's own Python, made relocatable: a real runtime, since PBS's own cannot be had everywhere.
"""

from __future__ import annotations

import hashlib
import http.server
import tarfile
import threading
from functools import partial

import pytest

from tests.support.steps import made

from .conftest import GNU


@pytest.fixture
def archive(checkout, tmp_path):
    """A PBS-shaped archive of the runtime that ``host`` makes; gives its path and version."""
    (tmp_path / "runtime").mkdir()
    image = made(
        'HostProvider().runtime(Request(target=targets.find("host", targets.load()))).image', tmp_path / "runtime"
    )
    version = image.parent.name.removeprefix("host-")
    path = tmp_path / "served" / f"cpython-{version}+20260814-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    path.parent.mkdir()
    with tarfile.open(image) as source, tarfile.open(path, "w:gz", compresslevel=1) as out:
        for info in source:
            info.name = f"python/{info.name}"
            out.addfile(info, source.extractfile(info) if info.isfile() else None)
    return path, version


@pytest.fixture
def server(tmp_path):
    """A local HTTP server for the folder ``served``; gives its address and the list of paths that were asked for."""
    seen = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            seen.append(self.path)

    handler = partial(Handler, directory=str(tmp_path / "served"))
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}", seen
    found.shutdown()
    found.server_close()


def test_a_pin_of_one_s_own_is_fetched_from_a_server_and_runs(checkout, start, archive, server):
    path, version = archive
    address, seen = server
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    pin = (
        f'[[tool.pypack.pins]]\ntarget = "{GNU}"\nversion = "{version}"\n'
        f'url = "{address}/{path.name.replace("+", "%2B")}"\nsha256 = "{digest}"\nsize = {path.stat().st_size}\n'
    )
    settings = checkout.path / "examples/hello/pyproject.toml"
    settings.write_text(pin)
    done = checkout.scons("app=examples/hello", "profile=dev", f"python={version}", "runtime=auto")
    assert f"CPython {version} from pbs" in done.out
    assert seen
    said = start(checkout.bundle("hello"), "Ada")
    assert (said.code, said.err) == (0, "")
    assert f"Python {version}" in said.out
    facts = checkout.pypack("inspect", str(checkout.bundle("hello"))).out
    assert f"{version} from pbs" in facts

    settings.write_text(pin.replace(digest, "0" * 64))
    wrong = checkout.scons("app=examples/hello", "profile=dev", f"python={version}", "runtime=pbs", ok=False)
    assert wrong.code == 2
    assert digest in wrong.err
    assert "0" * 64 in wrong.err
    assert "Traceback" not in wrong.text
