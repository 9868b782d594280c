"""Locks of other tools, read through the tools themselves, which are stand-ins here."""

from __future__ import annotations

import pytest

from pypack.deps import foreign
from pypack.deps.build import requires
from pypack.errors import StepError


def test_a_lock_is_exported_by_its_tool(tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "poetry"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "click==8.1.7"\necho "# $*"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    lock = tmp_path / "poetry.lock"
    lock.touch()
    text = foreign.export(lock, ("fast",), ("docs",))
    assert text.startswith("click==8.1.7\n# export --format requirements.txt")
    assert text.rstrip().endswith("--extras fast --with docs")
    tool.write_text('#!/bin/sh\necho "The requested command export does not exist." >&2\nexit 1\n')
    with pytest.raises(StepError, match=r"cannot be exported .*\n  The requested command export") as caught:
        foreign.export(lock, (), ())
    assert "poetry-plugin-export" in str(caught.value)


def test_a_build_requirement_with_a_source_is_refused(tmp_path):
    file = tmp_path / "pyproject.toml"
    requires._refuse_sources(file, "tool", ["corp-build"])
    file.write_text('[tool.uv.sources]\nCorp_Build = { path = "../corp" }\n')
    requires._refuse_sources(file, "tool", ["hatchling"])
    with pytest.raises(StepError, match="tool is built with corp-build, for which"):
        requires._refuse_sources(file, "tool", ["hatchling", "corp-build>=1"])
