"""Which Python the files of a project ask for."""

from __future__ import annotations

import pytest

from pypack.project import program, python_choice


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.12\n", "3.12"), ("3.12.4", "3.12.4"), ("# mine\ncpython-3.13.1-linux-x86_64-gnu\n", "3.13.1"), ("", ""),
        ("cpython@3.13", ""), ("pypy3.10\n3.11\n", "3.11"), ("my-virtualenv\n", ""), ("3.11 # why", "3.11"),
    ],
)  # fmt: skip
def test_a_version_file(tmp_path, text, version):
    (tmp_path / ".python-version").write_text(text)
    assert python_choice.read(tmp_path, ()).version == version


def test_files_of_a_project_are_read_together(tmp_path):
    (tmp_path / "main.py").write_text('# /// script\n# requires-python = "<3.14"\n# dependencies = []\n# ///\n')
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nrequires-python = ">=3.12"\n[tool.uv]\npython-preference = "only-system"\n'
    )
    choice = program.load(tmp_path).choice
    assert (choice.python_range, choice.prefer_host, choice.version) == (">=3.12,<3.14", True, "")
    assert choice.sources == (
        "requires-python >=3.12 in pyproject.toml", "requires-python <3.14 in main.py", "uv's python-preference",
    )  # fmt: skip
    (tmp_path / ".python-version").write_text("3.13\n")
    assert program.load(tmp_path).choice.sources[0] == ".python-version (3.13)"


def test_files_beside_a_lone_script_say_nothing(tmp_path):
    (tmp_path / ".python-version").write_text("3.12\n")
    (tmp_path / "main.py").write_text("")
    assert program.load(tmp_path / "main.py").choice == python_choice.PythonChoice()
