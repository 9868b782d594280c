"""What provider ``host`` refuses, which files it takes, and when it notices a change."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pypack.base import hosts, targets
from pypack.base.targets import Layout
from pypack.formats.image import ImageBuilder
from pypack.runtimes import host_fingerprint, host_interpreter, host_libraries, host_tree, tree
from pypack.runtimes.base import Request
from pypack.runtimes.host import HostProvider

LAYOUT = Layout(
    python="bin/python3.13",
    libpython="lib/libpython3.13.so.1.0",
    stdlib="lib/python3.13",
    site_packages="lib/python3.13/site-packages",
)
gnu_host = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="provider host serves Linux with glibc only"
)


def request(name: str, version: str = "") -> Request:
    return Request(target=targets.find(name, targets.load()), version=version)


@pytest.fixture
def as_host(monkeypatch):
    def change(system: str, libc: str) -> None:
        monkeypatch.setattr(hosts, "system", lambda: system)
        monkeypatch.setattr(hosts, "libc", lambda: libc)
        monkeypatch.setattr(hosts, "arch", lambda: "x86_64")

    return change


@pytest.mark.parametrize(
    ("system", "libc", "wanted"),
    [("macos", "", "not yet done on macos"), ("windows", "", "not yet done on windows"), ("linux", "musl", "musl")],
)
def test_other_hosts_are_refused(as_host, system, libc, wanted):
    as_host(system, libc)
    assert wanted in HostProvider().unsupported_reason(request("linux-gnu-x86_64"))


def test_other_targets_and_versions_are_refused(as_host):
    as_host("linux", "gnu")
    provider, version = HostProvider(), platform.python_version()
    assert "not on linux-gnu-aarch64" in provider.unsupported_reason(request("linux-gnu-aarch64"))
    assert "not on linux-musl-x86_64" in provider.unsupported_reason(request("linux-musl-x86_64"))
    assert "not on 3.7" in provider.unsupported_reason(request("linux-gnu-x86_64", "3.7"))
    assert provider.unsupported_reason(request("linux-gnu-x86_64", version)) == ""
    assert provider.unsupported_reason(request("linux-gnu-x86_64", ".".join(version.split(".")[:2]))) == ""


def test_special_builds_are_refused(as_host, monkeypatch):
    as_host("linux", "gnu")
    monkeypatch.setattr(sys, "abiflags", "t", raising=False)
    assert "special CPython" in HostProvider().unsupported_reason(request("linux-gnu-x86_64"))


@gnu_host
def test_the_step_is_described_fast_and_always_the_same():
    provider, wanted = HostProvider(), request("host")
    first = provider.runtime(wanted)
    began = time.perf_counter()
    second = provider.runtime(wanted)
    assert time.perf_counter() - began < 0.25  # 10 ms on a quiet machine
    assert first.image.params == second.image.params
    assert first.version == platform.python_version()
    assert "glibc" in first.notes[0]
    assert "idlelib" in first.missing_modules


@gnu_host
def test_a_virtual_environment_is_looked_through():
    here = host_interpreter.running()
    assert here.prefix == Path(sys.base_prefix).resolve()
    assert here.python.is_file()
    assert (here.stdlib / "os.py").is_file()
    assert not here.python.is_symlink()


@pytest.fixture
def interpreter(tmp_path) -> host_interpreter.Interpreter:
    stdlib = tmp_path / "lib/python3.13"
    files = [
        "os.py", "site.py", "__pycache__/os.cpython-313.pyc", "json/__init__.py", "json/__pycache__/x.pyc",
        "test/test_os.py", "unittest/__init__.py", "unittest/test/x.py", "idlelib/x.py", "turtledemo/x.py",
        "lib2to3/x.py", "site-packages/pip.py", "dist-packages/x.py", "config-3.13-x86_64-linux-gnu/Makefile",
        "ensurepip/__init__.py", "EXTERNALLY-MANAGED", "sitecustomize.py", "lib-dynload/_ssl.so",
        "lib-dynload/_testcapi.so", "lib-dynload/xxlimited.so",
    ]  # fmt: skip
    for name in [*files, "../../bin/python3.13"]:
        path = (stdlib / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return host_interpreter.Interpreter(
        version="3.13.1",
        python=tmp_path / "bin/python3.13",
        prefix=tmp_path,
        stdlib=stdlib,
        dynload=stdlib / "lib-dynload",
        platlibdir="lib",
        multiarch="",
        build_folders=("/home/ada/build/Python-3.13.1",),
    )


def taken(interpreter: host_interpreter.Interpreter) -> list[str]:
    return [name for name, _ in host_interpreter.stdlib_files(interpreter)]


def test_only_what_a_program_needs_is_taken(interpreter):
    wanted = ["os.py", "site.py", "json/__init__.py", "unittest/__init__.py", "lib-dynload/_ssl.so"]
    assert taken(interpreter) == wanted


def test_ensurepip_is_taken_with_its_wheels(interpreter):
    wheel = interpreter.stdlib / "ensurepip/_bundled/pip-24.2-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"")
    assert "ensurepip/_bundled/pip-24.2-py3-none-any.whl" in taken(interpreter)


def test_the_fingerprint_sees_each_change(interpreter, tmp_path):
    places = [tmp_path]
    seen = {host_fingerprint.fingerprint(interpreter, places)}
    assert host_fingerprint.fingerprint(interpreter, places) in seen
    for change in (
        lambda: (interpreter.stdlib / "os.py").write_text("longer than before"),
        lambda: (interpreter.stdlib / "new.py").write_text(""),
        (interpreter.dynload / "_ssl.so").unlink,
        lambda: os.utime(interpreter.python, ns=(1, 1)),
    ):
        change()
        now = host_fingerprint.fingerprint(interpreter, places)
        assert now not in seen
        seen.add(now)


def test_the_fingerprint_does_not_see_what_is_left_behind(interpreter):
    before = host_fingerprint.fingerprint(interpreter)
    (interpreter.stdlib / "site-packages/new.py").write_text("x")
    (interpreter.stdlib / "json/__pycache__/new.pyc").write_text("x")
    assert host_fingerprint.fingerprint(interpreter) == before


@gnu_host
def test_the_fingerprint_sees_the_libraries_that_are_loaded_and_no_others(tmp_path):
    here = host_interpreter.running()
    usual = host_libraries.search_folders(here.multiarch)
    libraries = host_libraries.Libraries(here.python, usual)
    natives = [path for _, path in host_interpreter.stdlib_files(here) if path.suffix == ".so"]
    name, path = next(iter(pair for each in natives for pair in libraries.needs(each).found.items()))
    shutil.copy2(path, tmp_path / name)
    places = [tmp_path, *usual]
    before = host_fingerprint.fingerprint(here, places)
    (tmp_path / "libother.so").write_bytes(b"")
    assert host_fingerprint.fingerprint(here, places) == before
    shutil.copy2(path, tmp_path / "new")
    os.utime(tmp_path / "new", ns=(1, 1))
    (tmp_path / "new").replace(tmp_path / name)  # as a package manager does
    replaced = host_fingerprint.fingerprint(here, places)
    assert replaced != before
    os.utime(tmp_path / name, ns=(2, 2))  # written over, as cp does: no folder tells
    assert host_fingerprint.fingerprint(here, places) != replaced


def test_the_loader_configuration_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/first:")
    (tmp_path / "conf.d").mkdir()
    conf = tmp_path / "ld.so.conf"
    conf.write_text("# a comment\ninclude conf.d/*.conf\n/last  # why\n")
    (tmp_path / "conf.d/b.conf").write_text("/b\nhwcap 0 nosegneg\n")
    (tmp_path / "conf.d/a.conf").write_text(f"/a\ninclude {conf}\n")  # a circle
    folders = [str(path) for path in host_libraries.search_folders("x86_64-linux-gnu", conf=conf)]
    assert folders[:5] == ["/first", "/a", "/b", "/last", "/lib/x86_64-linux-gnu"]
    assert folders[-1] == "/usr/lib"


def test_no_loader_configuration_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    folders = host_libraries.search_folders(conf=tmp_path / "none")
    assert folders == [Path("/lib64"), Path("/usr/lib64"), Path("/lib"), Path("/usr/lib")]


@pytest.fixture
def filled(interpreter, tmp_path):
    """A tree of text files only, so that nothing has to be started."""

    def fill(**changes: object) -> ImageBuilder:
        here = replace(interpreter, **changes)
        texts = [
            (f"{LAYOUT.stdlib}/{name}", path)
            for name, path in host_interpreter.stdlib_files(here)
            if path.suffix == ".py"
        ]
        parts = host_tree.Plan(texts=tuple(texts), natives=(), dropped=())
        builder = ImageBuilder("test", folder=tmp_path)
        builder.add(LAYOUT.python, b"")
        host_tree.fill(builder, here, LAYOUT, parts, work=tmp_path, run=lambda _: "")
        return builder

    return fill


def test_folders_of_this_machine_do_not_travel(interpreter, filled):
    data = {
        "prefix": str(interpreter.prefix),
        "srcdir": "/home/ada/build/Python-3.13.1",
        "ODD": f".{interpreter.prefix}",
    }
    (interpreter.stdlib / "_sysconfigdata__linux_x86_64-linux-gnu.py").write_text(f"build_time_vars = {data!r}")
    with filled() as builder:
        text = builder.read(f"{LAYOUT.stdlib}/_sysconfigdata__linux_x86_64-linux-gnu.py").decode()
    assert str(interpreter.prefix) not in text
    assert "/home/ada" not in text


def test_debian_becomes_upstream(interpreter, filled):
    (interpreter.stdlib / "site.py").write_text('path = os.path.join(prefix, "dist-packages")\n')
    (interpreter.stdlib / "sysconfig.py").write_text(
        "    if x:\n        prefix_scheme = 'posix_local'\n    return {}\n"
    )
    with filled() as builder:
        assert "prefix_scheme = 'posix_prefix'" in builder.read(f"{LAYOUT.stdlib}/sysconfig.py").decode()
        assert builder.member(f"{LAYOUT.stdlib}/dist-packages").link == "site-packages"


def test_the_tree_has_the_shape_of_an_install(filled):
    with filled(platlibdir="lib64") as builder:
        assert builder.member("lib64").link == "lib"
        assert builder.member("bin/python3").link == builder.member("bin/python").link == "python3.13"
        for folder in (f"{LAYOUT.stdlib}/lib-dynload", LAYOUT.site_packages):
            assert builder.member(folder).kind == "dir"


def test_tcl_scripts_go_where_tcl_looks(tmp_path):
    for name in ("tcl8.6/init.tcl", "tcl8.6/tcl8/msgcat-1.6.1.tm", "tk8.6/tk.tcl", "tk8.6/demos/x.tcl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    with ImageBuilder("test", folder=tmp_path) as builder:
        host_tree.add_tcl(builder, LAYOUT, tmp_path / "tcl8.6")
        assert builder.paths() == ["lib/tcl8.6/init.tcl", "lib/tcl8/8.6/msgcat-1.6.1.tm", "lib/tk8.6/tk.tcl"]


@gnu_host
def test_patchelf_is_found():
    assert host_tree.patchelf().name == "patchelf"
    assert host_tree.patchelf_version()


def test_what_is_told_to_be_lacking_is_left_behind(interpreter):
    taken = {name.split("/")[0] for name, _ in host_interpreter.stdlib_files(interpreter)}
    assert not taken & set(tree.missing_modules())
    assert all((interpreter.stdlib / name).is_dir() for name in tree.missing_modules())
