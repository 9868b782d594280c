"""The provider that builds CPython from source: what it serves, on which hosts."""

from __future__ import annotations

import pytest
from tests.unit.runtimes.test_cpython import GNU, GNU_ARM, MUSL, MUSL_ARM

from pypack.base import targets
from pypack.runtimes.base import Request
from pypack.runtimes.cpython import table
from pypack.runtimes.source import SourceProvider
from pypack.steps.step import Settings, Step

# --- the provider ---


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr("pypack.base.hosts.system", lambda: "linux")
    monkeypatch.setattr("pypack.base.hosts.arch", lambda: "x86_64")


def test_the_provider_describes_a_static_runtime(on_linux):
    request = Request(target=targets.load()[MUSL], version="3.13")
    assert SourceProvider().unsupported_reason(request) == ""
    runtime = SourceProvider().runtime(request)
    assert runtime.static
    assert runtime.version.startswith("3.13.")
    assert runtime.dev is not None
    assert runtime.loader == ""
    assert runtime.output_dir == f"runtime/{MUSL}/source-3.13.5"
    assert len(runtime.pins) == 1 + len(table.load().libraries)
    assert any("no native wheel" in note for note in runtime.notes)
    assert {"idlelib", "tkinter", "turtle"} <= set(runtime.missing_modules)


@pytest.mark.parametrize("name", [MUSL, MUSL_ARM])
def test_native_wheels_take_the_shared_musl_runtime_with_a_loader(on_linux, name):
    request = Request(target=targets.load()[name], native=True)
    assert SourceProvider().unsupported_reason(request) == ""
    runtime = SourceProvider().runtime(request)
    assert not runtime.static
    assert runtime.loader == f"lib/ld-musl-{request.target.arch}.so.1"
    assert runtime.output_dir == f"runtime/{name}/source-3.13.5-shared"
    assert runtime.image.product == f"source/{name}/python-3.13.5-shared.loader.tar"
    assert [each.action for each in runtime.image.inputs if isinstance(each, Step)] == ["runtime", "loader", "link"]
    assert len(runtime.pins) == 2 + len(table.load().libraries)
    assert not any("no native wheel" in note for note in runtime.notes)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", [GNU, GNU_ARM])
def test_gnu_has_one_runtime_for_all(on_linux, name, native):
    runtime = SourceProvider().runtime(Request(target=targets.load()[name], native=native))
    assert (runtime.static, runtime.loader) == (False, "")
    assert runtime.output_dir == f"runtime/{name}/source-3.13.5"


@pytest.mark.parametrize(
    ("target", "version", "why"),
    [
        ("windows-x86_64", "3.13", "windows-x86_64 cannot be built from source (only linux-musl-x86_64, "),
        ("macos-aarch64", "", "cannot be built from source"),
        (MUSL, "3.12", "the pinned source is CPython 3.13"),
        (MUSL, "3.13.4", "not 3.13.4"),
    ],
)
def test_refusals(on_linux, target, version, why):
    assert why in SourceProvider().unsupported_reason(Request(target=targets.load()[target], version=version))


@pytest.mark.parametrize(("system", "arch"), [("macos", "aarch64"), ("windows", "x86_64"), ("linux", "riscv64")])
def test_another_host_is_refused(monkeypatch, system, arch):
    monkeypatch.setattr("pypack.base.hosts.system", lambda: system)
    monkeypatch.setattr("pypack.base.hosts.arch", lambda: arch)
    why = SourceProvider().unsupported_reason(Request(target=targets.load()[MUSL]))
    assert "on Linux x86_64 or aarch64 only, because" in why
    assert f"this machine is {system} {arch}" in why


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_both_processors_build_for_both(monkeypatch, arch):
    monkeypatch.setattr("pypack.base.hosts.system", lambda: "linux")
    monkeypatch.setattr("pypack.base.hosts.arch", lambda: arch)
    for name in (MUSL, MUSL_ARM, GNU, GNU_ARM):
        assert SourceProvider().unsupported_reason(Request(target=targets.load()[name])) == ""


def test_reachable_offline_only_with_all_archives(on_linux, monkeypatch, tmp_path):
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(tmp_path))
    request = Request(target=targets.load()[MUSL])
    assert not SourceProvider().reachable(request, Settings(offline=True))
