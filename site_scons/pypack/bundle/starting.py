"""Choose the file that CPython runs first: one of the program's own where CPython can run that by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pypack.formats.scripts import console_script

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOTSTRAP = "boot/encodings"
"""The bootstrap in the app layer, without its suffix."""
OWN_SITE = "app/site-packages"
"""Where a program that is a distribution has its own wheel's files: some look for that name in their path."""
_LONG = 32 << 10
"""Size of a script in bytes from which its bytecode is run, by a function of the bootstrap (one more frame)."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a program is started.

    ``main`` is the file below the app layer that CPython is told to run, ``by_cpython`` whether it is the program's
    own. ``files`` are added to the layer, by path; ``scripts`` are the names of those in ``bin/``.
    """

    main: str
    by_cpython: bool
    files: dict[str, bytes] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()


def plan(params: Mapping[str, Any], app_sizes: Mapping[str, int]) -> Start:
    """Return how the program begins; ``params`` are those of the bundle's step, ``app_sizes`` the files of its app."""
    run = compiled("run", app_sizes)
    entry = params["entry"]
    if entry["kind"] == "script":
        path = f"app/{entry['name']}"
        short = app_sizes.get(path, _LONG) < _LONG or not params["compiler"]
        return Start(main=path, by_cpython=True) if short else Start(main=run, by_cpython=False)
    if entry["kind"] == "module":
        return Start(main=run, by_cpython=False)
    alone = {params["name"]: f"{entry['name']}:{entry['function']}"}
    commands = dict(entry["scripts"]) if entry["kind"] == "scripts" else alone
    files = {f"bin/{name}": console_script(point) for name, point in commands.items()}
    by_cpython = entry["kind"] == "function" and params["startup"] != "fast"
    main = f"bin/{params['name']}" if by_cpython else run
    names = (*commands, *(name for name, _ in entry["script_files"]))
    return Start(main=main, by_cpython=by_cpython, files=files, scripts=names)


def compiled(name: str, app_sizes: Mapping[str, int]) -> str:
    """Return the path of a file of ours in the app layer: its bytecode, or its source where nothing could compile."""
    return next(path for path in (f"{name}.pyc", f"{name}.py") if path in app_sizes)
