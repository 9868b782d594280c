"""What the display costs: builds of ``greet`` on a terminal against the same builds into a pipe, in turns."""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.subjects import HERE
from tests.support import terminals

if TYPE_CHECKING:
    from pathlib import Path

GOAL = 1.02
"""How many times the build into a pipe a build on a terminal may take."""
_DROPPED = {"CI", "NO_COLOR", "FORCE_COLOR", "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Seconds that a build took, by the clock and of processors."""

    wall: float
    cpu: float


def measure(work: Path, rounds: int) -> dict[str, list[Sample]]:
    """Build in turns, each time from an empty step cache, with downloads at hand; then with nothing to do."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(HERE / "examples/greet", work / "greet", ignore=shutil.ignore_patterns(".pypack", "dist"))
    found: dict[str, list[Sample]] = {"terminal": [], "pipe": [], "nothing": []}
    _build(work, "pipe")
    for number in range(rounds):
        for way in ("terminal", "pipe") if number % 2 else ("pipe", "terminal"):
            for folder in ("greet/.pypack", "greet/dist", "home/pypack/build"):
                shutil.rmtree(work / folder, ignore_errors=True)
            found[way].append(_build(work, way))
        found["nothing"].append(_build(work, "terminal"))
    return found


def text(found: dict[str, list[Sample]]) -> str:
    """Return the medians, and the ratio of the two ways, by the clock and of processors."""
    rows = [f"{'display':<12}{'median':>10}{'fastest':>10}{'processor':>12}"]
    for name, samples in found.items():
        walls, cpu = [each.wall for each in samples], statistics.median(each.cpu for each in samples)
        rows.append(f"{name:<12}{statistics.median(walls):>8.2f} s{min(walls):>8.2f} s{cpu:>10.2f} s")
    wall, cpu = (
        statistics.median(getattr(each, kind) for each in found["terminal"])
        / statistics.median(getattr(each, kind) for each in found["pipe"])
        for kind in ("wall", "cpu")
    )
    return "\n".join([*rows, f"terminal against pipe: {wall:.3f} by the clock, {cpu:.3f} of processors (aim {GOAL})"])


def _build(work: Path, way: str) -> Sample:
    command = shlex.join([sys.executable, "-m", "pypack", "build", "--profile", "dev", "--runtime", "host"])
    words = ["sh", "-c", f"exec {command}" if way == "terminal" else f"{command} 2>&1 | cat"]
    env = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    began, before = time.perf_counter(), os.times()
    shown = terminals.run(words, cwd=work / "greet", env={**env, "XDG_CACHE_HOME": str(work / "home")})
    wall, after = time.perf_counter() - began, os.times()
    if shown.code or "Done in" not in shown.raw:
        raise RuntimeError(f"the build failed: {shown.raw}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Sample(wall=wall, cpu=spent)
