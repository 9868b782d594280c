"""What a lock is made from: local projects and what they lead to, folders of packages, settings."""

from __future__ import annotations

import pytest

from pypack.base.targets import load
from pypack.deps import inputs, lock_inputs, manifests
from pypack.deps.resolve import Request

PROJECT = '[project]\nname = "{}"\nversion = "1"\ndependencies = {}\n'


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a file below a folder and returns its path."""
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(tmp_path / "cache"))

    def call(name, text=""):
        file = tmp_path / "all" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
        return file

    return call


def stamp(file):
    manifest = manifests.pyproject(file) if file.suffix == ".toml" else manifests.script(file)
    dependencies = inputs.Dependencies(kind=inputs.kind_of(file), file=file, manifest=manifest)
    return Request(dependencies=dependencies, target=load()["linux-gnu-x86_64"], python="3.13.0").stamp


def requirements_stamp(file):
    dependencies = inputs.Dependencies(kind="requirements", file=file)
    return Request(dependencies=dependencies, target=load()["linux-gnu-x86_64"], python="3.13.0").stamp


def test_projects_that_local_projects_lead_to(write):
    sources = '[tool.uv.sources]\nb = {{ path = "../{}" }}\n'
    app = write("a/pyproject.toml", PROJECT.format("a", '["b"]') + sources.format("b"))
    write("b/pyproject.toml", PROJECT.format("b", '["c"]') + sources.format("c").replace("b =", "c ="))
    write("c/setup.py")
    first = stamp(app)
    assert first == stamp(app)
    write("c/requirements/prod.txt", "rich\n")  # which the setup.py may read
    second = stamp(app)
    write("c/setup.py", "# more")
    write("a/main.py", "# of no matter")
    assert len({first, second, stamp(app)}) == 3
    dependencies = inputs.Dependencies(kind="pyproject", file=app, manifest=manifests.pyproject(app))
    assert lock_inputs.refreshes(dependencies)


def test_members_of_a_workspace(write):
    write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    uses = "[tool.uv.sources]\nlib = { workspace = true }\n"
    app = write("packages/app/pyproject.toml", PROJECT.format("app", '["lib"]') + uses)
    write("packages/lib/pyproject.toml", PROJECT.format("lib", "[]"))
    before = stamp(app)
    write("packages/lib/pyproject.toml", PROJECT.format("lib", '["iniconfig"]'))
    assert stamp(app) != before


def test_sources_of_a_script(write):
    block = 'dependencies = ["lib"]\n[tool.uv.sources]\nlib = { path = "lib" }\n'
    script = write("tool.py", "# /// script\n" + "".join(f"# {line}\n" for line in block.splitlines()) + "# ///\n")
    write("lib/pyproject.toml", PROJECT.format("lib", "[]"))
    before = stamp(script)
    write("lib/pyproject.toml", PROJECT.format("lib", '["iniconfig"]'))
    assert stamp(script) != before


def test_folders_of_packages_count_by_what_they_hold(write, monkeypatch, tmp_path):
    wheel = write("wheels/a-1-py3-none-any.whl", "one")
    listed = write("app/requirements.txt", "--find-links ../wheels\na\n")
    before = requirements_stamp(listed)
    wheel.write_text("two")
    after = requirements_stamp(listed)
    write("wheels/notes.md")
    assert before != after == requirements_stamp(listed)
    write("wheels/a-2-py3-none-any.whl")
    assert requirements_stamp(listed) != after
    plain = write("other/requirements.txt", "a\n")
    write("other/uv.toml", '[[index]]\nurl = "../index"\n')
    write("index/a/index.html", "x")
    before = requirements_stamp(plain)
    write("index/a/index.html", "xyz")
    assert requirements_stamp(plain) != before
    monkeypatch.setenv("UV_FIND_LINKS", f"{tmp_path / 'all' / 'wheels'},/nowhere")
    by_variable = requirements_stamp(plain)
    wheel.write_text("three")
    assert requirements_stamp(plain) != by_variable
