"""Wheels that are made again from the one before: with the bytes of a full build, or not at all."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import pytest

from pypack.deps.build import copied_files, folder, wheel_archive
from pypack.steps.step import Context, Settings

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "tool"
version = "1"
"""
FILES = {
    "pyproject.toml": PYPROJECT, "README.md": "text\n", "src/tool/__init__.py": "", "src/tool/py.typed": "",
    "src/tool/core.py": "value = 1\n", "src/tool/data.json": "{}\n", "src/tool/copy.txt": "same\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def project(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def context(project, tmp_path, **params) -> Context:
    """Return the context of a build of the project as it is; its tree is gathered."""
    read = folder.read(project, None)
    tree, unhashed = tmp_path / "tree.tar", {"project": read}
    base = Context(product=tree, inputs=(), params={}, settings=Settings(), unhashed=unhashed)
    folder.run_gather(base)
    source = {"source": {"files": read.digest}, "python": "3.13.1"}
    return replace(
        base, product=tmp_path / "wheel.tar", inputs=(tree,), params={**source, **params}, memory=tmp_path / "memory"
    )


def build(context, tmp_path) -> bytes:
    """Build as a backend would that copies, with one file twice; return the bytes of the product."""
    wheel = tmp_path / "tool-1-py3-none-any.whl"
    files = context.unhashed["project"].files
    with zipfile.ZipFile(wheel, "w") as out:
        for name, path in files:
            if name.startswith("src/"):
                out.write(path, name.removeprefix("src/"))
            if name.endswith("copy.txt"):
                out.write(path, "tool/other.txt")
        out.writestr("tool-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1\n\ntext\n")
    record = wheel_archive.build_record({"source": context.params["source"], "requires": {"hatchling": "1"}})
    wheel_archive.pack(wheel, context.product, {wheel_archive.BUILD_RECORD: record})
    copied_files.remember(context)
    return context.product.read_bytes()


@pytest.mark.parametrize("name", ["core.py", "data.json", "__init__.py"])
def test_changed_files_that_are_copied_give_the_bytes_of_a_full_build(project, tmp_path, name):
    build(context(project, tmp_path), tmp_path)
    for text in ("first\n", "second\n"):
        (project / "src" / "tool" / name).write_text(text)
        now = context(project, tmp_path)
        assert copied_files.take_over(now)
        taken = now.product.read_bytes()
        assert taken == build(now, tmp_path)


def change(name, text="changed\n"):
    return lambda project: (project / name).write_text(text)


@pytest.mark.parametrize(
    "edit",
    [
        change("README.md"), change("src/tool/new.py"), change("src/tool/copy.txt"), change("src/tool/LICENSE.txt"),
        change("pyproject.toml", PYPROJECT.replace('"1"', '"2"')), change("hatch_build.py"),
        lambda project: (project / "src/tool/core.py").unlink(),
        lambda project: (project / "src/tool/core.py").chmod(0o755),
    ],
)  # fmt: skip
def test_whatever_else_changes_is_built(project, tmp_path, edit):
    build(context(project, tmp_path), tmp_path)
    edit(project)
    assert not copied_files.take_over(context(project, tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        PYPROJECT.replace('["hatchling"]', '["hatchling", "hatch-build-scripts"]'),
        PYPROJECT.replace("hatchling.build", "own_backend"),
        PYPROJECT + '[tool.hatch.build.hooks.custom]\npath = "hook.py"\n',
        PYPROJECT + '[tool.poetry]\nbuild = "make.py"\n',
        PYPROJECT + '[tool.hatch.build.targets.wheel.force-include]\n"src/tool/core.py" = "x.py"\n',
        PYPROJECT.replace('version = "1"', 'dynamic = ["version"]\n[tool.hatch.version]\npath = "src/tool/core.py"'),
        PYPROJECT.replace(
            'version = "1"', 'dynamic = ["version"]\n[tool.setuptools.dynamic]\nv = {attr = "tool.core.v"}'
        ),
    ],
)
def test_a_backend_that_may_do_more_than_to_copy_builds(project, tmp_path, settings):
    (project / "pyproject.toml").write_text(settings)
    build(context(project, tmp_path), tmp_path)
    (project / "src/tool/core.py").write_text("value = 2\n")
    assert not copied_files.take_over(context(project, tmp_path))


def test_full_builds_in_ci_with_upgrade_and_for_another_python(project, tmp_path, monkeypatch):
    build(context(project, tmp_path), tmp_path)
    (project / "src/tool/core.py").write_text("value = 2\n")
    now = context(project, tmp_path)
    assert not copied_files.take_over(context(project, tmp_path, python="3.13.2"))
    assert not copied_files.take_over(replace(now, settings=Settings(upgrade=True)))
    (next((tmp_path / "memory").glob("*.tar"))).write_bytes(b"damaged")
    assert not copied_files.take_over(now)
    build(now, tmp_path)
    monkeypatch.setenv("CI", "true")
    assert not copied_files.take_over(now)
