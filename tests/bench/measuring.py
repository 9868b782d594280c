"""Start programs in turns and say how long each took, what memory it had, and how many system calls it made."""

from __future__ import annotations

import functools
import os
import random
import shutil
import statistics
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.launchers import build_folder, compile_c

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


FRESH = "<fresh>"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to start a program: a command, where it is started, and what its environment has besides ``PATH``.

    ``fresh`` is for what must be new at each start: it makes a folder, whose path takes the place of ``FRESH`` in
    command and environment.
    """

    name: str
    words: tuple[str, ...]
    folder: Path
    env: dict[str, str]
    fresh: Callable[[], Path] | None = None

    def prepared(self) -> Side:
        """Return the side with a folder of its own where it needs one."""
        if self.fresh is None:
            return self
        folder = str(self.fresh())
        env = {key: value.replace(FRESH, folder) for key, value in self.env.items()}
        return replace(self, words=tuple(word.replace(FRESH, folder) for word in self.words), env=env, fresh=None)

    def environment(self) -> dict[str, str]:
        """Return all variables of the program."""
        return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **self.env}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One start: wall time and processor time in seconds, peak of the resident memory in bytes."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured of one side; ratios are medians over the rounds, each start against the base's of its round.

    ``wall`` and ``cpu`` are medians, ``low`` the lowest tenth, in milliseconds; ``memory`` is in MB (10^6 bytes).
    ``calls`` is None where strace is missing; ``own`` are those before the launcher hands over.
    """

    name: str
    wall: float
    low: float
    cpu: float
    memory: float
    ratio: float
    cpu_ratio: float
    calls: int | None
    own: int | None
    size: int


def compare(sides: Sequence[Side], rounds: int, *, sizes: dict[str, int] | None = None) -> list[Result]:
    """Start each side once in every round, in an order drawn anew; the first side is what others are compared with."""
    chance = random.Random(rounds)
    for side in sides:
        start(side.prepared())  # whatever is only done once
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for _ in range(rounds):
        for side in chance.sample(sides, len(sides)):
            samples[side.name].append(start(side.prepared()))
    base = samples[sides[0].name]
    return [_result(side, samples[side.name], base, (sizes or {}).get(side.name, 0)) for side in sides]


def start(side: Side) -> Sample:
    """Start a program with its output thrown away, and wait for its end."""
    done = subprocess.run(
        [_starter(), *side.words], cwd=side.folder, env=side.environment(), capture_output=True, text=True, check=True
    )
    wall, cpu, memory, status = map(int, done.stdout.split())
    if status:
        raise SystemExit(f"{side.name}: {' '.join(side.words)} ended with status {status}\n{done.stderr}")
    return Sample(wall=wall / 1e6, cpu=cpu / 1e6, memory=memory * 1024)


@functools.cache
def _starter() -> Path:
    """Make the small program that starts the others."""
    product = build_folder() / "starter"
    compile_c(["-O1", "-s", Path(__file__).with_name("starter.c")], product)
    return product


def _result(side: Side, own: list[Sample], base: list[Sample], size: int) -> Result:
    walls = sorted(each.wall for each in own)
    calls, before = system_calls(side.prepared())
    pairs = list(zip(own, base, strict=True))
    return Result(
        name=side.name,
        wall=statistics.median(walls) * 1e3,
        low=walls[len(walls) // 10] * 1e3,
        cpu=statistics.median(each.cpu for each in own) * 1e3,
        memory=max(each.memory for each in own) / 1e6,
        ratio=statistics.median(each.wall / other.wall for each, other in pairs),
        cpu_ratio=statistics.median(each.cpu / other.cpu for each, other in pairs if other.cpu),
        calls=calls,
        own=before,
        size=size,
    )


def system_calls(side: Side) -> tuple[int | None, int | None]:
    """Return how many system calls a start makes, its children's too, and how many before it becomes another program.

    The second is None for a program that becomes no other.
    """
    if not shutil.which("strace"):
        return None, None
    trace = Path(os.environ.get("TMPDIR", "/tmp")) / f"pypack-bench-{os.getpid()}.strace"
    words = ["strace", "-f", "-qq", "-e", "signal=none", "-o", trace, *side.words]
    subprocess.run(words, env=side.environment(), cwd=side.folder, stdout=subprocess.DEVNULL, check=True)
    lines = [line for line in trace.read_text(errors="replace").splitlines() if " resumed>" not in line]
    trace.unlink()
    handed = [number for number, line in enumerate(lines) if " execve(" in line]
    first = lines[0].split()[0]
    own = handed[1] - 1 if len(handed) > 1 and lines[handed[1]].split()[0] == first else None
    return len(lines), own
