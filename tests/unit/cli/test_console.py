"""What ``pypack build`` shows, event by event."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import pypack
from pypack.cli.console import PHASES, Console
from pypack.cli.events import EventStream
from pypack.steps.display import Display
from pypack.steps.step import Step


def step(action: str, product: str = "x/y.tar") -> Step:
    return Step(product=product, action=action, version=1, run=lambda _: None)


def test_every_action_is_in_one_phase():
    actions = set()
    for file in Path(pypack.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "action" and isinstance(node.value, ast.Constant):
                actions.add(node.value.value)
    known = [action for phase in PHASES for action in phase.actions]
    assert len(known) == len(set(known))
    of_argparse = {"append", "store_true"}
    assert actions - of_argparse == set(known)
    assert {"fetch", "compile", "bundle"} <= actions


def run(display: Display, folder: Path, *, cached: tuple[str, ...] = ()) -> None:
    """Let a build of two wheels happen."""
    steps = [step("fetch", "wheels/a.whl"), step("fetch", "wheels/b.whl"), step("compile"), step("bundle", "hello")]
    display.plan([each for each in steps if each.action not in cached])
    output = folder / "hello"
    output.write_bytes(bytes(2_000_000))
    for each in steps:
        if each.action not in cached:
            display.start(each, str(output))
        if each.action == "fetch":
            with display.transfer(each.product, "pypi.org") as report:
                report(0, 150_000)
                report(150_000, 150_000)
        if each.action == "bundle" and each.action not in cached:
            display.result("hello", "linux-gnu-x86_64", ["2.0 MB, Python 3.13.5", "libX11.so.6 on the target"])
        display.finish(each, str(output), cached=each.action in cached)
    display.end()


def test_a_line_a_phase_and_the_results_last(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(Console(), tmp_path)
    printed = re.sub(r"\d\.\d\d s", "T", capsys.readouterr().out)
    assert printed.splitlines() == [
        "Fetched 2 files, 0.3 MB, in T",
        "Compiled bytecode in T",
        "Wrote hello: 2.0 MB, Python 3.13.5",
        "  libX11.so.6 on the target",
        "Done in T",
    ]


def test_what_came_from_the_cache_has_no_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(Console(), tmp_path, cached=("fetch", "compile", "bundle"))
    assert re.sub(r"\d\.\d\d s", "T", capsys.readouterr().out) == "Wrote hello: 2.0 MB\nDone in T\n"


def test_quiet_shows_errors_only(tmp_path, capsys):
    console = Console(quiet=True)
    console.say("  note: x")
    console.error("pypack: it failed")
    run(console, tmp_path)
    done = capsys.readouterr()
    assert (done.out, done.err) == ("", "pypack: it failed\n")


def test_verbose_shows_each_step(tmp_path, capsys):
    run(Console(verbose=True), tmp_path)
    assert re.findall(r"^(fetch|compile|bundle) ", capsys.readouterr().out, re.MULTILINE) == [
        "fetch", "fetch", "compile", "bundle",
    ]  # fmt: skip


def test_a_note_is_shown_once_for_a_project_and_again_when_it_has_changed(tmp_path, capsys):
    file = tmp_path / "memory" / "notes.json"

    def shown(text: str, project: str = "/p", *, verbose: bool = False) -> bool:
        console = Console(verbose=verbose)
        console.remember(file, project)
        console.say(f"  note: {text}")
        console.end()
        return "note" in capsys.readouterr().out

    assert shown("old glibc")
    assert not shown("old glibc")
    assert shown("old glibc", verbose=True)
    assert shown("older glibc")
    assert shown("old glibc", "/q")
    file.write_text("{")
    assert shown("old glibc")


def test_what_is_built_aside_leaves_standard_output_alone(tmp_path, capsys):
    console = Console(aside=True)
    console.up_to_date(tmp_path / "hello")
    console.end()
    assert capsys.readouterr() == ("", "")
    run(Console(aside=True), tmp_path)
    done = capsys.readouterr()
    assert done.out == ""
    assert "Wrote" in done.err


def test_events_are_json_lines(tmp_path, capsys):
    run(EventStream(), tmp_path)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == [
        "plan", *("start", "fetch", "fetched", "finish") * 2, "start", "finish", "start", "finish", "result", "end",
    ]  # fmt: skip
    assert events[0] == {"event": "plan", "steps": 4}
    result = events[-2]
    assert (result["path"], result["size"]) == (str(tmp_path / "hello"), 2_000_000)
    assert result["details"][0].endswith("Python 3.13.5")
    assert events[-1]["code"] == 0


@pytest.mark.parametrize("verbose", [False, True])
def test_scons_log_counts_what_the_cache_had(tmp_path, monkeypatch, verbose):
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    display = Display(lines.append, verbose=verbose)
    display.start(step("fetch"), "build/a.whl")
    display.take_from_cache(tmp_path / "build/b.whl")
    display.end()
    assert lines == [
        "fetch      build/a.whl",
        "Retrieved `build/b.whl' from cache" if verbose else "  from the cache: 1",
    ]
