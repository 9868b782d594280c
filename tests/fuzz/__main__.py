"""Fuzz each reader of the launcher for a bounded time: ``python -m tests.fuzz [--seconds N] [--keep] [HARNESS…]``.

Ends with 1 on a finding, whose input is left and named. The corpus grows in the work folder from run to run and is
made smaller at the end of each; ``--keep`` puts it into the tree, where the tests replay it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import building, corpus, seeds

ENVIRONMENT = {
    **os.environ,
    "ASAN_OPTIONS": "abort_on_error=0:allocator_may_return_null=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
LONGEST = 6144
"""Bytes of an input. Every reader is through its formats in that; larger ones only cost time and room."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one harness. ``lines`` is what the corpus reaches of the file that it is after, in percent."""

    name: str
    runs: int
    seconds: float
    edges: int
    inputs: int
    lines: float
    findings: tuple[Path, ...]


def main() -> int:
    """Run the harnesses and print the table."""
    options = _options()
    work = Path(options.work).absolute()
    began = time.monotonic()
    programs = building.fuzzers(work)
    replay = building.replayer(building.COVERAGE, work / "coverage")
    print(f"{len(programs)} fuzzers and the measuring program built in {time.monotonic() - began:.0f} s", flush=True)
    outcomes = [
        run(name, programs[name], replay, work, seconds=options.seconds, keep=options.keep)
        for name in options.harness or building.HARNESSES
    ]
    print(table(outcomes))
    findings = [path for each in outcomes for path in each.findings]
    for path in findings:
        print(f"finding: {path}", file=sys.stderr)
    return 1 if findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description="Fuzz the launcher's readers.")
    parser.add_argument("harness", nargs="*", choices=[*building.HARNESSES, []], help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each harness (default: 60)")
    parser.add_argument("--keep", action="store_true", help="put the minimised corpus into the tree")
    parser.add_argument("--work", default=".nox/fuzz", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(name: str, program: Path, replay: Path, work: Path, *, seconds: int, keep: bool) -> Outcome:
    """Fuzz one reader, then make its corpus smaller and measure what that reaches."""
    folder, found = work / "corpus" / name, work / "findings" / name
    for each in seeds.seeds()[name]:
        folder.mkdir(parents=True, exist_ok=True)
        corpus.add(folder, each)
    corpus.unpack(name, folder)
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=1024"]
    words = [f"-dict={building.HERE / 'pypack.dict'}", f"-artifact_prefix={found}{os.sep}", "-print_final_stats=1"]
    began = time.monotonic()
    done = _start([program, *limits, *words, folder])
    spent = time.monotonic() - began
    findings = tuple(sorted(found.iterdir()))
    if done.returncode and not findings:  # a harness that could not start
        raise SystemExit(f"{name}: {done.stderr}")
    if findings:
        print(done.stderr[-6000:], file=sys.stderr)
    else:
        _minimise(program, folder)
    files = sorted(folder.iterdir())
    if keep and not findings:
        _keep(name, program, folder)
    return Outcome(
        name=name,
        runs=_last(r"stat::number_of_executed_units: (\d+)", done.stderr),
        seconds=spent,
        edges=_last(r"cov: (\d+)", done.stderr),
        inputs=len(files),
        lines=_lines(name, replay, files),
        findings=findings,
    )


def _start(words: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, errors="replace", env=ENVIRONMENT, check=False)


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def _minimise(program: Path, folder: Path) -> None:
    """Keep the smallest inputs that reach all that the corpus reaches."""
    fresh = _merged(program, folder, "fresh")
    shutil.rmtree(folder)
    fresh.rename(folder)


def _keep(name: str, program: Path, folder: Path) -> None:
    """Put those into the tree that reach all places, once each; how often counts for the fuzzer alone."""
    few = _merged(program, folder, "few", "-use_counters=0", "-use_value_profile=0")
    print(f"{name}: {corpus.keep(name, few.iterdir())} inputs kept in the tree", flush=True)
    shutil.rmtree(few)


def _merged(program: Path, folder: Path, suffix: str, *words: str) -> Path:
    fresh = folder.with_name(f"{folder.name}.{suffix}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    done = _start([program, "-merge=1", *words, fresh, folder])
    if done.returncode:
        raise SystemExit(f"{folder.name}: the corpus could not be made smaller:\n{done.stderr[-3000:]}")
    return fresh


def _lines(name: str, replay: Path, files: list[Path]) -> float:
    """Replay the corpus with clang's source coverage and return the percentage of the reader's lines that ran."""
    raw, profile = replay.with_suffix(".profraw"), replay.with_suffix(".profdata")
    subprocess.run([replay, name, *files], env={**ENVIRONMENT, "LLVM_PROFILE_FILE": str(raw)}, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", profile], check=True)
    told = subprocess.run(
        ["llvm-cov", "export", "-summary-only", replay, f"-instr-profile={profile}"], capture_output=True, check=True
    )
    for each in json.loads(told.stdout)["data"][0]["files"]:
        if each["filename"].endswith(f"/stubs/{building.READS[name]}"):
            return float(each["summary"]["lines"]["percent"])
    return 0.0


def table(outcomes: list[Outcome]) -> str:
    """Return what people read."""
    rows = [f"{'harness':<14}{'reader':<24}{'executions':>12}{'a second':>10}{'edges':>7}{'inputs':>8}{'lines':>8}"]
    for each in outcomes:
        rate = each.runs / each.seconds if each.seconds else 0
        rows.append(
            f"{each.name:<14}{building.READS[each.name]:<24}{each.runs:>12,}{rate:>10,.0f}{each.edges:>7}"
            f"{each.inputs:>8}{each.lines:>7.1f}%{'  FINDING' if each.findings else ''}"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
