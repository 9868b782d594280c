"""The table of sources, the graph made of it, host tools, what is written down about a build."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pypack import sources, targets, zig
from pypack.binaries import Floor
from pypack.errors import InputError, StepError
from pypack.images.image import ImageBuilder, list_image, unpacked
from pypack.pipeline import Context, Hidden, Settings, Step
from pypack.providers.base import Request
from pypack.providers.source import SourceProvider
from pypack.sources import (
    cleaning,
    compiler,
    cpython,
    description,
    libraries,
    loader,
    split,
    symbols,
    table,
    tools,
    workshop,
)
from pypack.sources import graph as graphs

if TYPE_CHECKING:
    from pypack.sources.graph import Graph

MUSL = "linux-musl-x86_64"
MUSL_ARM = "linux-musl-aarch64"
GNU = "linux-gnu-x86_64"
GNU_ARM = "linux-gnu-aarch64"
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


def graph_of(known: table.Table, name: str = MUSL, kind: table.Kind | None = None, host: str = "x86_64") -> Graph:
    return graphs.for_target(known, targets.load()[name], kind, host=host)


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
    assert len(known.cpython.patches_for("static")) == 4
    assert [patch.name for patch in known.cpython.patches_for("shared")] == [
        "cpython/musl-triplet.patch", "cpython/soname.patch",
    ]  # fmt: skip
    assert known.loader is not None
    assert len(known.loader.patches) == 2


def test_every_archive_has_a_size_and_a_debian_package():
    known = table.load()
    assert known.loader is not None
    for source in (known.cpython, known.loader, *known.order()):
        assert source.pin.size > 0
        assert source.pin.urls[-1].startswith("debian:trixie/")


def test_all_faults_are_told_at_once(tmp_path):
    text = CPYTHON + 'needs = ["ghost"]\ncolour = "red"\n'
    text += "[library.one]" + ROW.format(hash="xyz") + 'tools = ["forge"]\nsources = "*.c"\n'
    text += "[library.one.for.vax]\ndefines = []\n[library.one.for.static]\nmake = []\n"
    text += '[target.somewhere]\nkinds = ["static"]\n[target.other]\nkinds = ["fluid"]\n'
    text += 'triple = "a-b-c"\nwords = { x = "y" }\n'
    with pytest.raises(InputError) as caught:
        table.load(write_table(tmp_path, text))
    for part in (
        "cpython: colour",
        "'ghost'",
        "one: sha256",
        "one: sources must be a list",
        "somewhere: triple, words",
        "kind 'fluid' is not known (static, shared)",
        "one.for.vax: no target has such a word",
        "one.for.static: make not known",
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
    assert more["sources"] == [*plain["sources"], *ffi.special["x86_64"]["sources"]]
    assert "src/x86/unix64.S" not in ffi.recipe["sources"]


def test_kinds_add_to_the_recipe_of_cpython():
    cpython = table.load().cpython
    static, shared = (cpython.recipe_for("x86_64", "gnu", kind) for kind in ("static", "shared"))
    assert "--enable-shared" not in static["configure"]
    assert "--enable-shared" in shared["configure"]
    assert static["environment"]["LDFLAGS"] == "-static"
    assert "LDFLAGS" not in shared["environment"]
    assert static["environment"]["ZLIB_LIBS"] == shared["environment"]["ZLIB_LIBS"]
    assert "setup" not in shared


def test_kinds_of_a_target_the_usual_one_first():
    known = table.load()
    found = {name: [variant.kind for variant in variants] for name, variants in known.variants.items()}
    both, only = ["static", "shared"], ["shared"]
    assert found == {MUSL: both, MUSL_ARM: both, GNU: only, GNU_ARM: only}
    usual = known.variant(MUSL)
    assert usual is not None
    assert (usual.kind, usual.usual) == ("static", True)
    assert known.variant(GNU, "static") is None
    assert known.variant("windows-x86_64") is None


# --- the graph ---


def test_products_of_the_static_graph_keep_their_names():
    runtime, dev = graph_of(table.load()).images()
    whole = runtime.inputs[0]
    assert isinstance(whole, Step)
    assert [step.product for step in (whole, runtime, dev)] == [
        f"source/{MUSL}/cpython-3.13.5.tar", f"source/{MUSL}/python-3.13.5.tar", f"source/{MUSL}/python-3.13.5-dev.tar",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "host", "product", "builder"),
    [
        (MUSL, "static", "x86_64", "cpython-3.13.5.tar", ""),
        (MUSL, "static", "aarch64", "cpython-3.13.5.tar", MUSL_ARM),
        (MUSL_ARM, "static", "x86_64", "cpython-3.13.5.tar", MUSL),
        (MUSL_ARM, "static", "aarch64", "cpython-3.13.5.tar", ""),
        (MUSL, "shared", "x86_64", "cpython-3.13.5-shared.tar", MUSL),
        (MUSL, "shared", "aarch64", "cpython-3.13.5-shared.tar", MUSL_ARM),
        (GNU, "shared", "x86_64", "cpython-3.13.5.tar", MUSL),
        (GNU, "shared", "aarch64", "cpython-3.13.5.tar", MUSL_ARM),
        (GNU_ARM, "shared", "x86_64", "cpython-3.13.5.tar", MUSL),
    ],
)
def test_which_python_drives_which_build(name, kind, host, product, builder):
    whole = graph_of(table.load(), name, kind, host).whole()
    assert whole.product == f"source/{name}/{product}"
    pythons = [each.product for each in whole.inputs if isinstance(each, Step) and "/cpython-" in each.product]
    assert pythons == ([f"source/{builder}/cpython-3.13.5.tar"] if builder else [])
    assert whole.params.get("cross", False) == bool(builder)
    assert whole.params["build_zig"].value == f"{host}-linux-musl"
    assert whole.params["zig_target"] == targets.load()[name].runtime_zig
    assert whole.params.get("floor") == ("2.17" if "-gnu-" in name else None)


def test_libraries_do_not_depend_on_the_build_host():
    for name in (MUSL, GNU_ARM):
        one, other = (graph_of(table.load(), name, host=host).libraries() for host in ("x86_64", "aarch64"))
        assert [signature(one[key]) for key in one] == [signature(other[key]) for key in other]


def test_both_kinds_of_a_target_share_its_libraries():
    static, shared = (graph_of(table.load(), MUSL, kind).libraries() for kind in ("static", "shared"))
    assert {step.product: signature(step) for step in static.values()} == {
        step.product: signature(step) for step in shared.values()
    }


def test_what_runs_comes_without_the_python_that_built_it():
    runtime, dev = graph_of(table.load(), MUSL_ARM).images()
    for step in (runtime, dev):
        assert all(isinstance(each, Step) and f"/{MUSL_ARM}/" in each.product for each in step.inputs)


def test_a_target_that_is_not_in_the_table():
    with pytest.raises(ValueError, match="windows-x86_64 cannot be built from source"):
        graph_of(table.load(), "windows-x86_64")
    with pytest.raises(ValueError, match="takes no loader"):
        graph_of(table.load(), GNU).loader()


@pytest.mark.parametrize(("name", "arch"), [(MUSL, "x86_64"), (MUSL_ARM, "aarch64")])
def test_the_loader_is_a_step_of_its_own(monkeypatch, name, arch):
    monkeypatch.setattr("pypack.hosts.arch", lambda: "x86_64")
    target = targets.load()[name]
    step = sources.loader_step(target)
    assert step.product == f"source/{name}/loader-1.2.5.tar"
    assert step.params["loader"] == sources.loader_path(target) == f"lib/ld-musl-{arch}.so.1"
    assert step.params["kind"] == "shared"
    assert step.params["links"] == ["libc.so", f"libc.musl-{arch}.so.1"]
    assert [each.name for each in step.inputs if isinstance(each, Path)] == [
        "iconv-euc-kr.patch", "qsort-smoothsort.patch",
    ]  # fmt: skip


def test_a_loader_that_is_none_is_an_error(tmp_path):
    made = tmp_path / "libc.so"
    made.write_bytes(b"!<arch>\n" + b"x" * 100)
    with pytest.raises(StepError, match="made no loader for linux-musl-x86_64, but no shared library"):
        loader._check(made, MUSL)
    made.write_bytes(Path(zig.binary()).read_bytes()[:100])
    with pytest.raises(StepError, match="made no loader"):
        loader._check(made, MUSL_ARM)


def test_a_loader_joins_any_image(tmp_path):
    image = Step(product="runtime/x/pbs.tar", action="patch", version=1, run=lambda _: None)
    step = loader.joined(image, graph_of(table.load()).loader())
    assert step.product == "runtime/x/pbs.loader.tar"
    pbs = write_image(tmp_path / "pbs.tar", **{"bin/python3.13": "elf", "lib/libpython3.13.so.1.0": "elf"})
    musl = write_image(
        tmp_path / "musl.tar", **{"lib/ld-musl-x86_64.so.1": "elf", "share/licenses/musl/COPYRIGHT": "c"}
    )
    step.run(context(tmp_path / "both.tar", pbs, musl))
    assert [member.path for member in list_image(tmp_path / "both.tar")] == [
        "bin/python3.13", "lib/ld-musl-x86_64.so.1", "lib/libpython3.13.so.1.0", "share/licenses/musl/COPYRIGHT",
    ]  # fmt: skip


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
    visible = {key: value for key, value in step.params.items() if not isinstance(value, Hidden)}
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
    assert runtime.loader == ""
    assert runtime.place == f"runtime/{MUSL}/source-3.13.5"
    assert len(runtime.pins) == 1 + len(table.load().libraries)
    assert any("no native wheel" in note for note in runtime.notes)
    assert {"idlelib", "tkinter", "turtle"} <= set(runtime.lacks)


@pytest.mark.parametrize("name", [MUSL, MUSL_ARM])
def test_native_wheels_take_the_shared_musl_runtime_with_a_loader(on_linux, name):
    request = Request(target=targets.load()[name], native=True)
    assert SourceProvider().refusal(request) == ""
    runtime = SourceProvider().runtime(request)
    assert not runtime.static
    assert runtime.loader == f"lib/ld-musl-{request.target.arch}.so.1"
    assert runtime.place == f"runtime/{name}/source-3.13.5-shared"
    assert runtime.image.product == f"source/{name}/python-3.13.5-shared.loader.tar"
    assert len(runtime.pins) == 2 + len(table.load().libraries)
    assert not any("no native wheel" in note for note in runtime.notes)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", [GNU, GNU_ARM])
def test_gnu_has_one_runtime_for_all(on_linux, name, native):
    runtime = SourceProvider().runtime(Request(target=targets.load()[name], native=native))
    assert (runtime.static, runtime.loader) == (False, "")
    assert runtime.place == f"runtime/{name}/source-3.13.5"


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
    assert why in SourceProvider().refusal(Request(target=targets.load()[target], version=version))


@pytest.mark.parametrize(("system", "arch"), [("macos", "aarch64"), ("windows", "x86_64"), ("linux", "riscv64")])
def test_another_host_is_refused(monkeypatch, system, arch):
    monkeypatch.setattr("pypack.hosts.system", lambda: system)
    monkeypatch.setattr("pypack.hosts.arch", lambda: arch)
    why = SourceProvider().refusal(Request(target=targets.load()[MUSL]))
    assert "on Linux x86_64 or aarch64 only, because" in why
    assert f"this machine is {system} {arch}" in why


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_both_processors_build_for_both(monkeypatch, arch):
    monkeypatch.setattr("pypack.hosts.system", lambda: "linux")
    monkeypatch.setattr("pypack.hosts.arch", lambda: arch)
    for name in (MUSL, MUSL_ARM, GNU, GNU_ARM):
        assert SourceProvider().refusal(Request(target=targets.load()[name])) == ""


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
    shop = workshop.Workshop(
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
    monkeypatch.setattr("pypack.zig.binary", lambda: zig)
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
        libraries._found(tmp_path, "src/*.c")


# --- what was built ---


def test_a_glibc_that_is_too_new_is_an_error(monkeypatch, tmp_path):
    found = Floor(version=(2, 18), path="lib/libpython3.13.so.1.0")
    monkeypatch.setattr("pypack.binaries.glibc_floor", lambda _: found)
    with pytest.raises(StepError, match=r"needs glibc 2\.18 \(lib/libpython3\.13\.so\.1\.0\).*floor is glibc 2\.17"):
        cpython.check_floor(tmp_path / "x.tar", "2.17")
    cpython.check_floor(tmp_path / "x.tar", "2.18")
    cpython.check_floor(tmp_path / "x.tar", "3.0")


def test_a_library_without_glibc_passes(monkeypatch, tmp_path):
    monkeypatch.setattr("pypack.binaries.glibc_floor", lambda _: None)
    cpython.check_floor(tmp_path / "x.tar", "2.17")


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
