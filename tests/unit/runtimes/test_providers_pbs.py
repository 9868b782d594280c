"""Provider pbs: a pinned archive of PBS's shape and name, served by a local server, becomes a runtime image."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import time
from pathlib import Path

import pytest

from pypack.base import hosts, targets
from pypack.download.pins import Pin, RuntimePin
from pypack.errors import ArchiveError
from pypack.formats.image import ImageBuilder, list_image, read_image
from pypack.runtimes import probe, tree
from pypack.runtimes.base import Request
from pypack.runtimes.pbs import PbsProvider
from pypack.steps.step import Context, Settings, Step

NAME = "cpython-3.13.15+20260814-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
SYSCONFIG = """# system configuration generated and used by the sysconfig module
build_time_vars = {'AR': '/tools/llvm/bin/llvm-ar',
 'CC': '/tools/llvm/bin/clang -pthread',
 'CFLAGS': '-O3 -I/tools/deps/include -I/build/Python-3.13.15/Include -Wall',
 'EXT_SUFFIX': '.cpython-313-x86_64-linux-gnu.so',
 'HAVE_FORK': 1,
 'INSTALLED': '/installed/elsewhere',
 'LDFLAGS': '-L/tools/deps/lib -L/install/lib',
 'abs_srcdir': '/build/Python-3.13.15',
 'prefix': '/install'}
