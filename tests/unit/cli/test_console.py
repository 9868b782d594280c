"""What ``pypack build`` shows, event by event."""

from __future__ import annotations

import ast
import io
import json
import re
import time
from pathlib import Path

import pytest

import pypack
from pypack.base.notes import Note
from pypack.cli import console as console_module
from pypack.cli import terminal
from pypack.cli.console import Console
from pypack.cli.events import EventStream
from pypack.cli.phases import PHASES
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
    of_argparse = {"append", "append_const", "store_true"}
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
    console.say(Note("uv", "x"))
    console.error("pypack: it failed")
    run(console, tmp_path)
    done = capsys.readouterr()
    assert (done.out, done.err) == ("", "pypack: it failed\n")


def test_verbose_shows_each_step(tmp_path, capsys):
    run(Console(verbose=1), tmp_path)
    assert re.findall(r"^(fetch|compile|bundle) ", capsys.readouterr().out, re.MULTILINE) == [
        "fetch", "fetch", "compile", "bundle",
    ]  # fmt: skip


def test_a_note_is_shown_once_for_a_project_and_again_when_it_has_changed(tmp_path, capsys):
    file = tmp_path / "memory" / "notes.json"

    def shown(text: str, project: str = "/p", *, verbose: int = 0, quiet: tuple[str, ...] = ()) -> int:
        console = Console(verbose=verbose)
        for _ in range(2):  # one cause, two targets
            console.project(project, file, quiet)(Note("host-glibc", text))
        console.end()
        return capsys.readouterr().out.count(f"  warning: {text} [host-glibc]\n")

    assert not shown("old glibc", quiet=("host-glibc",))
    assert shown("old glibc") == 1
    assert not shown("old glibc")
    assert shown("old glibc", verbose=1) == 1
    assert not shown("old glibc", verbose=1, quiet=("host-glibc",))
    assert shown("older glibc") == 1
    assert shown("old glibc", "/q") == 1
    file.write_text("{")
    assert shown("old glibc") == 1


def test_facts_have_no_identifier_on_the_screen():
    assert Note("entry", "the program is x").line == "  the program is x"
    assert Note("uv", "x").line == "  warning: x [uv]"


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


@pytest.mark.parametrize("verbose", [0, 1])
def test_scons_log_counts_what_the_cache_had(tmp_path, monkeypatch, verbose):
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    display = Display(lines.append, verbose=verbose)
    display.start(step("fetch"), "build/a.whl", "new")
    display.finish(step("fetch"), "build/a.whl", cached=False)
    display.take_from_cache(tmp_path / "build/b.whl")
    display.end()
    lines[-1] = re.sub(r"\d\.\d\d s", "T", lines[-1])
    assert lines == (
        ["fetch      build/a.whl  (new)", "Retrieved `build/b.whl' from cache", "Done in T"]
        if verbose
        else ["fetch      build/a.whl", "Done in T, 1 from the cache"]
    )


def test_scons_log_of_a_failed_build_has_no_last_line(tmp_path):
    lines: list[str] = []
    display = Display(lines.append)
    display.finish(step("fetch"), tmp_path, cached=False)
    display.end(1)
    assert lines == []


# --- terminals --------------------------------------------------------------------------------------------------------


class Screen(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def screen(monkeypatch):
    """Make a terminal of some width and encoding both standard streams."""

    def make(encoding: str = "utf-8", columns: int = 80) -> Screen:
        stream = Screen(encoding)
        terminal.prepare(stream)
        for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    return make


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii"])
def test_an_old_code_page_takes_every_line(encoding, screen, tmp_path):
    stream = screen(encoding)
    console = Console()
    console.say("  … größe 日本 → \udcff")
    run(console, tmp_path)
    console.error("pypack: “größe” 日本")
    shown = stream.text()
    assert ("  … gr" if encoding == "cp1252" else "  ... gr") in shown
    assert "\\u65e5\\u672c -> ?" in shown
    assert "Wrote" in shown


@pytest.mark.parametrize("columns", [20, 40, 59, 80, 200])
def test_rows_fit_a_narrow_terminal(columns, screen, tmp_path):
    stream = screen(columns=columns)
    console = Console()
    fetch = step("fetch", "wheels/a-very-long-name-of-a-wheel-1.0-cp313-cp313-manylinux_2_17_x86_64.whl")
    console.plan([fetch])
    console.start(fetch, tmp_path)
    time.sleep(0.3)
    console.finish(fetch, tmp_path, cached=False)
    console.end()
    rows = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.text()))
    moving = [row for row in rows if "Fetching" in row and "Fetched" not in row]
    assert moving
    assert max(len(row) for row in moving) <= columns


def test_several_targets_have_a_row_each(screen):
    stream = screen()
    console = Console()
    names = ["linux-gnu-x86_64", "windows-x86_64"]
    steps = [step("app", f"apps/hello/app-{name}.tar") for name in names]
    console.targets(names)
    console.plan([step("extract"), *steps, *steps])
    for each in steps:
        console.start(each, each.product)
    time.sleep(0.3)
    console.end()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.text())
    assert all(re.search(rf"{name}  Packing app-{name}.tar .* 0/2", shown) for name in names)


COLORS = [
    ({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, True, False), ({}, False, False),
    ({"FORCE_COLOR": "1"}, False, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ({"NO_COLOR": ""}, True, True),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "is_terminal", "colored"), COLORS)
def test_errors_are_red_where_colors_are_wanted(variables, is_terminal, colored, screen, monkeypatch):
    stream = screen()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal.print_error("pypack: [b]no[/b]")
    text = stream.text()
    assert ("\x1b[31m" in text) == colored
    assert "[b]no[/b]" in text


@pytest.mark.parametrize(("value", "moves"), [("", True), ("false", True), ("1", False), ("true", False)])
def test_nothing_moves_in_ci(value, moves, screen, monkeypatch):
    stream = screen()
    monkeypatch.setenv("CI", value)
    assert terminal.moves(stream) == moves


def test_long_work_prints_a_line_where_nothing_moves(monkeypatch, capsys):
    monkeypatch.setattr(console_module, "_HEARTBEAT_SECONDS", 0.1)
    console = Console()
    console.plan([step("layer", "x/numpy.layer")])
    console.start(step("layer", "x/numpy.layer"), "x")
    time.sleep(0.5)
    console.end(1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2
    assert set(lines) == {"  … Packing numpy.layer"}


def test_nothing_is_shown_after_the_line_that_says_that_it_was_stopped(screen, tmp_path):
    stream = screen()
    console = Console()
    console.plan([step("layer")])
    console.start(step("layer"), "x")
    console.interrupt("pypack: stopped")
    console.finish(step("layer"), tmp_path, cached=False)
    console.resolve(tmp_path / "pylock.toml", cached=False)
    console.error("scons: *** Build interrupted.")
    console.end(130)
    assert stream.text().endswith("pypack: stopped\n")


def test_a_note_is_an_event_with_its_identifier(capsys):
    events = EventStream()
    events.say(Note("host-glibc", "it may not start"))
    events.say("  waiting")
    events.interrupt("pypack: stopped")
    events.end()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0] == {"event": "note", "id": "host-glibc", "level": "warning", "text": "it may not start"}
    assert told[1] == {"event": "note", "text": "waiting"}
    assert told[2] == {"event": "error", "text": "stopped"}
    assert (told[3]["event"], told[3]["code"], len(told)) == ("end", 130, 4)
