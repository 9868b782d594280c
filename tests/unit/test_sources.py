"""The table of sources, the graph made of it, host tools, what is written down about a build."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from pypack import targets, zig
from pypack.errors import InputError, StepError
from pypack.images.image import ImageBuilder, list_image, unpacked
from pypack.pipeline import Context, Settings, Step
from pypack.providers.base import Request
from pypack.providers.source import SourceProvider
from pypack.sources import cleaning, compiler, description, libraries, split, symbols, table, tools
from pypack.sources.graph import Graph

MUSL = "linux-musl-x86_64"
ROW = """
version = "1.0"
urls = ["https://example.org/one-1.0.tar.gz"]
sha256 = "{hash}"
licence = "MIT"
licence_files = ["LICENSE"]
"""
CPYTHON = "[cpython]" + ROW.format(hash="a" * 64)


def write_table(folder: Path, text: str) -> Path:
    file = folder / "sources.toml"
    file.write_text(text, encoding="utf-8")
    return file


def graph_of(known: table.Table) -> Graph:
    return Graph(table=known, variant=known.variants[MUSL], target=targets.load()[MUSL])


def context(product: Path, *inputs: Path, **params: object) -> Context:
    return Context(product=product, inputs=inputs, extra=(), params=params, settings=Settings(say=lambda _: None))


def write_image(path: Path, **files: str) -> Path:
    with ImageBuilder(path.name) as builder:
        for name, content in files.items():
            builder.add(name, content.encode())
        builder.write(path)
    return path


# --- the table ---


def test_our_table_holds_together():
    known = table.load()
    names = [source.name for source in known.order()]
    assert names.index("ncurses") < names.index("libedit")
    assert set(names) == set(known.libraries), "a library that nothing needs is dead weight"
    assert set(known.variants) <= set(targets.load())
    assert {patch.source for source in known.libraries.values() for patch in source.patches} == {"openssl"}
    assert len(known.cpython.patches) == 4


def test_every_archive_has_a_size_and_a_debian_package():
    known = table.load()
    for source in (known.cpython, *known.order()):
        assert source.pin.size > 0
        assert source.pin.urls[-1].startswith("debian:trixie/")


def test_all_faults_are_told_at_once(tmp_path):
    text = CPYTHON + 'needs = ["ghost"]\ncolour = "red"\n'
    text += "[library.one]" + ROW.format(hash="xyz") + 'tools = ["forge"]\nsources = "*.c"\n'
    text += '[target.somewhere]\nkind = "static"\n'
    with pytest.raises(InputError) as caught:
        table.load(write_table(tmp_path, text))
    for part in (
        "cpython: colour",
        "'ghost'",
        "one: sha256",
        "one: sources must be a list",
        "somewhere: triple, words",
    ):
        assert part in caught.value.what


def test_a_tool_without_a_package_is_a_fault(tmp_path):
    text = CPYTHON + 'tools = ["forge"]\n'
    with pytest.raises(InputError, match=r"tool 'forge' is not in \[tools\]"):
        table.load(write_table(tmp_path, text))


def test_a_processor_adds_to_the_recipe():
    ffi = table.load().libraries["libffi"]
    plain, more = ffi.recipe_for("s390x"), ffi.recipe_for("x86_64")
    assert "src/x86/unix64.S" not in plain["sources"]
    assert more["sources"] == [*plain["sources"], *ffi.arches["x86_64"]["sources"]]
    assert "src/x86/unix64.S" not in ffi.recipe["sources"]


# --- the graph ---


def test_each_library_is_a_node_of_its_own():
    known = table.load()
    steps = graph_of(known).libraries()
    assert [step.product for step in steps.values()] == [
        f"source/{MUSL}/{source.name}-{source.version}.tar" for source in known.order()
    ]
    fetched = steps["zlib"].inputs[0]
    assert isinstance(fetched, Step)
    assert fetched.product == f"fetch/{known.libraries['zlib'].pin.sha256[:16]}/{known.libraries['zlib'].pin.file}"
    assert steps["ncurses"] in steps["libedit"].inputs


def test_a_changed_flag_redoes_one_library(tmp_path):
    ours = Path(__file__).parents[2] / "runtimes" / "sources.toml"
    text = ours.read_text(encoding="utf-8")
    (tmp_path / "patches").symlink_to(ours.parent / "patches")
    other = table.load(write_table(tmp_path, text.replace('"SQLITE_THREADSAFE=1"', '"SQLITE_THREADSAFE=2"')))
    before, after = graph_of(table.load()).libraries(), graph_of(other).libraries()
    changed = [name for name in before if signature(before[name]) != signature(after[name])]
    assert changed == ["sqlite"]


def test_the_signature_knows_compiler_and_target():
    step = graph_of(table.load()).libraries()["zlib"]
    seen = signature(step)
    assert zig.version() in seen
    assert "x86_64-linux-musl" in seen
    assert "-O2" in seen
    assert "apt" not in seen


def signature(step: Step) -> str:
    visible = {key: value for key, value in step.params.items() if key not in {"patches", "host_tools"}}
    return json.dumps(visible, sort_keys=True)


def test_patches_are_inputs():
    step = graph_of(table.load()).libraries()["openssl"]
    assert [each.name for each in step.inputs if isinstance(each, Path)] == ["find-certificates.patch"]


# --- the provider ---


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr("pypack.hosts.system", lambda: "linux")
    monkeypatch.setattr("pypack.hosts.arch", lambda: "x86_64")


def test_the_provider_describes_a_static_runtime(on_linux):
    request = Request(target=targets.load()[MUSL], version="3.13")
    assert SourceProvider().refusal(request) == ""
    runtime = SourceProvider().runtime(request)
    assert runtime.static
    assert runtime.version.startswith("3.13.")
    assert runtime.dev is not None
    assert len(runtime.pins) == 1 + len(table.load().libraries)
    assert any("no native wheel" in note for note in runtime.notes)


@pytest.mark.parametrize(
    ("target", "version", "why"),
    [
        ("linux-gnu-x86_64", "3.13", "cannot be built from source yet"),
        ("linux-musl-aarch64", "", "cannot be built from source yet"),
        (MUSL, "3.12", "the pinned source is CPython 3.13"),
        (MUSL, "3.13.4", "not 3.13.4"),
    ],
)
def test_refusals(on_linux, target, version, why):
    assert why in SourceProvider().refusal(Request(target=targets.load()[target], version=version))


def test_another_host_is_refused(monkeypatch):
    monkeypatch.setattr("pypack.hosts.system", lambda: "macos")
    monkeypatch.setattr("pypack.hosts.arch", lambda: "x86_64")
    assert "on Linux x86_64 only" in SourceProvider().refusal(Request(target=targets.load()[MUSL]))


def test_reachable_offline_only_with_all_archives(on_linux, monkeypatch, tmp_path):
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(tmp_path))
    request = Request(target=targets.load()[MUSL])
    assert not SourceProvider().reachable(request, Settings(offline=True))


# --- host tools, the compiler ---


def test_all_missing_programs_in_one_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepError) as caught:
        tools.check({"make": "make", "tclsh": "tcl", "perl": "perl"})
    assert all(word in caught.value.what for word in ("sh", "make", "tclsh", "perl"))
    assert "apt-get install" in caught.value.do
    assert " tcl" in caught.value.do


def test_a_perl_without_its_modules_counts_as_missing(monkeypatch, tmp_path):
    for name in ("sh", "sed", "grep", "cmp", "install", "tr", "perl"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 2\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepError, match=r"not here: perl\n"):
        tools.check({"perl": "perl"})
    tools.check({})


def test_wrappers_carry_the_folders_of_the_build(tmp_path):
    made = compiler.Compiler(target="x86_64-linux-musl", root=tmp_path, deps=tmp_path / "deps", static=True).install()
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
    monkeypatch.setattr("pypack.zig.binary", lambda: zig)
    made = compiler.Compiler(target="x86_64-linux-musl", root=tmp_path, deps=tmp_path, static=True).install()
    words = [[made / "ar", "-curvU", "lib U.a", "U.o"], [made / "ar", "rcs", "x.a", "x.o"]]
    said = [subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in words]
    assert said == ["ar -curv lib U.a U.o\n", "ar rcs x.a x.o\n"]


def test_build_scripts_see_nothing_of_the_callers_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CFLAGS", "-march=native")
    monkeypatch.setenv("PKG_CONFIG_PATH", "/opt/lib/pkgconfig")
    made = compiler.Compiler(target="x86_64-linux-musl", root=tmp_path, deps=tmp_path, static=False)
    env = made.environment(tmp_path / "tools")
    assert not {"CFLAGS", "PKG_CONFIG_PATH"} & env.keys()
    assert env["PATH"].startswith(str(tmp_path / "tools"))
    assert env["CC"] == "cc"


def test_a_pattern_without_files_is_an_error(tmp_path):
    with pytest.raises(StepError, match=r"no file 'src/\*\.c'"):
        libraries._found(tmp_path, "src/*.c")


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
