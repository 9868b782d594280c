"""What a build from source works with, and what becomes of its products."""

from __future__ import annotations

import json
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.unit.runtimes.test_cpython import context, write_image

from pypack.errors import StepError
from pypack.formats.binaries import Floor
from pypack.formats.image import ImageBuilder, list_image, unpacked
from pypack.runtimes.cpython import (
    cleaning,
    compiler,
    description,
    interpreter,
    libraries,
    source_build,
    split,
    symbols,
    tools,
)

if TYPE_CHECKING:
    from pathlib import Path

# --- host tools, the compiler ---


def test_all_missing_programs_in_one_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepError) as caught:
        tools.check({"make": "make", "tclsh": "tcl", "perl": "perl"})
    assert all(word in caught.value.what for word in ("sh", "make", "tclsh", "perl"))
    assert "apt-get install" in caught.value.hint
    assert " tcl" in caught.value.hint


def test_a_perl_without_its_modules_counts_as_missing(monkeypatch, tmp_path):
    for name in ("sh", "sed", "grep", "cmp", "install", "tr", "perl"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 2\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepError, match=r"not here: perl\n"):
        tools.check({"perl": "perl"})
    tools.check({})


def compiler_in(folder: Path, **more: object) -> compiler.Compiler:
    usual = {"target": "aarch64-linux-musl", "build": "x86_64-linux-musl", "root": folder, "deps": folder, "link": ()}
    return compiler.Compiler(**{**usual, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "kind", "flags"),
    [
        ("x86_64-linux-musl", "static", ("-static",)),
        ("aarch64-linux-musl", "shared", ("-dynamic",)),
        ("x86_64-linux-gnu.2.17", "shared", ()),
    ],
)
def test_how_programs_are_linked(target, kind, flags):
    assert compiler.link_flags(target, kind) == flags


def test_programs_of_the_build_are_made_for_its_host(tmp_path):
    made = compiler_in(tmp_path, deps=tmp_path / "deps").install()
    text = (made / "build-cc").read_text()
    assert "-target x86_64-linux-musl" in text
    assert "-static" in text
    assert str(tmp_path / "deps") not in text
    assert "-target aarch64-linux-musl" in (made / "cc").read_text()


def test_build_scripts_are_told_another_machine_than_the_targets(tmp_path):
    params = {"triple": "aarch64-unknown-linux-musl", "words": {"openssl": "linux-aarch64"}}
    shop = source_build.SourceBuild(
        context=context(tmp_path / "x", **params), root=tmp_path, tree=tmp_path, deps=tmp_path, env={}
    )
    assert shop.fill_in("--build={build} --host={triple}") == (
        "--build=aarch64-build-linux-musl --host=aarch64-unknown-linux-musl"
    )
    assert shop.fill_in("{openssl} {build}", build="native") == "linux-aarch64 native"


def test_wrappers_carry_the_folders_of_the_build(tmp_path):
    made = compiler_in(tmp_path, deps=tmp_path / "deps", link=("-static",)).install()
    text = (made / "cc").read_text()
    assert f"-ffile-prefix-map={tmp_path}=." in text
    assert text.index("-O2") < text.index('"$@"') < text.index("-g0")
    assert text.index('"$@"') < text.index(" -static ")
    assert f"-L{tmp_path / 'deps' / 'lib'}" in text
    assert (made / "ar").stat().st_mode & stat.S_IXUSR


def test_archives_never_hold_times(monkeypatch, tmp_path):
    zig = tmp_path / "zig"
    zig.write_text('#!/bin/sh\necho "$@"\n')
    zig.chmod(0o755)
    monkeypatch.setattr("pypack.steps.zig.binary", lambda: zig)
    made = compiler_in(tmp_path).install()
    words = [[made / "ar", "-curvU", "lib U.a", "U.o"], [made / "ar", "rcs", "x.a", "x.o"]]
    said = [subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in words]
    assert said == ["ar -curv lib U.a U.o\n", "ar rcs x.a x.o\n"]


