"""What a build backend is asked for, and when again."""

from __future__ import annotations

import pytest

from pypack.deps import manifests, metadata
from pypack.errors import InputError

BACKEND = """
import os
def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(os.path.join(folder, "demo-1.dist-info"))
    needs = "".join(f"Requires-Dist: {line}" for line in open("needs/all.list"))
    with open(os.path.join(folder, "demo-1.dist-info", "METADATA"), "w") as stream:
        stream.write(f"Metadata-Version: 2.1\\nName: demo\\nVersion: 1\\n{needs}")
    with open(os.path.join(folder, "demo-1.dist-info", "entry_points.txt"), "w") as stream:
        stream.write("[console_scripts]\\ndemo = demo:main\\n")
    return "demo-1.dist-info"
"""
SYSTEM = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def completed(tmp_path):
    """Return a function from the text of a pyproject.toml to its completed manifest."""
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "needs").mkdir()
    (tmp_path / "needs" / "all.list").write_text("click\n")

    def call(text):
        (tmp_path / "pyproject.toml").write_text(text + SYSTEM)
        manifest = manifests.pyproject(tmp_path / "pyproject.toml")
        return metadata.complete(manifest, tmp_path / "memory.json")

    return call


def test_a_file_without_project_leaves_all_to_its_backend(completed, tmp_path):
    poetry = '[tool.poetry]\nname = "demo"\nversion = "1"\n'
    manifest = completed(poetry)
    assert (manifest.name, manifest.version, manifest.built) == ("demo", "1", True)
    assert (manifest.dependencies, dict(manifest.scripts)) == (("click",), {"demo": "demo:main"})
    assert manifest.states_dependencies
    (tmp_path / "needs" / "all.list").write_text("rich\n")
    assert completed(poetry).dependencies == ("rich",)
    (tmp_path / "needs" / "all.list").unlink()
    with pytest.raises(InputError, match=r"leaves its packages or commands to backend, which fails"):
        completed(poetry)


def test_only_what_is_dynamic_comes_from_the_backend(completed, tmp_path):
    project = '[project]\nname = "demo"\nversion = "2"\ndependencies = ["a"]\ndynamic = ["scripts"]\n'
    manifest = completed(project)
    assert (manifest.version, manifest.dependencies, dict(manifest.scripts)) == ("2", ("a",), {"demo": "demo:main"})
    memory = (tmp_path / "memory.json").read_text()
    (tmp_path / "module.txt").write_text("")  # a settings file, which asks again
    assert completed(project) == manifest
    assert (tmp_path / "memory.json").read_text() != memory
    assert completed('[project]\nname = "demo"\ndynamic = ["version"]\n').scripts == {}
