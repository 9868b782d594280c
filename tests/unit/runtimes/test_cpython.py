"""The table of sources, the graph made of it, host tools, what is written down about a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pypack.base import targets
from pypack.errors import InputError, StepError
from pypack.formats.image import ImageBuilder, list_image, read_image
from pypack.runtimes import cpython
from pypack.runtimes.cpython import graph as graphs
from pypack.runtimes.cpython import loader, table
from pypack.steps import zig
from pypack.steps.step import Context, Settings, Step

if TYPE_CHECKING:
    from pypack.runtimes.cpython.graph import Graph

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
    return Context(product=product, inputs=inputs, params=params, settings=Settings(say=lambda _: None))


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
    assert whole.unhashed["build_zig"] == f"{host}-linux-musl"
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
    monkeypatch.setattr("pypack.base.hosts.arch", lambda: "x86_64")
    target = targets.load()[name]
    step = cpython.loader_step(target)
    assert step.product == f"source/{name}/loader-1.2.5.tar"
    assert step.params["loader"] == cpython.loader_path(target) == f"lib/ld-musl-{arch}.so.1"
    assert step.params["kind"] == "shared"
    assert step.params["links"] == ["libc.so", f"libc.musl-{arch}.so.1"]
    assert [each.name for each in step.inputs if isinstance(each, Path)] == [
        "iconv-euc-kr.patch", "qsort-smoothsort.patch",
    ]  # fmt: skip


def test_a_loader_that_is_none_is_an_error(tmp_path):
    made = tmp_path / "libc.so"
    made.write_bytes(b"!<arch>\n" + b"x" * 100)
    with pytest.raises(StepError, match="made no loader for linux-musl-x86_64, but no shared library"):
        loader._check_loader(made, MUSL)
    made.write_bytes(Path(zig.binary()).read_bytes()[:100])
    with pytest.raises(StepError, match="made no loader"):
        loader._check_loader(made, MUSL_ARM)


def test_a_loader_joins_any_image(tmp_path):
    image = Step(product="runtime/x/pbs.tar", action="patch", version=1, run=lambda _: None)
    step = loader.joined(image, graph_of(table.load()).loader())
    assert step.product == "runtime/x/pbs.loader.tar"
    another = {"lib/ld-musl-x86_64.so.1": "an older one"}
    pbs = write_image(tmp_path / "pbs.tar", **{"bin/python3.13": "elf", "lib/libpython3.13.so.1.0": "elf", **another})
    musl = write_image(
        tmp_path / "musl.tar", **{"lib/ld-musl-x86_64.so.1": "elf", "share/licenses/musl/COPYRIGHT": "c"}
    )
    step.run(context(tmp_path / "both.tar", pbs, musl))
    found = {member.path: stream.read() for member, stream in read_image(tmp_path / "both.tar") if stream}
    assert found["lib/ld-musl-x86_64.so.1"] == b"elf"
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
    ours = Path(__file__).parents[3] / "runtimes" / "sources.toml"
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
    return json.dumps(step.params, sort_keys=True)


def test_patches_are_inputs():
    step = graph_of(table.load()).libraries()["openssl"]
    assert [each.name for each in step.inputs if isinstance(each, Path)] == ["find-certificates.patch"]