def test_build_scripts_see_nothing_of_the_callers_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CFLAGS", "-march=native")
    monkeypatch.setenv("PKG_CONFIG_PATH", "/opt/lib/pkgconfig")
    made = compiler_in(tmp_path)
    env = made.environment(tmp_path / "tools")
    assert not {"CFLAGS", "PKG_CONFIG_PATH"} & env.keys()
    assert env["PATH"].startswith(str(tmp_path / "tools"))
    assert env["CC"] == "cc"


def test_a_pattern_without_files_is_an_error(tmp_path):
    with pytest.raises(StepError, match=r"no file 'src/\*\.c'"):
        libraries._glob(tmp_path, "src/*.c")


# --- what was built ---


def test_a_glibc_that_is_too_new_is_an_error(monkeypatch, tmp_path):
    found = Floor(version=(2, 18), path="lib/libpython3.13.so.1.0")
    monkeypatch.setattr("pypack.formats.binaries.glibc_floor", lambda _: found)
    with pytest.raises(StepError, match=r"needs glibc 2\.18 \(lib/libpython3\.13\.so\.1\.0\).*floor is glibc 2\.17"):
        interpreter.check_floor(tmp_path / "x.tar", "2.17")
    interpreter.check_floor(tmp_path / "x.tar", "2.18")
    interpreter.check_floor(tmp_path / "x.tar", "3.0")


def test_a_library_without_glibc_passes(monkeypatch, tmp_path):
    monkeypatch.setattr("pypack.formats.binaries.glibc_floor", lambda _: None)
    interpreter.check_floor(tmp_path / "x.tar", "2.17")


# --- what is written down ---


def test_sysconfig_loses_the_folders_of_the_build(tmp_path):
    root = tmp_path / "pypack-source-x1"
    data = (
        "# system configuration\nbuild_time_vars = {'CC': 'cc',\n"
        f" 'OPENSSL': '-I../deps/include '\n    '-L../deps/lib -lssl',\n 'abs_srcdir': '{root}/tree',\n"
        f" 'other': '-L{root}/deps/lib -lz', 'NUMBER': 3}}\n"
    )
    clean = cleaning.sysconfig(data.encode(), root)
    names: dict[str, dict[str, object]] = {}
    exec(clean, names)
    values = names["build_time_vars"]
    assert values["OPENSSL"] == "-lssl"
    assert values["abs_srcdir"] == "/usr/src/python"
    assert values["other"] == "-lz"
    assert values["NUMBER"] == 3
    assert str(tmp_path).encode() not in clean


def test_pkg_config_files_find_themselves(tmp_path):
    clean = cleaning.text(b"# x\nprefix=/install\nexec_prefix=${prefix}\nlibdir=${exec_prefix}/lib\n", tmp_path)
    assert b"\nprefix=${pcfiledir}/../..\nexec_prefix=${prefix}\n" in clean


def test_modules_of_a_setup_file():
    makefile = description.variables(
        "LIBMPDEC_A= Modules/_decimal/libmpdec/libmpdec.a\n"
        "MODULE__DECIMAL_LDFLAGS=-lm $(LIBMPDEC_A)\nMODULE__SSL_LDFLAGS=-lssl \\\n -lcrypto\n"
    )
    setup = (
        "# comment\n*shared*\n_gone gone.c\n*static*\nOPT=-O2\n_decimal _decimal/_decimal.c\n"
        "_ssl _ssl.c  # its own\n_blake2 _blake2/blake2module.c _blake2/blake2b_impl.c\n#_dead dead.c\n"
        "_io _io/_iomodule.c -lown\n_sha2 sha2module.c -I$(srcdir)/Modules/_hacl Modules/_hacl/libHacl.a\n"
    )
    found = description.modules(setup, makefile)
    assert found == {
        "_decimal": {"objects": ["_decimal.o"], "libraries": ["-lm", "lib/libmpdec.a"]},
        "_ssl": {"objects": ["_ssl.o"], "libraries": ["-lssl", "-lcrypto"]},
        "_blake2": {"objects": ["blake2module.o", "blake2b_impl.o"], "libraries": []},
        "_io": {"objects": ["_iomodule.o"], "libraries": ["-lown"]},
        "_sha2": {"objects": ["sha2module.o"], "libraries": ["lib/libHacl.a"]},
    }


