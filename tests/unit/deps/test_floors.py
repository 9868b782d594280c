"""Floors between those that uv knows, and advice where the wheels of a package ask for a newer system."""

from __future__ import annotations

import io
import tarfile
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


def index(folder, *files):
    """Write a requirements file for ``n`` whose only index is a folder with these wheels and sdists."""
    for name in files:
        version = name.split("-")[1].removesuffix(".tar.gz")
        metadata = f"Metadata-Version: 2.2\nName: n\nVersion: {version}\n"
        if name.endswith(".whl"):
            with zipfile.ZipFile(folder / name, "w") as out:
                out.writestr(f"n-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
                out.writestr(f"n-{version}.dist-info/METADATA", metadata)
                out.writestr(f"n-{version}.dist-info/RECORD", "")
        else:
            with tarfile.open(folder / name, "w:gz") as out:
                for path, text in (("PKG-INFO", metadata), ("pyproject.toml", "[project]\nname = 'n'\n")):
                    member = tarfile.TarInfo(f"n-{version}/{path}")
                    member.size = len(text)
                    out.addfile(member, io.BytesIO(text.encode()))
    file = folder / "requirements.txt"
    file.write_text(f"--no-index\n--find-links {folder}\nn\n", encoding="utf-8")
    return Dependencies(kind="requirements", file=file)


OLD, NEWER, NEWEST = (
    "n-1-cp313-cp313-manylinux_2_17_x86_64.whl",
    "n-2-cp313-cp313-manylinux_2_31_x86_64.whl",
    "n-3.tar.gz",
)


@pytest.mark.parametrize(
    ("files", "raised", "version", "notes"),
    [
        ([OLD, NEWER], True, "2", []),
        ([OLD, NEWER], False, "1", []),
        ([OLD, NEWEST], False, "1", ["n 1 is taken: 3 has no wheel for this target (--no-binary n builds it from"
                                     " source; a higher --floor may have one)"]),
        ([NEWER, "n-2.tar.gz"], False, "2", ["n is built from source; --floor glibc=2.34 takes a wheel of it instead"]),
    ],
)  # fmt: skip
def test_what_a_floor_means_for_versions_is_said(tmp_path, files, raised, version, notes):
    said = []
    target = replace(GNU, floor="2.36") if raised else GNU
    request = resolve.Request(
        dependencies=index(tmp_path, *files), target=target, python="3.13.5", usual=GNU if raised else None
    )
    resolve.write(request, tmp_path / "lock", Settings(say=said.append))
    assert f'version = "{version}"' in (tmp_path / "lock").read_text()
    assert said == notes


def test_what_exists_for_newer_systems_alone_is_not_taken_by_itself(tmp_path):
    request = resolve.Request(
        dependencies=index(tmp_path, NEWER), target=replace(GNU, floor="2.36"), python="3.13.5", usual=GNU
    )
    with pytest.raises(StepError) as caught:
        resolve.write(request, tmp_path / "lock", Settings(say=lambda _: None))
    assert caught.value.hint.startswith(
        "ask for a newer system, for which there are wheels: --floor glibc=2.34, or [tool.pypack] floors"
    )
