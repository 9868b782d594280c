"""Let one side do the work of an application, and compare what came of it with the other side."""

from __future__ import annotations

import difflib
import hashlib
import shlex
import shutil
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.applications import processes
from tests.applications.normal import comparable
from tests.applications.table import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.applications.sides import Side
    from tests.applications.table import Application

COMMAND_SECONDS = 180
SERVER_SECONDS = 60
"""How long a server may take until its first page comes."""
_LIST = (
    "from importlib.metadata import distributions as d;"
    "print(*sorted({f'{x.name.lower()} {x.version}'.replace('_', '-') for x in d()}), sep='\\n')"
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """``text`` is what came of one step (a command, a page, a file, the packages), made comparable.

    ``expected`` is False where the step did not end as applications.toml says: two equal failures show nothing.
    """

    step: str
    text: str
    expected: bool = True


def do(application: Application, side: Side, room: Path, origin: str) -> list[Result]:
    """Do all the work in ``room/work``, in which both sides work one after the other: paths are the same then."""
    folder = room / "work"
    shutil.rmtree(folder, ignore_errors=True)
    inputs = HERE / "inputs" / application.name
    shutil.copytree(inputs, folder) if inputs.is_dir() else folder.mkdir()
    (folder / "home").mkdir()
    port = _free_port()
    paths = (*side.paths, (str(folder), "{work}"), (origin, "{origin}"), (f":{port}", ":{port}"))

    def result(step: str, text: str, expected: bool = True) -> Result:
        shown = comparable(text, paths=paths, ignored=application.ignored)
        return Result(step=step, text=shown, expected=expected)

    def words(template: tuple[str, ...]) -> list[str]:
        filled = [word.replace("{port}", str(port)).replace("{origin}", origin) for word in template[1:]]
        return [*side.starts[template[0]], *filled]

    listed = processes.run([*side.python, "-c", _LIST], cwd=folder, env={**side.env, **side.python_env}, limit=60)
    results = [result("packages", listed.text, listed.code == 0)]
    for line in application.work:
        fails = line[0] == "!"
        ended = processes.run(words(line[fails:]), cwd=folder, env=side.env, limit=COMMAND_SECONDS)
        code = "its time was over" if ended.code is None else ended.code
        text = f"{ended.out}\n{ended.err}\nexit code: {code}"
        results.append(result(f"$ {shlex.join(line)}", text, ended.code is not None and (ended.code != 0) == fails))
    results += [result(name, text) for name, text in _files(folder)]
    if application.server:
        log = room / f"server-of-{side.name}.log"
        with processes.serving(words(application.server), cwd=folder, env=side.env, log=log) as process:
            if fault := _wait(port, process):
                results.append(result("server", f"{fault}\n{log.read_text(errors='replace')}", expected=False))
            else:
                results += [result(f"GET {page}", _page(port, page)) for page in application.pages]
    return results


def differences(of_venv: list[Result], of_bundle: list[Result]) -> str:
    """Return the steps that had another result in the bundle, as one text; "" where there is none."""
    left, right = ({each.step: each.text for each in results} for results in (of_venv, of_bundle))
    texts = []
    for step in dict.fromkeys([*left, *right]):
        before, after = left.get(step, "absent"), right.get(step, "absent")
        if before != after:
            diff = difflib.unified_diff(before.splitlines(), after.splitlines(), "venv", "bundle", lineterm="", n=1)
            texts.append("\n".join([step, *list(diff)[:60]]))
    return "\n".join(texts)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what was left in the folder: text as it is, of other files only the name (they hold times)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "home" not in path.relative_to(folder).parts[:1]:
            data = path.read_bytes()
            binary = b"\0" in data
            text = "binary" if binary else data.decode("utf-8", "backslashreplace")
            yield f"file {path.relative_to(folder)}", text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(port: int, process) -> str:
    """Wait until something listens; return why nothing does."""
    end = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            return f"the server ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return ""
    return f"nothing listens after {SERVER_SECONDS} s"


def _page(port: int, page: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{page}", timeout=60) as answer:
            return _shown(answer)
    except urllib.error.HTTPError as answer:
        return _shown(answer)
    except OSError as fault:
        return f"no answer: {fault}"


def _shown(answer) -> str:
    body = answer.read()
    text = hashlib.sha256(body).hexdigest() if b"\0" in body else body.decode("utf-8", "backslashreplace")
    return f"{answer.status} {answer.headers.get('Content-Type')}\n{text}"