def test_symbols_of_the_stable_abi():
    abi = {
        "function": {"PyA": {}, "PyW": {"ifdef": "MS_WINDOWS"}, "PyF": {"ifdef": "HAVE_FORK"}},
        "data": {"PyExc_B": {"added": "3.2"}},
        "macro": {"Py_M": {}},
    }
    assert symbols.stable_names(abi) == ["PyA", "PyF", "PyExc_B"]


def test_symbols_are_sorted_as_strcmp_sorts(tmp_path):
    (tmp_path / "Misc").mkdir()
    (tmp_path / "Misc" / "stable_abi.toml").write_text("[function.PyZ]\n[function._Py_a]\n[data.PyA_b]\n")
    (tmp_path / "Modules" / "_ctypes").mkdir(parents=True)
    symbols.write(tmp_path, ["abs", "PyZ"])
    lines = (tmp_path / "Modules" / "_ctypes" / "static_symbols.h").read_text().split()
    assert lines == ["SYMBOL(PyA_b)", "SYMBOL(PyZ)", "SYMBOL(_Py_a)", "SYMBOL(abs)"]


# --- the two images ---

WHOLE = {
    "bin/python3.13": "elf",
    "include/python3.13/Python.h": "h",
    "lib/libpython3.13.a": "a",
    "lib/pkgconfig/python-3.13.pc": "pc",
    "lib/python3.13/os.py": "os",
    "lib/python3.13/_sysconfigdata__linux_x86_64-linux-musl.py": "data",
    "lib/python3.13/config-3.13-x86_64-linux-musl/Makefile": "make",
    "lib/python3.13/idlelib/config-main.def": "def",
    "lib/python3.13/turtle.py": "turtle",
    "lib/python3.13/turtles.py": "other",
    "python.json": "{}",
    "share/licenses/cpython/LICENSE": "l",
}


def test_libpython_belongs_to_both_images(tmp_path):
    with ImageBuilder("whole") as builder:
        builder.add("lib/libpython3.13.so.1.0", b"elf")
        builder.add_link("lib/libpython3.13.so", "libpython3.13.so.1.0")
        builder.add("lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so", b"elf")
        builder.add("python.json", b"{}")
        builder.write(tmp_path / "whole.tar")
    split.runtime(context(tmp_path / "runtime.tar", tmp_path / "whole.tar", minor="3.13", leave_out=[]))
    split.dev(context(tmp_path / "dev.tar", tmp_path / "whole.tar", sources={}))
    libraries = {"lib/libpython3.13.so", "lib/libpython3.13.so.1.0"}
    runtime = {member.path for member in list_image(tmp_path / "runtime.tar")}
    assert runtime == libraries | {"lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so"}
    assert {member.path for member in list_image(tmp_path / "dev.tar")} == libraries | {"python.json"}


def test_runtime_and_dev_image_share_the_whole(tmp_path):
    whole = write_image(tmp_path / "whole.tar", **WHOLE)
    library = write_image(
        tmp_path / "z.tar", **{"lib/libz.a": "z", "include/zlib.h": "z", "share/licenses/zlib/LICENSE": "z"}
    )
    split.runtime(context(tmp_path / "runtime.tar", whole, library, minor="3.13", leave_out=["idlelib", "turtle.py"]))
    split.dev(context(tmp_path / "dev.tar", whole, library, sources={"zlib": {"version": "1"}}))
    runtime = {member.path for member in list_image(tmp_path / "runtime.tar")}
    dev = {member.path for member in list_image(tmp_path / "dev.tar")}
    assert runtime == {
        "bin/python3.13",
        "lib/python3.13/os.py",
        "lib/python3.13/_sysconfigdata__linux_x86_64-linux-musl.py",
        "lib/python3.13/turtles.py",
        "share/licenses/cpython/LICENSE",
        "share/licenses/zlib/LICENSE",
    }
    assert {"lib/libz.a", "include/zlib.h", "lib/libpython3.13.a", "python.json"} <= dev
    assert not any("idlelib" in path for path in dev)
    with unpacked(tmp_path / "dev.tar") as folder:
        assert json.loads((folder / "python.json").read_text())["sources"] == {"zlib": {"version": "1"}}
