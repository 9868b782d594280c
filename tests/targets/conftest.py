"""Runtimes that are built from source, unpacked and ready to be started on this machine or under an emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypack.base import hosts, targets
from pypack.cli import runner
from pypack.formats.image import unpack
from pypack.runtimes.base import Request
from pypack.runtimes.source import SourceProvider
from tests.support.foreign import apps, pins, place, start

__all__ = ["apps", "pins", "place", "start"]

HERE = Path(__file__).parents[2]
SCONSTRUCT = """
import pypack
from pypack.base import targets
from pypack.runtimes.base import Request
from pypack.runtimes.source import SourceProvider

env = Environment(tools=[pypack.generate])
request = Request(target=targets.load()["{target}"], native={native})
runtime = SourceProvider().runtime(request)
Default([env.PyStep(runtime.image), env.PyStep(runtime.dev)])
"""


@dataclass(frozen=True, kw_only=True)
class Built:
    """One runtime on the disk. ``words`` start its Python; ``folder`` holds its tree, ``dev`` that of the dev image."""

    target: targets.Target
    image: Path
    folder: Path
    dev: Path
    words: tuple[str, ...]
    loader: str

    def python(self, code: str, *words: str, env: dict[str, str] | None = None) -> str:
        """Run some code, isolated but for ``env``, and return what it printed."""
        isolated = () if env else ("-I",)
        done = subprocess.run(
            [*self.words, *isolated, "-B", "-c", code, *words], env={**os.environ, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build a runtime through the shared cache, once for all tests: ``built("linux-musl-x86_64", native=True)``."""
    done: dict[tuple[str, bool], Built] = {}

    def build(name: str, *, native: bool = False) -> Built:
        if (name, native) not in done:
            done[name, native] = _built(name, native, tmp_path_factory.mktemp(name))
        return done[name, native]

    return build


def _built(name: str, native: bool, folder: Path) -> Built:
    target = targets.load()[name]
    if hosts.system() != "linux":
        pytest.skip(f"CPython is built from source on Linux only, not on {hosts.system()}")
    found = runner.find(target)
    if isinstance(found, runner.Missing):
        pytest.skip(f"{name} cannot be started here: {found.why} -> {found.hint}")
    runtime = SourceProvider().runtime(Request(target=target, native=native))
    (folder / "SConstruct").write_text(SCONSTRUCT.format(target=name, native=native), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(HERE / "site_scons")}
    words = [sys.executable, "-m", "SCons", "-Q"]
    made = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert runtime.dev is not None
    image = folder / ".pypack" / runtime.image.product
    unpack(image, folder / "python")
    unpack(folder / ".pypack" / runtime.dev.product, folder / "dev")
    start = [*found.command_prefix]
    if runtime.loader:
        place = folder / "python"
        start += [str(place / runtime.loader), "--preload", "", "--library-path", str(place / "lib")]
        start += ["--argv0", str(place / "bin" / "python3.13")]
    return Built(
        target=target, image=image, folder=folder / "python", dev=folder / "dev", loader=runtime.loader,
        words=(*start, str(folder / "python" / "bin" / "python3.13")),
    )  # fmt: skip
