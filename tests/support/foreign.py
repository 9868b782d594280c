"""Bundles for every target, built in one checkout and started by qemu and wine. What cannot be is skipped aloud.

No release archives can be downloaded where these tests run: ``tests.support.targets`` makes what stands in for those of
macOS and of Windows on arm64, and says what of it is real. A local server gives them out as a mirror would.
"""

from __future__ import annotations

import http.server
import os
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pypack.base import targets
from pypack.cli import runner
from pypack.graph import bundles, description
from pypack.plan import planner
from pypack.project import program
from pypack.steps.step import Settings
from tests.cases.conftest import Checkout, Done, copy_tree, run
from tests.support import targets as fixtures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TABLE = targets.load()
ALL = [target.name for target in targets.select(["all"], TABLE)]


@pytest.fixture(scope="session")
def pins(tmp_path_factory) -> Iterator[Path]:
    """The file of pins for the archives that a local server gives out."""
    folder = tmp_path_factory.mktemp("served")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fixtures.prepare(folder, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def place(tmp_path_factory, pins) -> Checkout:
    """One checkout for all of these tests."""
    env = {**os.environ, "PYPACK_PINS": str(pins)}
    return Checkout(path=copy_tree(tmp_path_factory.mktemp("targets") / "checkout"), env=env)


@dataclass(frozen=True, kw_only=True)
class Apps:
    """Builds small programs: an example by its name, or the text of a script."""

    place: Checkout

    def bundle(self, name: str, target: str, *, script: str = "", settings: str = "") -> Path:
        """Return the bundle of a program for a target."""
        app = f"examples/{name}"
        if script:
            app = f"programs/{name}"
            folder = self.place.path / app
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.py").write_text(script, encoding="utf-8")
            about = f'[project]\nname = "{name}"\nversion = "1.2.3"\n{settings}'
            (folder / "pyproject.toml").write_text(about, encoding="utf-8")
        self.place.scons(f"app={app}", f"target={target}", "profile=dev")
        return self.place.bundle(f"{name}{TABLE[target].suffix}", target)


@pytest.fixture(scope="session")
def apps(place) -> Apps:
    return Apps(place=place)


@pytest.fixture
def start(tmp_path):
    """Start a bundle by what starts its target here, with a cache of its own; skips where nothing does."""

    def call(bundle: Path, target: str, *words: str, env: dict[str, str] | None = None) -> Done:
        found = runner_for(target)
        own = {**os.environ, **found.environment, "PYPACK_CACHE_DIR": str(tmp_path / "bundle-cache"), **(env or {})}
        return run([*found.command_prefix, bundle, *words], env=own, cwd=tmp_path, timeout=300)

    return call


def runner_for(target: str) -> runner.Runner:
    found = runner.find(TABLE[target])
    if isinstance(found, runner.Missing):
        pytest.skip(f"NOT STARTED on {target}: {found.why} -> {found.hint}")
    return found


def planned_products(place, app: str, names: Iterable[str], **settings) -> set[str]:
    """The products of all steps of a program's bundles, whatever of them a cache has."""
    project = program.load(place.path / app, **settings)
    plans = planner.bundles(
        project, [TABLE[name] for name in names], build=place.path / ".pypack", settings=Settings(say=lambda _: None)
    )
    return {step.product for plan in plans for step in description.all_steps(bundles.bundle(plan))}
