"""Install names: every library of a runtime finds the others, wherever the runtime is."""

from __future__ import annotations

import struct
from contextlib import ExitStack

import pytest
from tests.support import machos
from tests.support.machos import ARM64, BUNDLE, DYLIB, X86_64, Recipe, macho

from pypack.errors import ArchiveError
from pypack.formats.image import ImageBuilder
from pypack.formats.macho import check, install_names, rewrite
from pypack.formats.macho.rewrite import Changes

PYTHON, LIBPYTHON, DYNLOAD = "bin/python3.13", "lib/libpython3.13.dylib", "lib/python3.13/lib-dynload"
SYSTEM = "/usr/lib/libSystem.B.dylib"


def program(*needed: str, **more) -> bytes:
    return macho(Recipe(needed=(*needed, SYSTEM), payload=False, **more))


def library(own: str, *needed: str, **more) -> bytes:
    return program(*needed, own=own, kind=DYLIB, **more)


def module(*needed: str, **more) -> bytes:
    return program(*needed, kind=BUNDLE, **more)


@pytest.fixture
def tree():
    """Make runtimes out of contents and links; closed after the test."""
    with ExitStack() as stack:

        def make(members: dict[str, bytes], links: dict[str, str] | None = None) -> ImageBuilder:
            builder = stack.enter_context(ImageBuilder("runtime"))
            for path, data in members.items():
                builder.add(path, data, executable=path.startswith("bin/"))
            for path, target in (links or {}).items():
                builder.add_link(path, target)
            return builder

        yield make


def fix(builder: ImageBuilder) -> list[str]:
    return install_names.fix(builder, python=PYTHON, libpython=LIBPYTHON)


def named(builder: ImageBuilder, path: str) -> rewrite.Names:
    return rewrite.names(builder.read(path))[0]


@pytest.mark.parametrize(
    "own", ["/install/lib/libpython3.13.dylib", "/Library/Frameworks/Python.framework/Versions/3.13/Python"]
)
def test_python_and_its_library(tree, own):
    builder = tree({PYTHON: program(own), LIBPYTHON: library(own), "lib/notes.txt": b"text"})
    assert fix(builder) == [PYTHON, LIBPYTHON]
    python = named(builder, PYTHON)
    assert python.needed == ("@rpath/libpython3.13.dylib", SYSTEM)
    assert python.rpaths == ("@executable_path/../lib",)
    assert named(builder, LIBPYTHON).own == "@rpath/libpython3.13.dylib"
    assert builder.member(PYTHON).executable
    assert fix(builder) == []


def test_a_release_that_is_right_already_is_left_alone(tree):
    right = {
        PYTHON: program("@executable_path/../lib/libpython3.13.dylib", rpaths=("@loader_path/../lib",)),
        LIBPYTHON: library("@rpath/libpython3.13.dylib"),
        f"{DYNLOAD}/_ssl.so": module(),
    }
    builder = tree(right)
    assert fix(builder) == []
    assert {path: builder.read(path) for path in right} == right


def test_a_python_that_does_not_need_the_library_is_left_alone(tree):
    static = rewrite.resign(program(), identifier="of-its-maker")
    builder = tree({PYTHON: static, LIBPYTHON: library("/install/lib/libpython3.13.dylib")})
    assert fix(builder) == [LIBPYTHON]
    assert builder.read(PYTHON) == static


def test_an_unsigned_library_for_intel_without_room_for_a_signature_stays_unsigned(tmp_path):
    data = library("/install/lib/libpython3.13.dylib", cpu=X86_64, room=False)
    made = rewrite.rewrite(data, Changes(own="@rpath/libpython3.13.dylib"), identifier="x")
    assert rewrite.names(made)[0].own == "@rpath/libpython3.13.dylib"
    (tmp_path / "f").write_bytes(made)
    assert check.faults(tmp_path / "f") == ["it is not signed"]
    with pytest.raises(ArchiveError, match="8 bytes more than there is room for"):
        rewrite.rewrite(
            data.replace(struct.pack("<I", X86_64), struct.pack("<I", ARM64)),
            Changes(own="@rpath/libpython3.13.dylib"),
            identifier="x",
        )


def test_libraries_are_found_by_their_old_name_and_by_their_file_name(tree):
    builder = tree(
        {
            PYTHON: program(),
            LIBPYTHON: library("@rpath/libpython3.13.dylib"),
            "lib/libssl.3.dylib": library("/opt/x/libssl.3.dylib", "/opt/y/libcrypto.3.dylib"),
            "lib/libcrypto.3.dylib": library("@rpath/libcrypto.3.dylib"),
            f"{DYNLOAD}/_ssl.so": module(
                "/opt/x/libssl.3.dylib", "@loader_path/libcrypto.3.dylib", "@rpath/libcrypto.3.dylib"
            ),
        }
    )
    changed = fix(builder)
    assert changed == ["lib/libssl.3.dylib", f"{DYNLOAD}/_ssl.so"]
    assert named(builder, f"{DYNLOAD}/_ssl.so").needed == (
        "@loader_path/../../libssl.3.dylib", "@loader_path/../../libcrypto.3.dylib",
        "@loader_path/../../libcrypto.3.dylib", SYSTEM,
    )  # fmt: skip
    assert named(builder, "lib/libssl.3.dylib").needed[0] == "@loader_path/libcrypto.3.dylib"
    assert named(builder, "lib/libssl.3.dylib").own == "@rpath/libssl.3.dylib"


