"""The Python side of the launcher: its sources, its steps, and that code and manual say the same."""

from __future__ import annotations

import re
import shutil

import pytest

from pypack import folders, stub, targets, zig
from pypack.errors import InputError
from pypack.pipeline import Step

TABLE = targets.load()
LINUX = [target for target in TABLE.values() if target.container == "elf"]


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
    step = stub.steps(TABLE["linux-musl-x86_64"])
    assert step.params["zig"] == zig.version()
    assert step.params["zig_target"] == "x86_64-linux-musl"
    assert set(zig.REPRODUCIBLE) <= set(step.params["flags"])
    assert set(stub.c_files()) <= set(step.inputs)


@pytest.mark.parametrize("name", ["macos-aarch64", "windows-x86_64"])
def test_systems_without_a_launcher_are_refused(name):
    with pytest.raises(InputError, match=f"no launcher for {name} yet"):
        stub.steps(TABLE[name])


def test_all_sources_are_inputs():
    names = {file.name for file in stub.c_files()}
    assert {"main.c", "system.h", "exit_codes.h"} <= names
    assert names == {file.name for file in folders.data("stubs").iterdir() if file.suffix in {".c", ".h"}}


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
        stub.c_files()


def test_exit_codes_of_code_and_manual_agree():
    header = (folders.data("stubs") / "exit_codes.h").read_text()
    manual = folders.data("stubs").parent / "docs" / "launcher.md"
    codes = {int(code) for code in re.findall(r"= (1\d\d)", header)} - {119}
    assert codes == {int(code) for code in re.findall(r"^\| (1\d\d) \|", manual.read_text(), re.MULTILINE)}
    assert len(codes) == 11


def test_variables_of_code_and_manual_agree():
    folder = folders.data("stubs")
    named = {name for file in stub.c_files() for name in re.findall(r'"(PYPACK_[A-Z_]+)"', file.read_text())}
    manual = set(re.findall(r"PYPACK_[A-Z_]+", (folder.parent / "docs" / "launcher.md").read_text()))
    assert named == manual


@pytest.mark.parametrize("file", stub.c_files(), ids=lambda file: file.name)
def test_shape_of_the_sources(file):
    text = file.read_text()
    lines = text.splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 130
    conditions = len(re.findall(r"^#\s*(?:if|elif)", text, re.MULTILINE))
    assert file.suffix == ".h" or conditions <= 3
    assert not re.search(r"\b(PATH_MAX|MAXPATHLEN|strcpy|strcat|sprintf|__FILE__|__DATE__|__TIME__)\b", text)


def test_only_the_system_files_know_the_system():
    known = re.compile(r"#include <(unistd|fcntl|errno|dirent|pthread|sched|pwd|sys/[a-z]+)\.h>")
    for file in stub.c_files():
        if not file.name.startswith("posix"):
            assert not known.search(file.read_text()), file.name


def test_zig_is_found():
    assert zig.binary().is_file()
    assert shutil.which(zig.binary())