"""
STDLIB = "lib/python3.13"
FILES = {
    "bin/python3.13": b"",  # see elf()
    "bin/pip3": b"#!/bin/sh\n",
    "bin/idle3.13": b"#!/bin/sh\n",
    "bin/python3.13-config": b"#!/bin/sh\n",
    "include/python3.13/Python.h": b"/* Python.h */",
    "include/python3.13/patchlevel.h": b'#define PY_VERSION  "3.13.15"\n',
    "lib/libpython3.13.so.1.0": b"libpython",
    "lib/libpython3.13.a": b"!<arch>\n",
    "lib/pkgconfig/python-3.13.pc": b"prefix=/install\nexec_prefix=${prefix}\nLibs: -L/tools/deps/lib -lm\n",
    "lib/tcl8.6/init.tcl": b"tcl",
    "lib/libtcl8.6.so": b"tcl",
    f"{STDLIB}/os.py": b"# os",
    f"{STDLIB}/unittest/case.py": b"# case",
    f"{STDLIB}/test/__init__.py": b"",
    f"{STDLIB}/ctypes/__init__.py": b"",
    f"{STDLIB}/ctypes/test/__init__.py": b"",
    f"{STDLIB}/idlelib/idle.py": b"",
    f"{STDLIB}/tkinter/__init__.py": b"",
    f"{STDLIB}/__pycache__/os.cpython-313.pyc": b"",
    f"{STDLIB}/email/__pycache__/x.cpython-313.pyc": b"",
    f"{STDLIB}/email/__init__.py": b"",
    f"{STDLIB}/lib-dynload/_tkinter.cpython-313-x86_64-linux-gnu.so": b"so",
    f"{STDLIB}/lib-dynload/_testcapi.cpython-313-x86_64-linux-gnu.so": b"so",
    f"{STDLIB}/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so": b"so",
    f"{STDLIB}/site-packages/pip/__init__.py": b"",
    f"{STDLIB}/config-3.13-x86_64-linux-gnu/Makefile": b"prefix=/install\n",
    f"{STDLIB}/config-3.13-x86_64-linux-gnu/libpython3.13.a": b"!<arch>\n",
    f"{STDLIB}/_sysconfigdata__linux_x86_64-linux-gnu.py": SYSCONFIG.encode(),
    "share/terminfo/x/xterm": b"terminfo",
}  # fmt: skip
LINKS = {
    "bin/python3": "python3.13",
    "bin/python": "python3.13",
    "bin/pip": "pip3",
    "lib/libpython3.13.so": "libpython3.13.so.1.0",
    "share/man/python3.1": "../terminfo/x/xterm",
}


def elf(machine: int = 62) -> bytes:
    """Give the head of a 64-bit little-endian ELF executable without segments or sections."""
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)


def pbs_archive(*, root: str = "python/", machine: int = 62, without: tuple[str, ...] = (), **changed: bytes) -> bytes:
    buffer = io.BytesIO()
    files = {**FILES, "bin/python3.13": elf(machine), **changed}
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, data in files.items():
            if path in without:
                continue
            info = tarfile.TarInfo(root + path)
            info.size, info.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            tar.addfile(info, io.BytesIO(data))
        for path, target in LINKS.items():
            info = tarfile.TarInfo(root + path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def make(step: Step, folder, settings: Settings):
    """Run a step and all that it needs, as the build would."""
    inputs = tuple(make(i, folder, settings) if isinstance(i, Step) else i for i in step.inputs)
    product = folder / step.product
    product.parent.mkdir(parents=True, exist_ok=True)
    if not product.exists():
        step.run(Context(product=product, inputs=inputs, params=step.params, unhashed=step.unhashed, settings=settings))
    return product


def content(image, path: str) -> bytes:
    return next(stream.read() for member, stream in read_image(image) if member.path == path and stream)


TARGET = targets.load()["linux-gnu-x86_64"]
SETTINGS = Settings(say=lambda _: None)


def runtime_pin(data: bytes, url: str, version: str = "3.13.15", target: str = TARGET.name) -> RuntimePin:
    pin = Pin(file=NAME, urls=(url,), sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    return RuntimePin(target=target, version=version, pin=pin, own=True)


@pytest.fixture(autouse=True)
def forget():
    probe._memory.cache_clear()
    yield
    probe._memory.cache_clear()


@pytest.fixture
def served(web):
    data = pbs_archive()
    web.files[f"/{NAME}"] = data
    return runtime_pin(data, f"{web.url}/{NAME.replace('+', '%2B')}")


def test_runtime_image(served, tmp_path):
    provider, request = PbsProvider([served]), Request(target=TARGET)
    assert provider.unsupported_reason(request) == ""
    runtime = provider.runtime(request)
    assert (runtime.provider, runtime.version, runtime.minor, runtime.static) == ("pbs", "3.13.15", "3.13", False)
    assert runtime.pins == (served.pin,)
    image = make(runtime.image, tmp_path, SETTINGS)
    assert [member.path for member in list_image(image)] == sorted([
        "bin/python", "bin/python3", "bin/python3.13", "lib/libpython3.13.so", "lib/libpython3.13.so.1.0",
        "lib/libtcl8.6.so", f"{STDLIB}/_sysconfigdata__linux_x86_64-linux-gnu.py", f"{STDLIB}/ctypes/__init__.py",
        f"{STDLIB}/email/__init__.py", f"{STDLIB}/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so",
        f"{STDLIB}/lib-dynload/_tkinter.cpython-313-x86_64-linux-gnu.so", f"{STDLIB}/os.py", f"{STDLIB}/site-packages",
        f"{STDLIB}/tkinter/__init__.py", f"{STDLIB}/unittest/case.py", "lib/tcl8.6/init.tcl",
    ])  # fmt: skip


def test_tkinter_can_be_left_out(served, tmp_path):
    runtime = PbsProvider([served], tkinter=False).runtime(Request(target=TARGET))
    paths = [member.path for member in list_image(make(runtime.image, tmp_path, SETTINGS))]
    assert not [path for path in paths if "tcl" in path or "tkinter" in path]
    other = PbsProvider([served]).runtime(Request(target=TARGET))
    assert other.image.params != runtime.image.params


def test_sysconfig_tells_where_the_runtime_is_now(served, tmp_path):
    runtime = PbsProvider([served]).runtime(Request(target=TARGET))
    image = make(runtime.image, tmp_path, SETTINGS)
    data = content(image, f"{STDLIB}/_sysconfigdata__linux_x86_64-linux-gnu.py")
    for word in (b"/tools", b"/build/", b"/install/", b"'/install'"):
        assert word not in data
    found: dict = {}
    exec(compile(data, "sysconfigdata", "exec"), found)
    import sys

    values = found["build_time_vars"]
    assert values["AR"] == "llvm-ar"
    assert values["CC"] == "clang -pthread"
    assert values["CFLAGS"] == "-O3 -Wall"
    assert values["LDFLAGS"] == f"-L{sys.base_prefix}/lib"
    assert values["prefix"] == sys.base_prefix
    assert values["abs_srcdir"] == ""
    assert values["INSTALLED"] == "/installed/elsewhere"
    assert values["HAVE_FORK"] == 1


def test_dev_image(served, tmp_path):
    runtime = PbsProvider([served]).runtime(Request(target=TARGET))
    image = make(runtime.dev, tmp_path, SETTINGS)
    assert [member.path for member in list_image(image)] == [
        "include/python3.13/Python.h", "include/python3.13/patchlevel.h", "lib/libpython3.13.a", "lib/libpython3.13.so",
        "lib/libpython3.13.so.1.0", "lib/pkgconfig/python-3.13.pc",
        f"{STDLIB}/config-3.13-x86_64-linux-gnu/libpython3.13.a",
    ]  # fmt: skip
    pc = content(image, "lib/pkgconfig/python-3.13.pc").decode()
    assert pc.startswith("prefix=${pcfiledir}/../..\n")
    assert "/tools" not in pc
    assert pc.endswith("Libs: -lm\n")


def test_same_archive_gives_the_same_bytes(served, tmp_path):
    images = []
    for name in ("a", "b"):
        runtime = PbsProvider([served]).runtime(Request(target=TARGET))
        images.append(make(runtime.image, tmp_path / name, SETTINGS).read_bytes())
    assert images[0] == images[1]


def test_archive_for_another_processor_is_refused(web, tmp_path):
    data = pbs_archive(machine=183)
    web.files[f"/{NAME}"] = data
    runtime = PbsProvider([runtime_pin(data, f"{web.url}/{NAME}")]).runtime(Request(target=TARGET))
    with pytest.raises(ArchiveError, match="elf for aarch64, not elf for x86_64"):
        make(runtime.image, tmp_path, SETTINGS)


def test_archive_without_an_interpreter_is_refused(web, tmp_path):
    data = pbs_archive(without=("bin/python3.13",))
    web.files[f"/{NAME}"] = data
    runtime = PbsProvider([runtime_pin(data, f"{web.url}/{NAME}")]).runtime(Request(target=TARGET))
    with pytest.raises(ArchiveError, match=r"has no bin/python3\.13|points outside|leads nowhere"):
        make(runtime.image, tmp_path, SETTINGS)


def test_sysconfig_that_cannot_be_read_is_an_error(web, tmp_path):
    data = pbs_archive(**{f"{STDLIB}/_sysconfigdata__linux_x86_64-linux-gnu.py": b"build_time_vars = load()\n"})
    web.files[f"/{NAME}"] = data
    runtime = PbsProvider([runtime_pin(data, f"{web.url}/{NAME}")]).runtime(Request(target=TARGET))
    with pytest.raises(ArchiveError, match="_sysconfigdata"):
        make(runtime.image, tmp_path, SETTINGS)


@pytest.mark.parametrize(("version", "found"), [("", "3.13.15"), ("3.13.15", "3.13.15"), ("3.12.1", "3.12.1")])
def test_pin_of_the_user_serves(version, found):
    own = [runtime_pin(b"x", "https://h/a", each) for each in ("3.12.1", "3.13.15")]
    runtime = PbsProvider(own).runtime(Request(target=TARGET, version=version))
    assert (runtime.version, runtime.pins[0].urls) == (found, ("https://h/a",))


@pytest.mark.parametrize("minor", ["3.12", "3.13", "3.14", "3.15"])
def test_newest_of_the_minor_serves(minor):
    own = [runtime_pin(b"x", "https://h/a", f"{minor}.0")]
    runtime = PbsProvider(own).runtime(Request(target=TARGET, version=minor))
    assert runtime.minor == minor
    assert runtime.version != f"{minor}.0"


def test_version_without_a_pin_is_refused_with_those_that_are():
    unsupported_reason = PbsProvider().unsupported_reason(Request(target=TARGET, version="3.11"))
    assert unsupported_reason.startswith("no CPython 3.11 is pinned for linux-gnu-x86_64 (there is: 3.12.")


def test_default_minor_is_the_tables():
    assert PbsProvider().runtime(Request(target=TARGET)).minor == "3.13"


def test_musl_brings_its_loader_or_says_what_it_needs(monkeypatch):
    target = targets.load()["linux-musl-x86_64"]
    monkeypatch.setattr(hosts, "system", lambda: "linux")
    whole = PbsProvider().runtime(Request(target=target, version="3.13"))
    assert (whole.loader, whole.notes) == ("lib/ld-musl-x86_64.so.1", ())
    assert [Path(step.product).name for step in whole.image.inputs] == ["runtime.tar", "loader-1.2.5.tar"]
    monkeypatch.setattr(hosts, "system", lambda: "macos")  # where musl cannot be built
    bare = PbsProvider().runtime(Request(target=target, version="3.13"))
    assert bare.loader == ""
    assert "/lib/ld-musl-x86_64.so.1" in bare.notes[0]


def test_every_target_has_a_runtime():
    for target in targets.select(["all"], targets.load()):
        runtime = PbsProvider().runtime(Request(target=target, version="3.13"))
        image = runtime.image.inputs[0] if runtime.loader else runtime.image
        assert image.product.startswith(f"runtime/{target.name}/")
        assert all("{" not in pattern for pattern in image.params["drop"])


# --- reachable ---


def test_reachable_when_an_address_answers(served, web):
    assert PbsProvider([served]).reachable(Request(target=TARGET), SETTINGS)
    assert [method for method, _, _ in web.seen] == ["HEAD"]
    assert PbsProvider([served]).reachable(Request(target=TARGET), SETTINGS)
    assert len(web.seen) == 1


def test_reachable_where_only_head_is_refused(served, web):
    web.faults[f"/{NAME}"] = [403]
    assert PbsProvider([served]).reachable(Request(target=TARGET), SETTINGS)
    assert [method for method, _, _ in web.seen] == ["HEAD", "GET"]


def test_not_reachable_when_it_is_missing_there(served, web):
    web.files.clear()
    assert not PbsProvider([served]).reachable(Request(target=TARGET), SETTINGS)


def test_reachable_from_the_download_cache_even_offline(served, web, tmp_path):
    provider, request = PbsProvider([served]), Request(target=TARGET)
    offline = Settings(offline=True)
    assert not provider.reachable(request, offline)
    make(provider.runtime(request).image, tmp_path, SETTINGS)
    web.files.clear()
    assert provider.reachable(request, offline)


def test_unresolvable_hosts_answer_at_once():
    began = time.monotonic()
    assert not PbsProvider().reachable(Request(target=TARGET), SETTINGS)
    assert time.monotonic() - began < 1


def test_silent_host_is_asked_once_for_three_seconds_at_most(monkeypatch):
    asked = []

    def answers(url: str, *, seconds: float) -> bool | None:
        asked.append(url)
        time.sleep(1)
        return None

    monkeypatch.setattr(probe, "SECONDS", 0.2)
    monkeypatch.setattr(probe.web, "answers", answers)
    began = time.monotonic()
    for target in targets.load().values():
        assert not PbsProvider().reachable(Request(target=target), SETTINGS)
    assert time.monotonic() - began < 1
    assert len(asked) == 1


def test_tree_check_names_what_is_missing(tmp_path, web):
    data = pbs_archive(without=(f"{STDLIB}/os.py",))
    (tmp_path / "a.tar.gz").write_bytes(data)
    whole = tree.extract("whole.tar", tmp_path / "a.tar.gz", under="python")
    with pytest.raises(ArchiveError, match=r"it has no lib/python3\.13/os\.py"):
        make(tree.patch("p.tar", whole, TARGET, "3.13.15"), tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("target", "library"), [("windows-x86_64", "python313.dll"), ("macos-x86_64", "lib/libpython3.13.dylib")]
)
@pytest.mark.parametrize("kind", ["right", "another processor", "no library", "link", "none"])
def test_a_library_of_another_system_is_refused(tmp_path, target, library, kind):
    from tests.support.machos import ARM64, X86_64, Recipe, macho
    from tests.support.pe_files import pe

    row = targets.load()[target]
    made = (lambda arm: pe(0xAA64 if arm else 0x8664)) if row.container == "pe" else (
        lambda arm: macho(Recipe(cpu=ARM64 if arm else X86_64))
    )  # fmt: skip
    layout = row.layout.at("3.13")
    with ImageBuilder("tree") as builder:
        builder.add(layout.python, made(False))
        builder.add(f"{layout.stdlib}/os.py", b"")
        if kind == "link":
            builder.add_link(library, "nowhere")
        elif kind != "none":
            builder.add(library, b"text" if kind == "no library" else made(kind == "another processor"))

        def check() -> None:
            tree.check(builder, layout, container=row.container, arch=row.arch, libc="")

        if kind in {"right", "none"}:
            check()
            return
        with pytest.raises(ArchiveError, match=r"python3.*(aarch64, not|no executable|leads nowhere)"):
            check()


def test_the_patch_step_of_macs_alone_is_a_newer_one():
    for target in targets.select(["all"], targets.load()):
        step = PbsProvider().runtime(Request(target=target, version="3.13")).image
        assert step.version == (2 if target.container == "macho" else 1)


def test_what_every_runtime_is_without_is_known():
    assert tree.missing_modules() == ("idlelib", "lib2to3", "test", "turtledemo")
    both = PbsProvider(), PbsProvider(tkinter=False)
    lacks = [provider.runtime(Request(target=TARGET, version="3.13")).missing_modules for provider in both]
    assert lacks == [
        tree.missing_modules(),
        ("_tkinter", "idlelib", "lib2to3", "test", "tkinter", "turtle", "turtledemo"),
    ]
