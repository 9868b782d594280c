"""A package index on this machine (the simple API), whose wheels are made on the spot, with the faults that one has."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import ssl


def wheel_bytes(name, version, *, tag="py3-none-any", requires=(), python="", files=None) -> bytes:
    """Return a wheel with one module that says its version, and ``files`` besides."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata += f"Requires-Python: {python}\n" if python else ""
    members = {
        f"{name}.py": f"VERSION = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(tag.endswith('any')).lower()}\nTag: {tag}\n",
    }
    rows = [f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in members.items()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for path, text in {**members, f"{info}/RECORD": f"{''.join(rows)}{info}/RECORD,,\n"}.items():
            packed.writestr(zipfile.ZipInfo(path), text)
    return out.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Index:
    """``add`` puts wheels in; ``login`` (``"name:password"``) is what it demands; ``seen`` lists what was asked for."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.links: dict[str, dict[str, str]] = {}
        self.login = ""
        self.seen: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}/simple"

    def add(self, name, version, *tags, requires=(), python="", yanked="", files=None):
        """Put one release in, with a wheel for each of ``tags`` (``"cp313-cp313-win_amd64"``; none: a pure one)."""
        for tag in tags or ("py3-none-any",):
            file = f"{name}-{version}-{tag}.whl"
            self.files[file] = wheel_bytes(name, version, tag=tag, requires=requires, python=python, files=files)
            words = f' data-requires-python="{python.replace(">", "&gt;").replace("<", "&lt;")}"' if python else ""
            words += f' data-yanked="{yanked}"' if yanked else ""
            self.links.setdefault(name, {})[file] = words

    def add_source(self, name, version, requires=()):
        """Put the sdist of a release in, whose metadata says what it needs without a build."""
        file = f"{name}-{version}.tar.gz"
        facts = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n"
        facts += "".join(f"Requires-Dist: {line}\n" for line in requires)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as packed:
            for path, text in (("PKG-INFO", facts), ("pyproject.toml", f'[project]\nname = "{name}"\n')):
                info = tarfile.TarInfo(f"{name}-{version}/{path}")
                info.size = len(text)
                packed.addfile(info, io.BytesIO(text.encode()))
        self.files[file] = out.getvalue()
        self.links.setdefault(name, {})[file] = ""

    def page(self, name: str) -> bytes:
        rows = self.links.get(name, {}).items()
        return "".join(
            f'<a href="/files/{file}#sha256={self.sha256(file)}"{words}>{file}</a>\n' for file, words in rows
        ).encode()

    def sha256(self, file: str) -> str:
        return hashlib.sha256(self.files[file]).hexdigest()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            index.seen.append(path)
            wanted = f"Basic {base64.b64encode(index.login.encode()).decode()}"
            if index.login and self.headers.get("Authorization", "") != wanted:
                return self._send(401, b"", {"WWW-Authenticate": 'Basic realm="packages"'})
            folder, _, name = path.partition("/")
            body = index.page(name) if folder == "simple" else index.files.get(name, b"")
            return self._send(200 if body else 404, body, {"Content-Type": "text/html"})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *args) -> None:
            pass

    return Handler
