"""What a developer waits for: builds of ``greet``, beside what uv and zstd take for the same packages."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uv

from tests.bench.measuring import Sample, Side, start
from tests.bench.subjects import HERE

if TYPE_CHECKING:
    from pathlib import Path

GOAL = 1.5
"""How many times the installation by uv and the packing by zstd a build may take, besides the start of SCons."""

_PARTS = ("SConstruct", "site_scons", "runtimes", "stubs", "examples", "pyproject.toml", "README.md", "LICENSE")
_ROWS = {
    "scons": "SCons with an empty SConstruct",
    "uv": "uv pip install --target, tar, zstd -3",
    "empty": "greet from an empty .pypack/",
    "changed": "greet after one changed file",
    "nothing": "greet with nothing to do",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A checkout of its own below ``work``; ``kept`` is a CacheDir that has what is not of greet's packages."""

    work: Path

    @property
    def checkout(self) -> Path:
        return self.work / "checkout"

    @property
    def kept(self) -> Path:
        return self.work / "kept"

    def side(self, name: str, *words: str | Path) -> Side:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        return Side(name=name, words=tuple(map(str, words)), folder=self.checkout, env=env)

    def scons(self, name: str, example: str = "greet") -> Side:
        """A build as people type it, with the runtime of this machine, its downloads at hand."""
        words = (f"app=examples/{example}", "target=host", "runtime=host", "profile=dev", f"cache={self.work}/cache")
        return self.side(name, sys.executable, "-m", "SCons", "-Q", *words)


def measure(work: Path, rounds: int) -> dict[str, list[Sample]]:
    """Build in turns, each time from the same state; return what each way took, round by round."""
    place = _prepare(work)
    found: dict[str, list[Sample]] = {name: [] for name in _ROWS}
    for number in range(rounds):
        found["scons"].append(start(place.side("scons", sys.executable, "-m", "SCons", "-Q", "-f", work / "empty")))
        shutil.rmtree(work / "installed", ignore_errors=True)
        found["uv"].append(start(place.side("uv", "sh", "-c", _by_uv(work))))
        _afresh(place)
        found["empty"].append(start(place.scons("empty")))
        with (place.checkout / "examples/greet/greet/cli.py").open("a", encoding="utf-8") as file:
            file.write(f"# {number} {os.getpid()}\n")
        found["changed"].append(start(place.scons("changed")))
        found["nothing"].append(start(place.scons("nothing")))
    return found


def text(found: dict[str, list[Sample]]) -> str:
    """Return a table of medians, and what the build from an empty folder is against uv."""
    rows = [f"{'builds':<40}{'median':>10}{'fastest':>10}{'processor':>12}"]
    for name, title in _ROWS.items():
        walls = [each.wall for each in found[name]]
        cpu = statistics.median(each.cpu for each in found[name])
        rows.append(f"{title:<40}{statistics.median(walls):>8.2f} s{min(walls):>8.2f} s{cpu:>10.2f} s")
    ratio = statistics.median(
        (empty.wall - scons.wall) / uv.wall
        for empty, scons, uv in zip(found["empty"], found["scons"], found["uv"], strict=True)
    )
    return "\n".join(
        [*rows, f"from an empty .pypack/, SCons' start left out, against uv and zstd: {ratio:.2f} (aim {GOAL})"]
    )


def _prepare(work: Path) -> Place:
    """Make the checkout and everything that a build has at hand: downloads, the runtime's layer, the launcher."""
    place = Place(work=work)
    shutil.rmtree(work, ignore_errors=True)
    place.checkout.mkdir(parents=True)
    for part in _PARTS:
        copy = shutil.copytree if (HERE / part).is_dir() else shutil.copy2
        copy(HERE / part, place.checkout / part)
    (work / "empty").write_text("Environment(tools=[])\n", encoding="utf-8")
    start(place.scons("prepare", "hello"))
    shutil.copytree(work / "cache", place.kept)
    # both sides install what one lock says; neither asks an index what is newest
    start(place.side("lock", sys.executable, "-m", "pypack", "lock", "examples/greet", "--target", "host"))
    start(place.scons("prepare"))
    start(place.side("uv", "sh", "-c", _by_uv(work)))
    return place


def _afresh(place: Place) -> None:
    for folder in (place.checkout / ".pypack", place.checkout / "dist", place.work / "cache"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place.kept, place.work / "cache")


def _by_uv(work: Path) -> str:
    install = f"'{uv.find_uv_bin()}' pip install -q --python '{sys.executable}' --target installed --compile-bytecode"
    pack = "tar -c installed | zstd -3 -q -f -o installed.tar.zst"
    return f"cd '{work}' && {install} -r checkout/examples/greet/pylock.toml && {pack}"
