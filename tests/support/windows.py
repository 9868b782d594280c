"""Bundles for Windows around the real CPython, and a Windows (wine) to start them on."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from pypack.base import targets
from pypack.cli import runner
from pypack.errors import FetchError, StepError
from pypack.formats import image
from pypack.launcher import stub
from pypack.project import app
from pypack.runtimes.base import Request
from pypack.runtimes.embed import EmbedProvider
from pypack.steps.step import Settings
from tests.support.bundles import File, Recipe, bundle, folder_of, listed, write
from tests.support.launchers import build_folder, run_step

if TYPE_CHECKING:
    from pathlib import Path

TARGET = targets.load()["windows-x86_64"]
LAUNCH = """\
name={name}
version=1
target=windows-x86_64
mode=onefile
startup=normal
environment=isolated
kind=script
entry=main.py
start=file
alone=folder
own_site=Lib/site-packages
ending=.pyc
library={runtime}/Lib
deps=
layers={runtime}
"""


@functools.cache
def launcher(subsystem: stub.Subsystem = "console") -> bytes:
    return run_step(stub.steps(TARGET, subsystem=subsystem), build_folder()).read_bytes()


@functools.cache
def runtime() -> tuple[File, ...]:
    """The members of the real runtime; the test is skipped where it cannot be had."""
    provider, request = EmbedProvider(), Request(target=TARGET, version="3.13")
    try:
        if not provider.reachable(request, Settings(say=lambda _: None)):
            pytest.skip("CPython for Windows cannot be fetched: bundles for it were NOT started")
        built = run_step(provider.runtime(request).image, build_folder())
    except FetchError as error:
        pytest.skip(f"CPython for Windows cannot be fetched, bundles for it were NOT started: {error}")
    members = [
        File(path=member.path, data=stream.read())
        for member, stream in image.read_image(built)
        if stream is not None and member.kind == "file"
    ]
    return tuple(listed(members, ".pypack-files"))


@functools.cache
def runtime_folder() -> str:
    """The name of that runtime's layer in the cache."""
    return folder_of(list(runtime()))


@functools.cache
def python_folder() -> Path:
    """The same runtime unpacked; its python.exe is what bundles are compared with, and what starts them from inside."""
    folder = build_folder() / "python for windows"
    for member in runtime():
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member.data)
    return folder


def app_layer(source: str, name: str, *more: File) -> list[File]:
    """The layer of a program of one file, and more."""
    members = [
        *(File(path=f"{stem}.py", data=text) for stem, text in app.own_sources().items()),
        File(path="launch", data=LAUNCH.format(name=name, runtime=runtime_folder()).encode()),
        File(path="app/main.py", data=source.encode()),
        *more,
    ]
    return listed(members, "files")


def recipe(source: str, name: str = "hello", **changes) -> Recipe:
    """A program of one file."""
    library = next(member for member in runtime() if member.path == "python313.dll")
    values = {
        "runtime": list(runtime()),
        "app": app_layer(source, name),
        "name": name,
        "python": "python.exe",
        "boot": f"{app.BOOTSTRAP}.py",
        "options": (),
        "site": "Lib/site-packages",
        "paths": ("3:app",),
        "sentinels": (f"1:{len(library.data)}:{library.path}",),
        "extra": ("version=1.0", "target=windows-x86_64", "launch=embed", f"libpython={library.path}"),
    }
    return Recipe(**{**values, **changes})


def program(path: Path, source: str, subsystem: stub.Subsystem = "console", **changes) -> Path:
    return write(path, bundle(launcher(subsystem), recipe(source, **changes)))


@dataclass(frozen=True, kw_only=True)
class Wine:
    """Windows. ``cache`` is where bundles unpack to, as a path of this system."""

    words: tuple[str, ...]
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    def with_cache(self, cache: Path) -> Wine:
        return replace(self, cache=cache)

    def start(self, *words: str | Path, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[bytes]:
        """Start a program; it gets pipes, and an end of file on its standard input."""
        return subprocess.run(
            [*self.words, *words], env=self.environment(**variables), stdin=subprocess.DEVNULL, capture_output=True,
            check=False, timeout=timeout,
        )  # fmt: skip

    def environment(self, **variables: str) -> dict[str, str]:
        return {**os.environ, **self.variables, "PYPACK_CACHE_DIR": windows_path(self.cache), **variables}

    def python(self, source: str, *words: str | Path, **more) -> subprocess.CompletedProcess[bytes]:
        """Run Python code on Windows' side, by the runtime's own python.exe."""
        return self.start(python_folder() / "python.exe", "-I", "-S", "-c", source, *words, **more)


def wine(cache: Path) -> Wine:
    try:
        found = runner.find(TARGET)
    except StepError as error:
        pytest.skip(f"wine does not work here, bundles for Windows were NOT started: {error}")
    if isinstance(found, runner.Missing):
        pytest.skip(f"{found.why}: bundles for Windows were NOT started ({found.hint})")
    return Wine(words=found.command_prefix, cache=cache, variables=dict(found.environment))


def windows_path(path: Path | str) -> str:
    """A path of this system as wine's drive Z: has it."""
    return "Z:" + os.fspath(path).replace("/", "\\")


def text(output: bytes) -> str:
    return output.decode("utf-8").replace("\r\n", "\n")


FACTS = """
import json, os, sys
facts = {"argv": sys.argv, "path": sys.path, "executable": sys.executable, "base": sys._base_executable,
         "file": __file__, "bundle": sys.pypack.bundle, "id": sys.pypack.id, "environment": dict(os.environ),
         "prefix": sys.base_prefix, "orig": sys.orig_argv, "folder": os.getcwd()}
sys.stdout.buffer.write(json.dumps(facts).encode())
"""


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Wine:
    return wine(tmp_path_factory.mktemp("windows") / "cache")


@pytest.fixture(scope="module")
def facts(windows, tmp_path_factory) -> Path:
    """A program that tells what it sees."""
    return program(tmp_path_factory.mktemp("facts") / "facts.exe", FACTS, name="facts")


def told(done: subprocess.CompletedProcess[bytes]) -> dict:
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)
