"""``pypack init``: what it writes, and that it changes nothing that is there."""

from __future__ import annotations

import ast
import tomllib

import pytest

from pypack.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").write_text("print('hi')\n")
    return tmp_path


def test_settings_for_a_folder_without_metadata(folder, capsys):
    assert main(["init"]) == 0
    table = tomllib.loads((folder / "pyproject.toml").read_text())
    assert table == {"tool": {"pypack": {}}}  # no [project], which would change what names the packages
    assert '# entry = "main.py"' in (folder / "pyproject.toml").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == "next: pypack build"


def test_settings_are_added_behind_what_is_there(folder, capsys):
    text = '[project]\nname = "tool"\nversion = "1"\n[project.scripts]\ntool = "main:go"'
    (folder / "pyproject.toml").write_text(text)
    assert main(["init", "--entry", "main.py"]) == 0
    written = (folder / "pyproject.toml").read_text()
    assert written.startswith(text + '\n\n[tool.pypack]\nentry = "main.py"\n')
    assert tomllib.loads(written)["tool"]["pypack"] == {"entry": "main.py"}
    assert main(["init"]) == 0
    assert (folder / "pyproject.toml").read_text() == written
    assert "has [tool.pypack] already" in capsys.readouterr().out


def test_commented_settings_are_right_ones(folder):
    main(["init"])
    lines = (folder / "pyproject.toml").read_text().splitlines()
    commented = [line[2:] for line in lines if line.startswith("# ") and " = " in line]
    (folder / "pyproject.toml").write_text("\n".join(["[tool.pypack]", *commented]))
    from pypack.project import program

    assert program.load(folder).python == "3.13"


def test_files_for_ci_nox_and_scons(folder, capsys):
    (folder / "SConstruct").write_text("mine\n")
    assert main(["init", "--ci", "github", "--nox", "--scons"]) == 0
    assert (folder / "SConstruct").read_text() == "mine\n"
    assert "SConstruct is there already" in capsys.readouterr().out
    assert "pypack build --target all" in (folder / ".github/workflows/bundles.yml").read_text()
    ast.parse((folder / "noxfile.py").read_text())
    assert main(["init", "--ci", "gitlab"]) == 0
    assert (folder / ".gitlab-ci.yml").is_file()


def test_a_missing_folder_is_refused(folder, capsys):
    assert main(["init", "nowhere"]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert not (folder / "nowhere").exists()


def test_a_folder_without_a_program_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--nox"]) == 2
    assert "no entry point" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
