"""What the program is where several files could be it, and how a build says so."""

from __future__ import annotations

import pytest

from pypack.deps.manifests import Manifest
from pypack.errors import InputError
from pypack.project import entries, program
from pypack.project.entries import Entry


@pytest.mark.parametrize("name", ["test_tool.py", "tool_test.py", "conftest.py", "setup.py", "noxfile.py", "dodo.py"])
def test_a_lone_script_for_tests_or_tools_is_no_program(tmp_path, name):
    (tmp_path / name).write_text("" if name != "setup.py" else "import setuptools; setuptools.setup(name='x')")
    with pytest.raises(InputError) as caught:
        program.load(tmp_path)
    assert f"cli.py ({name}: for tests and tools)" in str(caught.value)
    (tmp_path / "tool.py").write_text("")
    assert program.load(tmp_path).entry == Entry(kind="script", name="tool.py")
    assert program.load(tmp_path, entry=name).entry == Entry(kind="script", name=name)


def test_the_package_of_tests_is_not_one_of_several(tmp_path):
    for package in ("greet", "tests"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__main__.py").write_text("")
    assert program.load(tmp_path).entry == Entry(kind="module", name="greet")


@pytest.mark.parametrize("entry", ["main.py", "./main.py", "{folder}/main.py", "up/main.py", "{link}/main.py"])
@pytest.mark.parametrize("app", ["{folder}", "up", "{link}"])
def test_a_script_of_a_named_folder_may_be_spelt_in_any_way(tmp_path, monkeypatch, entry, app):
    folder = tmp_path / "up"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for name in ("main.py", "helper.py", "requirements.txt"):
        (folder / name).write_text("")
    monkeypatch.chdir(tmp_path)
    names = {"folder": folder, "link": tmp_path / "link"}
    found = program.load(tmp_path / app.format(**names), entry=entry.format(**names))
    assert (found.entry, found.only) == (Entry(kind="script", name="main.py"), ())
    assert found.dependencies.file.name == "requirements.txt"


def test_a_script_of_another_folder_is_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "main.py").write_text("")
    with pytest.raises(InputError, match="is not in"):
        program.load(tmp_path / "a", entry=str(tmp_path / "b/main.py"))


def test_in_a_projects_folder_no_folder_means_that_project(tmp_path, monkeypatch):
    (tmp_path / "main.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert program.load(entry="main.py").only == ("main.py",)
    (tmp_path / "requirements.txt").write_text("click\n")
    for entry in ("main.py", str(tmp_path / "main.py")):
        found = program.load(entry=entry)
        assert (found.only, found.dependencies.kind) == ((), "requirements")
    assert program.load(tmp_path / "main.py").only == ("main.py",)
    (tmp_path / "main.py").write_text('# /// script\n# dependencies = ["idna"]\n# ///\n')
    assert program.load(entry="main.py").dependencies.kind == "script"


def test_window_programs_are_commands_too(tmp_path):
    (tmp_path / "tool.py").write_text("def run(): ...\ndef show(): ...\n")
    text = '[project]\nname = "tool"\n[project.scripts]\ntool = "tool:run [extra]"\n'
    (tmp_path / "pyproject.toml").write_text(f'{text}[project.gui-scripts]\ntoolw = "tool:show"\n')
    found = program.load(tmp_path)
    assert found.entry.scripts == (("tool", "tool:run"), ("toolw", "tool:show"))
    assert found.console
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tool"\n[project.gui-scripts]\ntoolw = "tool:show"\n')
    assert not program.load(tmp_path).console


COMMANDS = '[project]\nname = "tool"\n[project.scripts]\n'


@pytest.mark.parametrize(
    ("scripts", "entry", "line"),
    [
        ("", "", "the program is the script tool.py (--entry chooses another)"),
        ("", "tool.py", "the program is the script tool.py"),
        ("", "tool", "the program is python -m tool"),
        ("", "tool:run", "the program is tool:run"),
        ('one = "tool:run"', "", "the program is the command one, tool:run (--entry chooses another)"),
        ('one = "tool:run"', "one", "the program is the command one, tool:run"),
        (
            'one = "tool:run"\ntwo = "tool:run"', "",
            "the program is 2 commands (one, two): the name that it is started by selects one (--alias makes links of"
            " these names), else its first argument does; --entry takes one alone",
        ),
    ],
)  # fmt: skip
def test_the_program_is_described_in_one_line(tmp_path, scripts, entry, line):
    (tmp_path / "tool.py").write_text("def run(): ...\n")
    (tmp_path / "pyproject.toml").write_text(COMMANDS + scripts)
    assert program.load(tmp_path, entry=entry).notes[0] == line


SCRIPTS = {"bin/tool": "#!/usr/bin/env python3\n", "bin/helper": "#!python\n", "bin/tool.sh": "#!/bin/sh\n"}


def project_with_scripts(folder, *names, name="tool") -> Manifest:
    for path, text in {**SCRIPTS, "main.py": ""}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return Manifest(file=folder / "setup.py", name=name, script_files=names, built=True)


def test_the_script_that_a_setup_installs_is_the_program(tmp_path):
    manifest = project_with_scripts(tmp_path, "bin/tool", "bin/tool.sh")
    found = entries.find(tmp_path, "", manifest)
    assert (found.entry, found.command) == (Entry(kind="script", name="bin/tool"), "tool")


def test_several_scripts_are_several_commands(tmp_path):
    manifest = project_with_scripts(tmp_path, *SCRIPTS)
    found = entries.find(tmp_path, "", manifest)
    assert found.entry == Entry(kind="scripts", name="", script_files=(("helper", "bin/helper"), ("tool", "bin/tool")))
    assert (found.stem, found.entry.commands) == ("tool", ["helper", "tool"])
    assert entries.find(tmp_path, "helper", manifest).entry.name == "bin/helper"
