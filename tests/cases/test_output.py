"""What a person sees of real builds: notes once, Ctrl-C, terminals, CI, several targets."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from tests.cases.conftest import GNU, MUSL, Checkout, copy_tree
from tests.support import terminals

WARNING = "[host-glibc]"
STEP_NOTE = "not Python of this version, so bundled as data: broken.py [not-python]"
SETTINGS = '[tool.pypack]\nentry = "hello"\nname = "main"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Checkout:
    """A checkout whose cache of steps is its own."""
    path = copy_tree(tmp_path_factory.mktemp("output") / "checkout")
    dropped = ("CI", "NO_COLOR", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    return Checkout(path=path, env={**env, "XDG_CACHE_HOME": str(path.parent / "cache")})


@pytest.fixture
def project(place, tmp_path):
    """A program with a package that brings a file for another system, which a step notes."""
    folder = tmp_path / "project"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello" / "__main__.py").write_text("print('hello')\n")
    (folder / "hello" / "broken.py").write_text("def (:\n")
    (folder / "pyproject.toml").write_text(SETTINGS)
    words = ["--runtime", "host", "--target", GNU, "--profile", "dev"]

    def build(*more: str, ok: bool = True):
        return place.pypack("build", *words, *more, cwd=folder, ok=ok)

    build.folder, build.words = folder, ["build", *words]
    return build


def test_a_note_is_shown_once_and_with_v_always_also_for_what_is_up_to_date(project):
    first = project().out
    assert first.count(WARNING) == first.count(STEP_NOTE) == 1
    again = project().out
    assert again.splitlines()[0] == f"dist/{GNU}/main is up to date"
    verbose = project("-v").out
    assert verbose.count(WARNING) == verbose.count(STEP_NOTE) == 1
    assert f"dist/{GNU}/main is up to date" in verbose


def test_a_note_of_a_step_is_shown_where_its_product_comes_from_the_cache(project):
    project()
    for folder in (".pypack", "dist"):
        (project.folder / folder).rename(project.folder.parent / folder)
    assert STEP_NOTE in project().out


def test_a_silenced_note_is_not_shown_and_shown_when_it_is_not_silenced_any_more(project):
    quiet = project("--silence", "host-glibc,not-python", "-v").out
    assert WARNING not in quiet
    assert STEP_NOTE not in quiet
    loud = project().out
    assert WARNING in loud
    assert STEP_NOTE in loud


def test_a_near_name_for_an_unknown_identifier(project):
    done = project("--silence", "host-glib", ok=False)
    assert done.code == 2
    assert "did you mean host-glibc" in done.err
    (project.folder / "pyproject.toml").write_text(f'{SETTINGS}quiet = ["not-pyton"]\n')
    done = project(ok=False)
    assert done.code == 2
    assert "did you mean not-python" in done.err


def test_events_carry_the_identifier(project):
    events = [json.loads(line) for line in project("--json").out.splitlines()]
    notes = {event["id"]: event for event in events if event["event"] == "note" and "id" in event}
    assert notes["host-glibc"]["level"] == "warning"
    assert notes["not-python"]["text"] == STEP_NOTE.rpartition(" [")[0]
    assert notes["entry"]["level"] == "fact"
    starts = [event for event in events if event["event"] == "start"]
    assert {event["why"] for event in starts} == {"new"}


def test_v_says_why(project):
    project()
    (project.folder / "hello/__main__.py").write_text("print('other')\n")
    told = project("-v").out
    assert re.search(r"^app +\S+  \(.*changed.*\)$", told, re.MULTILINE)
    assert "(" not in project().out.splitlines()[0]


def test_a_terminal_shows_ten_lines_and_ctrl_c_is_one_line(project, place, tmp_path):
    env = {**place.env, "PYTHONPATH": str(place.path / "site_scons"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "pypack", *project.words]
    stopped = terminals.run(words, cwd=project.folder, env=env, interrupt_at="Preparing")
    assert stopped.code == 130
    assert stopped.lines[-1] == "pypack: stopped; what is finished is kept, and nothing half-made is left"
    assert "interrupted" not in stopped.raw
    assert "Traceback" not in stopped.raw
    assert not (project.folder / "dist").exists()
    for folder in (project.folder / ".pypack/tmp", tmp_path / "cache/pypack/build/tmp"):
        assert not folder.exists() or not [*folder.iterdir()]
    whole = terminals.run(words, cwd=project.folder, env=env, columns=40)
    assert whole.code == 0
    assert len(whole.lines) <= 14, whole.lines
    assert whole.lines[-1].startswith("Done in ")
    assert f"Wrote dist/{GNU}/main: " in whole.raw


def test_ctrl_c_while_packages_are_resolved_is_one_line(project, place):
    (project.folder / "requirements.txt").write_text("idna\n")
    env = {**place.env, "PYTHONPATH": str(place.path / "site_scons")}
    words = [sys.executable, "-m", "pypack", *project.words, "-r", "requirements.txt"]
    stopped = terminals.run(words, cwd=project.folder, env=env, interrupt_at="Resolving")
    assert stopped.code == 130
    assert stopped.lines[-1].startswith("pypack: stopped;")
    assert "interrupted" not in stopped.raw
    assert [path for path in project.folder.rglob("*part*") if path.is_file()] == []


def test_lock_and_plan_speak_as_build_does(place, tmp_path):
    (tmp_path / "main.py").write_text("import idna\n")
    (tmp_path / "requirements.txt").write_text("idna\n")
    words = ("--runtime", "host", "--target", GNU)
    planned = place.pypack("plan", *words, cwd=tmp_path)
    assert WARNING in planned.err
    assert "Resolved packages in" in planned.err
    assert planned.out.startswith(f"{GNU}: ")
    locked = place.pypack("lock", *words, cwd=tmp_path)
    assert "Resolved packages in" in locked.out
    assert (tmp_path / "pylock.toml").read_text().startswith('# Written by "pypack lock"')
    assert place.pypack("lock", *words, "-q", cwd=tmp_path).text == ""
    events = [json.loads(line) for line in place.pypack("lock", *words, "--json", cwd=tmp_path).out.splitlines()]
    assert (events[-1]["event"], events[-1]["code"]) == ("end", 0)


def test_run_leaves_standard_output_to_the_program_also_with_events(place, tmp_path):
    (tmp_path / "main.py").write_text("print('hello')\n")
    words = ("--runtime", "host", "--target", GNU, "--profile", "dev")
    done = place.pypack("run", *words, "--json", cwd=tmp_path)
    assert done.out == "hello\n"
    assert json.loads(done.err.splitlines()[-1])["event"] == "end"


def test_scons_ends_as_the_command_does(place):
    words = ("app=examples/hello", f"target={GNU}", "runtime=host", "profile=dev", "-Q")
    first = place.scons(*words).out
    assert f"Wrote dist/{GNU}/hello: " in first
    assert re.fullmatch(r"Done in [\d.]+ s(, \d+ from the cache)?", first.splitlines()[-1])
    assert "Retrieved" not in first
    assert first.count(WARNING) == 1
    assert WARNING not in place.scons(*words).out
    assert WARNING in place.scons(*words, "verbose=1").out
    failed = place.scons(*words, "entry=nowhere", ok=False)
    assert "Done in" not in failed.text


def test_of_two_targets_the_one_that_cannot_be_built_is_named(project, place):
    done = place.pypack("build", "--target", f"{GNU},{MUSL}", "--runtime", "host", cwd=project.folder, ok=False)
    assert done.code == 2  # one has no such runtime: it is named, and the other can be built
    assert f"{MUSL}: " in done.err
    assert "1 of 2 targets cannot be built" in done.err
