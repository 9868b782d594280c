"""Build the bundle of all programs for a target, and start one of them: for the tests and for the table."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import targets
from tests.cases.conftest import HERE, Done, run
from tests.packages.table import TARGETS, Package

if TYPE_CHECKING:
    from pypack.cli import runner
    from tests.support.tls import Servers

PROGRAMS = Path(__file__).with_name("programs")
MINUTES = 5
"""How long one program may take, by an emulator, on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one program fared: what people would type, whether it ``started`` and ``worked``, and what was ``told``."""

    command: str
    started: bool
    worked: bool
    told: str


def build(target: str, folder: Path = HERE) -> tuple[Done, Path]:
    """Build in the checkout ``folder``; return how that ended, and the bundle."""
    words = [f"target={target}", f"runtime={TARGETS[target]}", f"app={PROGRAMS}", "profile=dev"]
    env = {**os.environ, "PYTHONPATH": str(folder / "site_scons")}
    done = run([sys.executable, "-m", "SCons", "-Q", *words], cwd=folder, env=env)
    return done, folder / "dist" / target / f"packages{targets.load()[target].suffix}"


def start(package: Package, bundle: Path, by: runner.Runner, servers: Servers, cache: Path) -> Outcome:
    """Start a program of ``bundle``, which unpacks to ``cache``, in the folder above that."""
    words = [package.name, *(word.format_map(asdict(servers)) for word in package.arguments)]
    env = {**os.environ, **by.environment, "PYPACK_CACHE_DIR": str(cache)}
    done = run([*by.command_prefix, bundle, *words], env=env, cwd=cache.parent, timeout=60 * MINUTES)
    shown = Path(os.path.relpath(bundle))
    return Outcome(
        command=shlex.join([*by.command_prefix, str(shown if ".." not in shown.parts else bundle), *words]),
        started=done.out.startswith(f"started {package.name}:"),
        worked=done.code == 0 and "did its work: " in done.out,
        told=f"{done.text}\nexit code {done.code}",
    )
