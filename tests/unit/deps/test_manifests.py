"""What a program says of itself: pyproject.toml, setup.py, a script's inline metadata."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pypack.deps import manifests
from pypack.errors import InputError


def pyproject(folder, text):
    (folder / "pyproject.toml").write_text(text)
    return manifests.pyproject(folder / "pyproject.toml")


WHOLE = """
[build-system]
requires = ["hatchling"]
[project]
name = "greet"
version = "1.2"
description = "Greets"
requires-python = ">=3.11"
dependencies = ["click>=8", "tomli; python_version < '3.11'"]
[project.optional-dependencies]
Fast_Json = ["orjson"]
[project.scripts]
greet = "greet.cli : main"
[project.gui-scripts]
greetw = "greet.gui:App.run"
[dependency-groups]
test = ["pytest"]
all-of-it = [{include-group = "test"}, "ruff"]
"""


def test_a_whole_pyproject(tmp_path):
    found = pyproject(tmp_path, WHOLE)
    assert (found.name, found.version, found.description, found.requires_python) == ("greet", "1.2", "Greets", ">=3.11")
    assert found.dependencies == ("click>=8", "tomli; python_version < '3.11'")
    assert found.extras == {"fast-json": ("orjson",)}
    assert found.groups == {"test": ("pytest",), "all-of-it": ("pytest", "ruff")}
    assert (found.scripts, found.gui_scripts) == ({"greet": "greet.cli:main"}, {"greetw": "greet.gui:App.run"})
    assert (found.built, found.states_dependencies) == (True, True)
    assert found.chosen(["fast.JSON"], ["TEST"]) == (*found.dependencies, "orjson", "pytest")


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("", False),
        ('[project]\nname = "a"\n', False),
        ('[project]\nname = "a"\ndependencies = []\n', False),
        ('[project]\nname = "a"\ndynamic = ["version"]\n', False),
        ('[project]\nname = "a"\ndynamic = ["dependencies"]\n', True),
        ('[dependency-groups]\na = ["b"]\n', True),
    ],
)
def test_whether_it_says_anything_of_packages(tmp_path, text, states):
    assert pyproject(tmp_path, text).states_dependencies is states


def test_every_fault_is_told_in_one_error(tmp_path):
    text = """
[project]
name = 3
dependencies = ["click>>8", 4, "fine"]
optional-dependencies = { a = "b" }
scripts = { one = "no colon", two = 2, three = "a.b:c.d" }
[dependency-groups]
gone = [{include-group = "nowhere"}]
"""
    with pytest.raises(InputError) as caught:
        pyproject(tmp_path, text)
    told = str(caught.value)
    for line in (
        "name: must be a string, is 3",
        "project.dependencies: 'click>>8' is no requirement",
        "project.dependencies: 4 is no requirement",
        "project.optional-dependencies.a: must be a list of requirements, is 'b'",
        "project.scripts.one: must be module:function, is 'no colon'",
        "project.scripts.two: must be module:function, is 2",
        "dependency-groups.gone: ",
    ):
        assert f"\n  {line}" in told, told
    assert "three" not in told
    assert "fine" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[project\n", "cannot be read"),
        ("project = 3\n", "project in .* must be a table, is 3"),
        ("[project]\ndependencies = 'a'\n", "must be a list of requirements, is 'a'"),
        ("[project]\nscripts = []\n", r"project\.scripts: must be a table"),
        ("dependency-groups = []\n", "dependency-groups: must be a table"),
        ('[dependency-groups]\na = [{include-group = "a"}]\n', r"dependency-groups\.a: .*yclic"),
    ],
)
def test_faults_one_by_one(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        pyproject(tmp_path, text)


def test_a_script_s_inline_metadata(tmp_path):
    script = tmp_path / "tool.py"
    block = '# /// script\n# requires-python = ">=3.12"\n# dependencies = [\n#   "click",\n#\n# ]\n# ///\n'
    script.write_text(f"#!/usr/bin/env python\n{block}print(1)\n")
    found = manifests.script(script)
    assert (found.requires_python, found.dependencies, found.file) == (">=3.12", ("click",), script)
    before = manifests.script_block(script)
    script.write_text(f"{block}print(2)\n")
    assert manifests.script_block(script) == before != ""
    script.write_text("print(1)\n# /// other\n# a = 1\n# ///\n")
    assert manifests.script(script) is None
    assert manifests.script_block(script) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# /// script\n# a = [\n# ///\n", "inline metadata of .* cannot be read"),
        ("# /// script\n# dependencies = 'a'\n# ///\n", "must be a list of requirements"),
        ("# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", "2 blocks of inline metadata"),
    ],
)
def test_faults_of_inline_metadata(tmp_path, text, told):
    (tmp_path / "tool.py").write_text(text)
    with pytest.raises(InputError, match=told):
        manifests.script(tmp_path / "tool.py")


TOLD = {
    "name": "old", "version": "1", "description": "", "requires_python": ">=3", "dependencies": ["click"],
    "extras": {"fast": ["orjson"], ":python_version<'3'": ["six"]},
    "entry_points": {"console_scripts": ["old = old.cli:main [fast]"], "gui_scripts": "oldw = old:gui\n"},
}  # fmt: skip


def test_setuptools_is_asked_again_only_when_a_file_has_changed(tmp_path, monkeypatch):
    asked = []
    read = tmp_path / "requirements" / "prod.list"
    monkeypatch.setattr(
        manifests, "_ask_setuptools", lambda _, file: (asked.append(file) or TOLD, [str(read), "/dev/null"])
    )
    read.parent.mkdir()
    read.write_text("click\n")
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = old\n")
    memory = tmp_path / "memory" / "setup.json"
    found = manifests.setup(tmp_path, memory)
    assert (found.name, found.dependencies, found.extras) == ("old", ("click",), {"fast": ("orjson",)})
    assert (found.scripts, found.gui_scripts, found.built) == ({"old": "old.cli:main"}, {"oldw": "old:gui"}, False)
    assert found == manifests.setup(tmp_path, memory)
    assert asked == [tmp_path / "setup.cfg"]
    (tmp_path / "setup.py").write_text("")
    assert manifests.setup(tmp_path, memory).file == tmp_path / "setup.py"
    memory.write_text("no JSON")
    manifests.setup(tmp_path, memory)
    assert len(asked) == 3
    read.write_text("rich\n")  # what a setup.py opened counts too
    manifests.setup(tmp_path, memory)
    assert len(asked) == 4
    assert json.loads(memory.read_text())["told"] == TOLD


def test_what_a_program_asks_of_itself_is_its_extras():
    extras = {"all": ("Demo[a]", "x"), "a": ("demo[b]", "y"), "b": ("z",)}
    manifest = manifests.Manifest(file=Path("setup.py"), name="demo", dependencies=("w",), extras=extras)
    assert manifest.chosen(("all",), ()) == ("w", "x", "y", "z")


METADATA = """Metadata-Version: 2.1
Name: demo
Version: 1
Provides-Extra: fast
Requires-Dist: a
Requires-Dist: b; python_version < "3" and extra == "fast"
Requires-Dist: c ; extra == 'fast'
Requires-Dist: d; extra == "fast" and sys_platform == "win32"
"""


def test_metadata_gives_extras_apart():
    manifest = manifests.of_metadata(Path("x"), metadata=METADATA, points="[console_scripts]\ndemo = demo:main\n")
    assert (manifest.dependencies, dict(manifest.scripts)) == (("a",), {"demo": "demo:main"})
    assert manifest.extras == {"fast": ('b; python_version < "3"', "c", 'd; sys_platform == "win32"')}
