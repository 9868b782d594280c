"""``pypack doctor``: says what this machine can build and start, and what to do where something is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_SECONDS = 8.0
_ROOM = 2_000_000_000
"""Bytes that the first build of a larger program may take."""
_EXAMPLES = """\
examples:
  pypack doctor            look at everything
  pypack doctor --json     the same for tools

The exit code is 1 if something is missing without which no build works. What is missing for some
targets only is a warning.
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was looked at and what was found; ``hint`` says what to do. An ``error`` is in the way of every build."""

    name: str
    state: Literal["ok", "warning", "error"]
    text: str
    hint: str = ""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "doctor", help="check what builds need on this machine", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON for tools")
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Look at everything side by side and print it in order."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        checks = [check for found in pool.map(lambda look: look(), _checks()) for check in found]
    if typed.json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(f"{check.state:<8} {check.name:<{width}}  {check.text}")
            if check.hint:
                print(f"{'':<8} {'':<{width}}  -> {check.hint}")
    return int(any(check.state == "error" for check in checks))


def _checks() -> list[Callable[[], list[Check]]]:
    return [_python, _zig, _uv, _folders, *_addresses(), _emulators, _signing_tools]


def _python() -> list[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [Check(name="python", state="ok", text=f"{sys.implementation.name} {version}, {sys.executable}")]


def _zig() -> list[Check]:
    from pypack.errors import PypackError
    from pypack.steps import zig

    try:
        return [_of_command("zig", [str(zig.binary()), "version"])]
    except PypackError as error:
        return [Check(name="zig", state="error", text=error.what, hint=error.hint)]


def _uv() -> list[Check]:
    import uv

    try:
        return [_of_command("uv", [os.fspath(uv.find_uv_bin()), "--version"])]
    except FileNotFoundError as error:
        return [Check(name="uv", state="error", text=str(error), hint="install uv into pypack's environment")]


def _of_command(name: str, command: list[str]) -> Check:
    """Start a program that says its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name=name, state="error", text=f"{command[0]} does not run: {error}", hint=f"reinstall {name}")
    return Check(name=name, state="ok", text=f"{done.stdout.strip().removeprefix(f'{name} ')}, {command[0]}")


def _folders() -> list[Check]:
    """Look at the cache and at the current folder, where builds write."""
    from pypack.base import folders

    return [_folder("cache", folders.cache_root()), _folder("this folder", Path.cwd())]


def _folder(name: str, path: Path) -> Check:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    text = f"{path}, {free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK | os.X_OK):
        hint = "set PYPACK_CACHE_DIR to a folder of your own" if name == "cache" else "build in a folder of your own"
        return Check(name=name, state="error", text=f"{text}, cannot be written to", hint=hint)
    if free < _ROOM:
        return Check(name=name, state="warning", text=text, hint="free some space: pypack cache --prune 30")
    return Check(name=name, state="ok", text=text)


def _addresses() -> list[Callable[[], list[Check]]]:
    """Return a check for each server that builds ask."""
    from pypack.base import targets
    from pypack.download import pins, urls

    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or "https://pypi.org/simple/"
    pbs = pins.ours("pbs", targets.load()).pins[0].pin
    mirror = os.environ.get(urls.MIRROR, "")
    rows = [
        ("package index", index, "set UV_DEFAULT_INDEX to an index that this machine reaches"),
        (
            "python-build-standalone",
            pbs.urls[0],
            f"set {urls.MIRROR} to a mirror, or build with --runtime host or source",
        ),
    ]
    if mirror and urls.kind(mirror) == "http":
        rows.append(("mirror", mirror, f"correct {urls.MIRROR}"))
    return [lambda row=row: [_address(*row)] for row in rows]  # type: ignore[misc]


def _address(name: str, url: str, hint: str) -> Check:
    from pypack.download import urls, web

    began = time.monotonic()
    answer = web.answers(url, seconds=_SECONDS)
    took = time.monotonic() - began
    if answer is None:
        return Check(name=name, state="warning", text=f"{urls.host(url)} does not answer ({took:.1f} s)", hint=hint)
    state: Literal["ok", "warning"] = "ok" if answer or name == "mirror" else "warning"
    text = f"{urls.host(url)} answers in {took:.2f} s"
    return Check(
        name=name, state=state, text=text if state == "ok" else f"{text}: not found", hint="" if answer else hint
    )


def _emulators() -> list[Check]:
    """Say for which targets ``pypack run`` works."""
    from pypack.base import targets
    from pypack.cli import runner

    checks = []
    for target in targets.load().values():
        if target.of:
            continue
        way = runner.find(target, prepare=False)
        if isinstance(way, runner.Missing):
            if way.hint != f"start it on {target.name}":  # nothing can be installed for that
                checks.append(Check(name=f"run {target.name}", state="warning", text=way.why, hint=way.hint))
        else:
            checks.append(Check(name=f"run {target.name}", state="ok", text=f"by {way.name}"))
    return checks


def _signing_tools() -> list[Check]:
    """Say which tools can sign bundles with an identity; signing ad hoc takes none."""
    checks = []
    for tool, purpose in (("codesign", "macOS"), ("rcodesign", "macOS"), ("osslsigncode", "Windows")):
        path = shutil.which(tool)
        if path:
            checks.append(Check(name=f"sign {purpose}", state="ok", text=path))
    return checks or [
        Check(name="sign", state="ok", text="no tool to sign with an identity; bundles for macOS are signed ad hoc")
    ]
