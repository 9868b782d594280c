"""Builds bundles in sessions of a noxfile::

import nox
import pypack.nox

@nox.session(python=False)
def bundle(session: nox.Session) -> None:
    for path in pypack.nox.bundle(session, "linux-musl-x86_64"):
        session.run(str(path), "--version", external=True)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    import nox


def bundle(
    session: nox.Session, *targets: str, app: str | os.PathLike[str] = ".", options: tuple[str, ...] = ()
) -> list[Path]:
    """Build the program in ``app`` for ``targets``, for this machine if there are none; return the bundles.

    ``options`` are further options of ``pypack build``. It runs with the Python that runs nox, which has pypack. A
    failed build fails the session.
    """
    command = (sys.executable, "-m", "pypack", "build", str(app), "--target", ",".join(targets) or "host", *options)
    session.run(*command, external=True)
    events = session.run(*command, "--json", external=True, silent=True)  # nothing is left to build: it says where
    if not isinstance(events, str):  # nox --install-only
        return []
    return _read_results(events)


def _read_results(text: str) -> list[Path]:
    """Return the paths of the bundles in the output of ``pypack build --json``."""
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [Path(event["path"]) for event in events if event["event"] in {"result", "up-to-date"}]
