"""Floors between those that uv knows, and advice where the wheels of a package ask for a newer system."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import pytest

from pypack.base import targets
from pypack.deps import resolve, tags
from pypack.deps.inputs import Dependencies
from pypack.errors import StepError
from pypack.steps.step import Settings

GNU = targets.load()["linux-gnu-x86_64"]


@pytest.mark.parametrize(
    ("floor", "platform"), [("2.17", "2_17"), ("2.27", "2_17"), ("2.28", "2_28"), ("2.34", "2_34"), ("2.99", "2_40")]
)
def test_uv_is_told_a_floor_that_it_knows(floor, platform):
    assert tags.uv_platform(replace(GNU, floor=floor)) == f"x86_64-manylinux_{platform}"


def test_a_floor_that_helps_is_named(tmp_path):
    error = refused(tmp_path, "n-1-cp313-cp313-manylinux_2_31_x86_64.whl")
    assert '[tool.pypack] floors = { glibc = "2.34" }' in error.hint


@pytest.mark.parametrize("platform", ["win_amd64", "manylinux_2_99_x86_64"])
def test_no_floor_is_named_where_none_helps(tmp_path, platform):
    error = refused(tmp_path, f"n-1-cp313-cp313-{platform}.whl")
    assert "floors" not in error.hint
    assert "no wheel for this target" in error.hint


def refused(folder, wheel):
    """Return the error of a real uv whose only index is a folder with one wheel."""
    with zipfile.ZipFile(folder / wheel, "w") as out:
        out.writestr("n-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        out.writestr("n-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: n\nVersion: 1\n")
        out.writestr("n-1.dist-info/RECORD", "")
    file = folder / "requirements.txt"
    file.write_text(f"--no-index\n--find-links {folder}\nn\n", encoding="utf-8")
    dependencies = Dependencies(kind="requirements", file=file)
    request = resolve.Request(dependencies=dependencies, target=GNU, python="3.13.5", build=False)
    with pytest.raises(StepError, match="cannot be resolved") as caught:
        resolve.write(request, folder / "lock", Settings(say=lambda _: None))
    return caught.value
