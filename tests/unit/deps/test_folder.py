"""Which files of a project's folder its build sees, and what happens to those that change meanwhile."""

from __future__ import annotations

import dataclasses

import pytest

from pypack.deps.build import folder
from pypack.errors import InputError
from pypack.formats import image
from pypack.steps.step import Context, Settings

HATCH = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "tool"\n'


def write(root, *names, text="") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def seen(root) -> set[str]:
    return {name for name, _ in folder.read(root, None).files}


def gather(project, product) -> dict[str, str]:
    unhashed = {"project": project}
    folder.run_gather(
        Context(product=product, inputs=(), params={"digest": project.digest}, settings=Settings(), unhashed=unhashed)
    )
    image.unpack(product, product.with_suffix(""))
    files = (path for path in product.with_suffix("").rglob("*") if path.is_file())
    return {path.relative_to(product.with_suffix("")).as_posix(): path.read_text() for path in files}


def test_hidden_files_are_seen_and_what_tools_write_is_not(tmp_path):
    data = {
        "src/tool/template/.github/workflows/ci.yml", "src/tool/.streamlit/config.toml", "src/tool/t/.vscode/a.json",
        "src/tool/__init__.py", "src/tool/static/node_modules/a.js", ".hidden/data.txt", "src/tool/old~",
        "src/tool/db.sqlite3",
    }  # fmt: skip
    write(tmp_path, *data)
    write(tmp_path, ".git/HEAD", ".venv/pyvenv.cfg", ".tox/a", "node_modules/a.js", ".vscode/a", "dist/a", "a.log")
    write(
        tmp_path,
        "db.sqlite3",
        "nohup.out",
        "src/tool/__pycache__/a.pyc",
        "src/tool.egg-info/SOURCES.txt",
        ".c/CACHEDIR.TAG",
    )
    write(tmp_path, "pyproject.toml", text=HATCH)
    assert seen(tmp_path) == data | {"pyproject.toml"}


def test_a_log_that_settings_name_is_seen(tmp_path):
    write(tmp_path, "sample.log", "other.db")
    write(tmp_path, "pyproject.toml", text=f'{HATCH}[tool.hatch.build]\nforce-include = {{"sample.log" = "a.log"}}\n')
    assert seen(tmp_path) == {"pyproject.toml", "sample.log"}


def test_a_log_below_the_top_may_grow_and_files_may_come(tmp_path):
    root = tmp_path / "tool"
    write(root, "pyproject.toml", text=HATCH)
    write(root, "logs/server.log", text="one\ntwo\n")
    project = folder.read(root, None)
    write(root, "logs/server.log", text="one\ntwo\nthree\n")
    write(root, "late.py")
    assert gather(project, tmp_path / "tree.tar") == {"pyproject.toml": HATCH, "logs/server.log": "one\ntwo\n"}


@pytest.mark.parametrize("change", ["rewrite", "remove"])
def test_a_file_that_changes_meanwhile_is_named(tmp_path, change):
    root = tmp_path / "tool"
    write(root, "pyproject.toml", text=HATCH)
    write(root, "tool/data.bin", text="old")
    project = folder.read(root, None)
    write(root, "tool/data.bin", text="now") if change == "rewrite" else (root / "tool/data.bin").unlink()
    with pytest.raises(InputError, match=r"changes while it is being built: tool/data\.bin") as caught:
        gather(project, tmp_path / "tree.tar")
    assert "stop what writes there" in str(caught.value)
    assert not (tmp_path / "tree.tar").exists()


def test_the_order_of_files_and_their_modes_are_in_the_digest(tmp_path):
    write(tmp_path, "pyproject.toml", text=HATCH)
    write(tmp_path, "run.sh")
    before = folder.read(tmp_path, None)
    (tmp_path / "run.sh").chmod(0o755)
    assert folder.read(tmp_path, None).digest != before.digest
    assert dataclasses.replace(before, path=tmp_path) == before