def test_links_count_as_names_of_libraries(tree):
    builder = tree(
        {
            PYTHON: program(),
            "lib/libz.1.3.dylib": library("@rpath/libz.1.dylib"),
            f"{DYNLOAD}/zlib.so": module("/opt/libz.1.dylib"),
        },
        {"lib/libz.1.dylib": "libz.1.3.dylib"},
    )
    fix(builder)
    assert named(builder, f"{DYNLOAD}/zlib.so").needed[0] == "@loader_path/../../libz.1.3.dylib"


def test_a_missing_library_is_named_with_what_needs_it(tree):
    builder = tree(
        {
            PYTHON: program("/opt/libnone.dylib"),
            f"{DYNLOAD}/_x.so": module("@rpath/libgone.dylib"),
            f"{DYNLOAD}/_y.so": module(weak=("/opt/liboptional.dylib",)),
        }
    )
    with pytest.raises(ArchiveError) as caught:
        fix(builder)
    assert f"{PYTHON} needs /opt/libnone.dylib" in caught.value.what
    assert f"{DYNLOAD}/_x.so needs @rpath/libgone.dylib" in caught.value.what
    assert "optional" not in caught.value.what


def test_two_libraries_of_one_name_are_not_guessed_between(tree):
    builder = tree(
        {
            PYTHON: program(),
            "lib/a/libz.dylib": library("@rpath/libz.dylib"),
            "lib/b/libz.dylib": library("@rpath/libz.dylib"),
            f"{DYNLOAD}/zlib.so": module("/opt/libz.dylib"),
        }
    )
    with pytest.raises(ArchiveError, match=r"zlib\.so needs /opt/libz\.dylib"):
        fix(builder)


def test_folders_of_the_machine_that_built_it_are_no_longer_searched(tree):
    builder = tree({PYTHON: program(), f"{DYNLOAD}/_x.so": module(rpaths=("/opt/lib", "@loader_path/x"))})
    assert f"{DYNLOAD}/_x.so" in fix(builder)
    assert named(builder, f"{DYNLOAD}/_x.so").rpaths == ("@loader_path/x",)


def test_everything_that_changed_is_signed_and_whole(tree, tmp_path):
    own = "/install/lib/libpython3.13.dylib"
    both = machos.fat(library(own, cpu=X86_64), rewrite.resign(library(own), identifier="old"))
    builder = tree({PYTHON: program(own), LIBPYTHON: both})
    for path in fix(builder):
        file = tmp_path / "f"
        file.write_bytes(builder.read(path))
        assert check.faults(file) == []
        assert {each.identifier for each in check.signature(file)} == {"python3" if path == PYTHON else "libpython3.13"}
    assert [each.own for each in rewrite.names(builder.read(LIBPYTHON))] == ["@rpath/libpython3.13.dylib"] * 2


def test_no_room_for_a_longer_name_is_told_by_the_file(tree):
    builder = tree({PYTHON: program(), LIBPYTHON: library("/l", room=False)})
    with pytest.raises(
        ArchiveError, match=r"lib/libpython3.13.dylib cannot be changed: .* more than there is room for"
    ):
        fix(builder)


def test_a_damaged_library_is_told_by_its_path(tree):
    builder = tree({PYTHON: program(), "lib/libx.dylib": library("/x")[:300]})
    with pytest.raises(ArchiveError, match=r"lib/libx\.dylib is no Mach-O file that can be used: .*cut short"):
        fix(builder)


def test_a_shorter_name_leaves_no_trace_of_the_old_one():
    data = rewrite.rewrite(
        library("/a/very/long/path/of/the/build/machine/libx.dylib"), Changes(own="@rpath/x"), identifier="x"
    )
    assert b"build/machine" not in data
    assert rewrite.names(data)[0].own == "@rpath/x"


def test_code_and_data_stay_where_they_are():
    old = library("/install/lib/libx.dylib")
    new = rewrite.rewrite(old, Changes(own="@rpath/a/name/that/is/longer/than/the/old/one/libx.dylib"), identifier="x")
    assert new[0x800 : len(old)] == old[0x800:]


def test_nothing_to_change_gives_the_same_object():
    data = machos.fat(program(cpu=X86_64), program(cpu=ARM64))
    assert rewrite.rewrite(data, Changes(own="@rpath/x", needed={"/none": "/other"}), identifier="x") is data
