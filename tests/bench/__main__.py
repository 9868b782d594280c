"""Measure: ``python -m tests.bench [--peers] [--builds] [--display] [--rounds N] [--docs]``.

Peers that were built before are measured as well; ``--peers`` builds them. ``--builds`` measures how long builds take
instead of how long starts do, ``--display`` what it costs to show them. ``--docs`` puts the picture into docs/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench import builds, display, peers, picture, subjects, tables
from tests.bench.measuring import Result, Side, compare

ROUNDS = {"hello": 4, "greet": 1, "first": 1}
"""How many rounds of each group for one that is asked for: what is short is started more often."""


def main() -> int:
    """Build, measure, print the tables, and write results.json and performance.svg into the work folder."""
    options = _options()
    work = Path(options.work).absolute()
    if options.builds:
        print(builds.text(builds.measure(work / "builds", options.rounds or 7)))
        return 0
    if options.display:
        print(display.text(display.measure(work / "display", options.rounds or 7)))
        return 0
    bench = subjects.prepare(work, options.runtime)
    if options.peers:
        peers.build(work)
    version = f"CPython {subjects.verify.read(bench.bundle('hello')).manifest['python']['version']}"
    described = tables.machine(version)
    print(", ".join(f"{key} {value}" for key, value in described.items()), flush=True)
    groups = {
        "hello": _measure(options, "hello", subjects.hello(bench), bench),
        "greet": _measure(options, "greet", subjects.greet(bench), bench),
        "first": _measure(options, "first", subjects.first_start(bench), bench),
    }
    print(_unpack_rate(bench, groups["first"]))
    tables.write(work / "results.json", described, groups)
    drawn = picture.svg({name: [vars(each) for each in group] for name, group in groups.items()})
    places = [work / "performance.svg", *([subjects.HERE / "docs/performance.svg"] if options.docs else [])]
    for place in places:
        place.write_text(drawn, encoding="utf-8")
    print(f"{work / 'results.json'} and {places[-1]} written")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nox -s bench --", description="Measure bundles, beside plain Python and peers."
    )
    parser.add_argument("--peers", action="store_true", help="build PyInstaller's and Nuitka's forms first (once)")
    parser.add_argument("--builds", action="store_true", help="measure builds of greet instead (default: 7 rounds)")
    parser.add_argument("--display", action="store_true", help="measure what the display of a build costs instead")
    parser.add_argument("--rounds", type=int, help="starts of each side (default: 50; hello: four times as many)")
    parser.add_argument("--runtime", default="host", help="runtime of the bundles, which venv and python -I -S share")
    parser.add_argument("--docs", action="store_true", help="put the picture into docs/")
    parser.add_argument("--work", default=".nox/bench", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(options: argparse.Namespace, name: str, sides: list[Side], bench: subjects.Bench) -> list[Result]:
    """Measure a group with the peers that are there, and print its table."""
    sizes = {"pypack": bench.bundle(name).stat().st_size} if name in {"hello", "greet"} else {}
    if name in {"hello", "greet"}:
        more, shipped = peers.sides(bench.work, name)
        sides, sizes = [*sides, *more], {**sizes, **shipped}
    rounds = (options.rounds or 50) * ROUNDS[name]
    results = compare(sides, rounds, sizes=sizes)
    print(f"\n{tables.text(name, results, rounds)}", flush=True)
    return results


def _unpack_rate(bench: subjects.Bench, first: list[Result]) -> str:
    told = [f"{each.name} {subjects.unpacked_size(bench) / 1e6 / (each.wall / 1e3):.0f} MB/s" for each in first]
    return f"unpacked: {', '.join(told)}"


if __name__ == "__main__":
    sys.exit(main())
