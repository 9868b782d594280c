"""Unit tests reach no network but this machine, run no compiler, and keep their downloads to themselves."""

from __future__ import annotations

import os
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from threading import Thread

import pytest
from hypothesis import settings
from tests.support.index import Index

_LOCAL = {"127.0.0.1", "localhost", "::1", None, ""}
_COMPILERS = {"zig", "cc", "gcc", "g++", "c++", "clang", "clang++", "make", "cmake", "tcc", "ld", "as"}
_COMPILERS_OF_PYTHON = {"ziglang"}


# Property tests: few examples, since there are many tests; the same ones in CI; none is remembered from run to run.
settings.register_profile("unit", max_examples=30, deadline=None, database=None, derandomize="CI" in os.environ)
settings.load_profile("unit")


class ForbiddenError(AssertionError):
    """A unit test tried what only the tests in tests/cases may do."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine only; other names behave as on a machine without a network."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise ForbiddenError(f"a unit test connects to {address}")
        return connect(self, address)

    def guarded_resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in _LOCAL:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def no_settings_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the settings of pip that this machine has."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to start a compiler or a build."""
    start = subprocess.Popen.__init__

    def guarded(self, args, *rest, **kwargs):
        words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
        names = [PurePath(os.fsdecode(word)).name for word in words]
        if names[0] in _COMPILERS or _COMPILERS_OF_PYTHON & set(names):
            raise ForbiddenError(f"a unit test starts {' '.join(names)}")
        start(self, args, *rest, **kwargs)

    monkeypatch.setattr(subprocess.Popen, "__init__", guarded)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give each test an empty cache folder, and no settings of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith(("PYPACK_", "UV_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let uv look at the interpreter once for all tests."""
    return tmp_path_factory.mktemp("uv")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, uv_cache: Path):
    """A package index on this machine, which uv is set up for."""
    served = Index()
    monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    yield served
    served.close()


class WebServer:
    """A local HTTP server. ``files`` maps paths to contents, ``faults`` paths to answers that come first.

    A fault is a status, or ``("cut", N)``: the connection ends after N bytes of the body. ``seen`` lists (method, path,
    value of the Range header). ``ranges=False`` makes it ignore Range.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | tuple[str, int]]] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.authorizations: list[str] = []
        self.ranges = True
        self.wrong_range = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(web: WebServer) -> type[BaseHTTPRequestHandler]:
    from urllib.parse import unquote, urlsplit

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path, asked = unquote(urlsplit(self.path).path), self.headers.get("Range", "")
            web.seen.append((self.command, path, asked))
            web.authorizations.append(self.headers.get("Authorization", ""))
            fault = web.faults[path].pop(0) if web.faults.get(path) else None
            if isinstance(fault, int):
                return self._send(fault, b"no", {"Retry-After": "0"}, body)
            if path not in web.files:
                return self._send(404, b"missing", {}, body)
            data, start = web.files[path], int(asked[6:].split("-")[0]) if asked and web.ranges else 0
            if start and start >= len(data):
                return self._send(416, b"", {}, body)
            headers = dict(web.headers.get(path, {}))
            if asked and web.ranges:
                first = start + 1 if web.wrong_range else start
                headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            cut = fault[1] if fault else None
            return self._send(206 if asked and web.ranges else 200, data[start:], headers, body, cut)

        def _send(self, status, data, headers, body, cut=None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data if cut is None else data[:cut])
            self.wfile.flush()
            self.close_connection = cut is not None or not headers.get("Content-Length", "0")

        def log_message(self, *args) -> None:
            pass

    return Handler


@pytest.fixture
def web():
    """A local HTTP server, closed after the test."""
    server = WebServer()
    yield server
    server.close()
