"""Download one file over HTTP, with retries, resumption and limits. The caller checks its hash."""

from __future__ import annotations

import email.utils
import os
import re
import time
from typing import TYPE_CHECKING

from pypack.download import urls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import requests
    import requests.auth

    from pypack.steps.display import Transferred as Report

    Login = Callable[[str], tuple[str, str] | None]

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
UNREACHABLE_WAITS: Sequence[float] = (0.3, 1.0)
"""Seconds before each further attempt at a host that cannot be found or refuses the connection."""
FLAKY_WAITS: Sequence[float] = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt after an answer of the 5xx kind, 429, or a connection that broke."""
_AT_ONCE: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
_LONGEST_WAIT = 30.0
_STEADY = 1 << 20
_CHUNK = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadError(Exception):
    """A failed download from one address. ``waits`` are the seconds before each further attempt; none: give up."""

    def __init__(
        self, reason: str, *, waits: Sequence[float] = (), unreachable: bool = False, after: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason, self.waits, self.unreachable, self.after = reason, waits, unreachable, after


def download(url: str, part: Path, *, size: int = 0, report: Report, login: tuple[str, str] | None = None) -> bool:
    """Fetch ``url`` into ``part``, continuing an earlier attempt; return whether it was resumed.

    ``size`` is that of the file in bytes, 0 where it is not known. ``login`` is a name and a password, which
    go to the host of ``url`` alone; without them ~/.netrc counts. Raises :class:`DownloadError` when the last attempt
    has failed; what has come by then stays in ``part``.
    """
    attempt, most, resumed = 0, _length(part), _length(part) > 0
    while True:
        try:
            _attempt(url, part, size, report, login)
            return resumed
        except DownloadError as fault:
            received = _length(part)
            if received - most >= _STEADY:
                attempt = 0  # progress: a long download over a poor line may break more often
            if attempt >= len(fault.waits):
                raise
            time.sleep(max(fault.waits[attempt], fault.after))
            attempt, most, resumed = attempt + 1, max(most, received), resumed or received > 0


def answers(url: str, *, seconds: float) -> bool | None:
    """Say whether ``url`` exists, None where its host does not answer: one short attempt, no retry."""
    import requests

    attempts: tuple[tuple[str, dict[str, str]], ...] = (("HEAD", {}), ("GET", {"Range": "bytes=0-0"}))
    try:
        with _session() as session:
            for method, headers in attempts:
                with session.request(
                    method, url, headers=headers, stream=True, allow_redirects=True, timeout=seconds
                ) as response:
                    if response.ok or response.status_code not in {403, 405, 501}:  # some stores refuse HEAD only
                        return response.ok
    except (requests.RequestException, OSError, ValueError):
        return None
    return False


def _attempt(url: str, part: Path, size: int, report: Report, login: tuple[str, str] | None) -> None:
    import requests
    import urllib3.exceptions

    start = _length(part)
    if size and start > size:
        part.unlink()
        start = 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with (
            _session() as session,
            session.get(
                url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), auth=_basic(login)
            ) as response,
        ):
            start = _body_offset(response, part, start)
            _receive(response, part, start, size, report)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as e:
        raise fault_of(e) from e


def _basic(login: tuple[str, str] | None) -> requests.auth.AuthBase | None:
    """Return basic authentication with a login in UTF-8; the HTTP library would encode text as Latin-1."""
    import requests.auth

    return requests.auth.HTTPBasicAuth(login[0].encode(), login[1].encode()) if login else None


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = "pypack"
    if "REQUESTS_CA_BUNDLE" not in os.environ and "CURL_CA_BUNDLE" not in os.environ:
        # OpenSSL's own names for the authorities that a machine trusts; requests looks at its own only
        session.verify = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True
    session.cert = os.environ.get("SSL_CLIENT_CERT") or None  # uv's name for a certificate and its key, in one file
    return session


def _body_offset(response: requests.Response, part: Path, start: int) -> int:
    """Return the offset at which the body begins; raises :class:`DownloadError` for other answers than 200 and 206."""
    status = response.status_code
    if status == 206 and start:
        content_range = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if content_range and int(content_range[1]) == start:
            return start
        part.unlink()
        raise DownloadError("the server sent another part of the file than the one asked for", waits=_AT_ONCE)
    if status == 416 and start:
        part.unlink()
        raise DownloadError("the server cannot continue the partial file", waits=_AT_ONCE)
    if status == 200:
        return 0
    reason = f"the server answers {status} {response.reason or ''}".rstrip()
    if status == 429 or status >= 500:
        raise DownloadError(reason, waits=FLAKY_WAITS, after=_retry_after(response))
    raise DownloadError(reason)


def _receive(response: requests.Response, part: Path, start: int, size: int, report: Report) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else 0
    if size and total and total != size:
        raise DownloadError(f"the file has {total} bytes there, pinned are {size}")
    done = start
    report(done, total)
    with part.open("ab" if start else "wb") as out:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            done += len(chunk)
            if size and done > size:
                out.truncate(0)
                raise DownloadError(f"the file has more than the {size} bytes that are pinned")
            out.write(chunk)
            report(done, total)
    if size and done < size:
        raise DownloadError(f"the file ended after {done} of {size} bytes", waits=FLAKY_WAITS)


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        when = email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
    return min(max(0.0, when - time.time()), _LONGEST_WAIT)


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def fault_of(error: Exception) -> DownloadError:
    """Say what an error of the HTTP library means, without the credentials that its text may hold."""
    import requests
    import urllib3.exceptions as low

    chain = _chain(error)
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(f"no trusted connection (own authorities: REQUESTS_CA_BUNDLE): {_innermost(chain)}")
    unreachable = _unreachable(error, chain)
    if unreachable:
        waits = () if isinstance(error, requests.exceptions.ConnectTimeout) else UNREACHABLE_WAITS
        return DownloadError(unreachable, waits=waits, unreachable=True)
    if isinstance(error, requests.exceptions.ReadTimeout | low.ReadTimeoutError):
        return DownloadError(f"no data for {READ_SECONDS:.0f} s", waits=FLAKY_WAITS)
    if isinstance(error, requests.exceptions.ConnectionError | low.ProtocolError):
        return DownloadError(f"the connection broke: {_innermost(chain)}", waits=FLAKY_WAITS)
    return DownloadError(urls.cleaned(str(error)) or type(error).__name__)


def _unreachable(error: Exception, chain: list[BaseException]) -> str:
    """Say why the host could not even be asked; ``""`` where it was something else."""
    import requests
    import urllib3.exceptions as low

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:.0f} s"
    if any(isinstance(e, low.NameResolutionError) for e in chain):
        return "the host's name cannot be resolved"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy failed: {_innermost(chain)}"
    if any(isinstance(e, low.NewConnectionError) for e in chain):
        return f"no connection: {_innermost(chain)}"
    return ""


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what led to it, outermost first."""
    errors: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in errors:
        errors.append(following)
        inner = getattr(following, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in following.args if isinstance(arg, BaseException)), None)
        following = inner or following.__cause__ or following.__context__
    return errors


def _innermost(chain: list[BaseException]) -> str:
    last = chain[-1]
    if isinstance(last, OSError) and last.strerror:
        return last.strerror
    return urls.cleaned(str(last)) or type(last).__name__
