"""Environment markers on a target, and whether a lock of others serves it."""

from __future__ import annotations

import pytest

from pypack.base import targets
from pypack.deps import lock_checks, markers
from pypack.deps.inputs import Dependencies
from pypack.deps.manifests import Manifest
from pypack.errors import InputError

TABLE = targets.load()
ORJSON = {"name": "orjson", "version": "3"}
GNU, WINDOWS, MAC = (TABLE[name] for name in ("linux-gnu-x86_64", "windows-aarch64", "macos-aarch64"))


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'linux'", [GNU]),
        ("platform_machine == 'ARM64'", [WINDOWS]),
        ("platform_machine == 'arm64'", [MAC]),
        ("os_name == 'posix'", [GNU, MAC]),
        ("platform_system == 'Darwin' or platform_system == 'Windows'", [WINDOWS, MAC]),
        ("python_version >= '3.10' and python_full_version < '3.13.6'", [GNU, WINDOWS, MAC]),
        ("implementation_name == 'cpython' and platform_python_implementation == 'CPython'", [GNU, WINDOWS, MAC]),
        ("python_version < '3.9'", []),
    ],
)
def test_markers_find_what_is_on_the_target(marker, holds):
    assert [each for each in (GNU, WINDOWS, MAC) if markers.applies(marker, each, "3.13.5")] == holds


def test_extras_and_groups_of_a_lock():
    assert markers.applies("'fast' in extras", GNU, "3.13.5", extras=["fast"])
    assert not markers.applies("'fast' in extras", GNU, "3.13.5", groups=["fast"])
    assert markers.applies("'dev' in dependency_groups", GNU, "3.13.5", groups=["dev"])


def test_a_lock_is_narrowed_to_what_the_target_takes():
    rows = [
        {"name": "all"},
        {"name": "win", "marker": "sys_platform == 'win32'"},
        {"name": "dev", "marker": "'dev' in dependency_groups"},
        {"name": "usual", "marker": "'usual' in dependency_groups"},
    ]
    table = {"lock-version": "1.0", "default-groups": ["usual"], "packages": rows}

    def names(target, **more):
        return [row["name"] for row in markers.narrowed(table, target, "3.13.5", **more)["packages"]]

    assert names(GNU) == ["all", "usual"]
    assert names(WINDOWS, groups=["dev"]) == ["all", "win", "dev", "usual"]
    assert markers.narrowed(table, GNU, "3.13.5")["lock-version"] == "1.0"


def refused(table, tmp_path, *, asked=(), extras=(), kind="pylock") -> str:
    manifest = Manifest(file=tmp_path / "pyproject.toml", dependencies=asked, extras={"fast": ("orjson>=3",)})
    dependencies = Dependencies(kind=kind, file=tmp_path / "x.lock", manifest=manifest, extras=extras)
    try:
        lock_checks.check({"packages": [], **table}, dependencies, target=GNU, python="3.13.5")
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"requires-python": ">=3.11"}, ""),
        ({"requires-python": ">=3.14"}, "it is for Python >=3.14"),
        ({"environments": ["sys_platform == 'linux'"]}, ""),
        (
            {"environments": ["os_name == 'nt'", "sys_platform == 'darwin'"]},
            "it is for os_name == 'nt' or sys_platform",
        ),
        ({"extras": ["other"]}, "it was made without the extra fast"),
        ({"packages": [{"name": "a", "version": "1", "requires-python": ">3.13.5"}]}, "a 1 needs Python >3.13.5"),
        ({"packages": [ORJSON, {"name": "a", "requires-python": ">9", "marker": "os_name == 'nt'"}]}, ""),
    ],
)
def test_a_lock_that_is_for_something_else(tmp_path, table, told):
    found = refused({"packages": [ORJSON], **table}, tmp_path, extras=("fast",))
    if told:
        assert "does not serve linux-gnu-x86_64, Python 3.13.5" in found
        assert told in found
    else:
        assert found == ""


@pytest.mark.parametrize(
    ("asked", "extras", "told"),
    [
        (("click",), (), ""),
        (("Click>=8,<9", "rich"), (), "rich is not in it"),
        (("click>=9",), (), "it has click 8.1, and click>=9 is asked for"),
        (("rich; sys_platform == 'win32'",), (), ""),
        (("click",), ("fast",), "orjson is not in it"),
        (("local",), (), ""),
    ],
)
def test_a_lock_that_is_older_than_the_manifest(tmp_path, asked, extras, told):
    table = {"packages": [{"name": "click", "version": "8.1"}, {"name": "local"}]}
    found = refused(table, tmp_path, asked=asked, extras=extras)
    assert told in found
    assert bool(found) is bool(told)
    if told:
        assert "x.lock is older than pyproject.toml" in found
        assert "run pypack lock" in found
        assert "run uv lock" in refused(table, tmp_path, asked=asked, extras=extras, kind="uv-lock")
