"""The Python side of the launcher: its sources, its steps, and that code and manual say the same."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from pypack.base import folders, targets
from pypack.errors import InputError
from pypack.launcher import stub
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pathlib import Path

TABLE = targets.load()
LINUX = [target for target in TABLE.values() if target.container == "elf"]
ROOT = folders.data("stubs")
FILES = sorted(each for each in ROOT.rglob("*.[ch]") if "wine" not in each.relative_to(ROOT).parts)


def inside(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def products(step: Step) -> list[str]:
    inputs = [name for each in step.inputs if isinstance(each, Step) for name in products(each)]
    return [*inputs, step.product]


@pytest.mark.parametrize("target", LINUX, ids=lambda target: target.name)
def test_steps(target):
    last = stub.steps(target)
    assert last.product == f"stub/{target.stub_zig}/stub"
    found = products(last)
    assert found[0].startswith("fetch/")
    assert found[0].endswith("zstandard-0.25.0.tar.gz")
    assert {"stub/zstd.tar", f"stub/{target.stub_zig}/zstd.o"} <= set(found)


def test_both_linux_families_share_a_launcher():
    gnu, musl = (stub.steps(TABLE[name]) for name in ("linux-gnu-x86_64", "linux-musl-x86_64"))
    assert (gnu.product, gnu.params) == (musl.product, musl.params)


def test_signature_holds_what_changes_the_bytes():
    target = TABLE["linux-musl-x86_64"]
    linked = stub.steps(target)
    objects = linked.inputs[0]
    assert isinstance(objects, Step)
    for step in (linked, objects):
        assert step.params["zig"] == zig.version()
        assert step.params["zig_target"] == "x86_64-linux-musl"
        assert set(zig.REPRODUCIBLE) <= set(step.params["flags"])
    assert set(stub.WARNINGS) <= set(objects.params["flags"])
    assert "-static" in linked.params["flags"]
    assert set(stub.c_files(target)) <= set(objects.inputs)


def test_a_windows_launcher_has_two_subsystems_and_resources():
    target = TABLE["windows-x86_64"]
    resources = Step(product="apps/x/windows-x86_64/x.res", action="resources", version=1, run=lambda _: None)
    console, gui = stub.steps(target), stub.steps(target, subsystem="gui")
    stamped = stub.steps(target, subsystem="gui", resources=resources)
    assert len({console.product, gui.product, stamped.product}) == 3
    assert set(gui.params["flags"]) - set(console.params["flags"]) == {"-Wl,--subsystem,windows"}
    assert stamped.inputs[-1] is resources
    objects = [step.inputs[0].product for step in (console, gui, stamped) if isinstance(step.inputs[0], Step)]
    assert objects == [f"stub/{target.stub_zig}/objects.tar"] * 3


def test_each_system_gets_its_own_body():
    names = {name: {inside(file) for file in stub.c_files(target)} for name, target in TABLE.items()}
    for found in names.values():
        assert {"main.c", "base/system.h", "exit_codes.h"} <= found
    assert set().union(*names.values()) | {"os/posix/embed.c"} == {inside(file) for file in FILES}
    assert "os/posix/files.c" in names["linux-gnu-x86_64"] & names["macos-aarch64"]
    folders_of = {
        name: {file.split("/")[1] for file in found if file.startswith("os/")} for name, found in names.items()
    }
    assert folders_of["windows-x86_64"] == {"windows"}
    assert folders_of["linux-musl-x86_64"] == {"posix", "linux", "zig"}
    assert folders_of["macos-x86_64"] == {"posix", "macos"}


@pytest.mark.parametrize("name", ["linux-gnu-x86_64", "macos-aarch64"])
def test_a_launcher_that_loads_python_is_another_one(name):
    target = TABLE[name]
    plain, embed = stub.steps(target), stub.steps(target, launch="embed")
    assert stub.steps(target, launch="exec").product == plain.product != embed.product
    assert "-static" not in embed.params["flags"]
    assert embed.params["zig_target"] == (target.runtime_zig if target.system == "linux" else target.stub_zig)
    objects, zstd = embed.inputs
    assert isinstance(objects, Step)
    names = {inside(file) for file in objects.inputs if not isinstance(file, Step)}
    assert "os/posix/embed.c" in names
    assert "os/posix/exec.c" not in names
    assert isinstance(zstd, Step)
    assert zstd.product == f"stub/{target.stub_zig}/zstd.o", "the same for both"


def test_windows_has_one_way_only():
    target = TABLE["windows-x86_64"]
    assert stub.steps(target).product == stub.steps(target, launch="embed").product


def test_pin():
    source = stub.sources()
    assert source.pin.urls == ("pypi:zstandard==0.25.0",)
    assert (source.strip, source.under) == (1, "zstd")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("sha256 = \"", "sha256 = \"x"), "sha256"),
        (("urls =", "uris ="), "address"),
        (("under =", "above ="), "under"),
        (("[zstd]", "[zstd"), "cannot be used"),
    ],
)  # fmt: skip
def test_faulty_pin_file_is_refused(tmp_path, change, named):
    text = (folders.data("runtimes") / "sources-stub.toml").read_text()
    assert change[0] in text
    file = tmp_path / "sources-stub.toml"
    file.write_text(text.replace(*change))
    with pytest.raises(InputError, match=named):
        stub.sources(file)


def test_a_folder_without_sources_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "data", lambda _: tmp_path)
    with pytest.raises(InputError, match=r"no main\.c"):
        stub.c_files(LINUX[0])


def test_exit_codes_of_code_and_manual_agree():
    header = (folders.data("stubs") / "exit_codes.h").read_text()
    manual = folders.data("stubs").parent / "docs" / "launcher.md"
    codes = {int(code) for code in re.findall(r"= (1\d\d)", header)} - {119}
    assert codes == {int(code) for code in re.findall(r"^\| (1\d\d) \|", manual.read_text(), re.MULTILINE)}
    assert len(codes) == 13


def test_variables_of_code_and_manual_agree():
    folder = folders.data("stubs")
    named = {name for file in FILES for name in re.findall(r'"(PYPACK_[A-Z_]+)"', file.read_text())}
    manual = set(re.findall(r"PYPACK_[A-Z_]+", (folder.parent / "docs" / "launcher.md").read_text()))
    assert named == manual


@pytest.mark.parametrize("file", FILES, ids=inside)
def test_shape_of_the_sources(file):
    text = file.read_text()
    lines = text.splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 130
    conditions = len(re.findall(r"^#\s*(?:if|elif)", text, re.MULTILINE))
    assert file.suffix == ".h" or conditions <= 3
    assert not re.search(r"\b(PATH_MAX|MAXPATHLEN|strcpy|strcat|sprintf|__FILE__|__DATE__|__TIME__)\b", text)


def test_only_the_system_files_know_the_system():
    known = re.compile(r"#include <(unistd|fcntl|errno|dirent|pthread|sched|pwd|dlfcn|windows|sys/[a-z]+)\.h>")
    for file in FILES:
        if not inside(file).startswith("os/"):
            assert not known.search(file.read_text()), inside(file)


def test_objects_have_names_of_their_own():
    for target in TABLE.values():
        sources = [file for file in stub.c_files(target) if file.suffix == ".c"]
        assert len({stub.object_name(file, ROOT) for file in sources}) == len(sources)
    assert stub.object_name(ROOT / "os/posix/files.c", ROOT) == "os-posix-files.o"


def test_zig_is_found():
    assert zig.binary().is_file()
    assert shutil.which(zig.binary())
