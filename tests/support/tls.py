"""HTTPS servers on this machine, whose certificates an authority signs that nobody else knows."""

from __future__ import annotations

import http.server
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b"hello over TLS"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """``address`` bears a right certificate, ``wrong`` one for another name; ``authority`` is a PEM file."""

    address: str
    wrong: str
    authority: Path


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run two servers for the time of a ``with`` block; the authority's file is made in ``folder``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with (
        _serving(authority.issue_cert("localhost", "127.0.0.1")) as right,
        _serving(authority.issue_cert("elsewhere.example")) as wrong,
    ):
        yield Servers(address=right, wrong=wrong, authority=folder / "ca.pem")


@contextmanager
def _serving(certificate: trustme.LeafCert) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.handle_error = lambda *_: None  # who refuses a certificate breaks off
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
