"""A small server on this machine, from which the applications fetch: a page, a file, an echo of what they send."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = b"<!doctype html><title>A page</title><h1>A page</h1><video src='/clip.mp4'></video>"
_CLIP = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200_000)
_FILES = {"/page.html": ("text/html; charset=utf-8", _PAGE), "/clip.mp4": ("video/mp4", _CLIP)}


@contextmanager
def running() -> Iterator[str]:
    """Run the server for the time of a ``with`` block; the value is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "origin", ""

    def do_GET(self):
        kind, body = _FILES.get(self.path, ("text/plain", b"there is no such page"))
        self._answer(200 if self.path in _FILES else 404, kind, body)

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        echo = {"path": self.path, "headers": headers, "body": body}
        self._answer(200, "application/json", json.dumps(echo, sort_keys=True).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass
