"""What an import can load of what wheels carry, and which libraries that takes, by hand-made files of all systems."""

from __future__ import annotations

import importlib.machinery
import json
import sys

import pytest
from tests.support.elf_files import EM_AARCH64, elf
from tests.support.machos import ARM64 as MAC_ARM64
from tests.support.machos import BUNDLE, DYLIB, X86_64, Recipe, fat, macho
from tests.support.pe_files import ARM64, I386, pe
from tests.unit.deps.test_merge_wheels import context

from pypack.base import hosts, targets
from pypack.bundle import manifest
from pypack.deps import contents, merge_wheels
from pypack.errors import StepError
from pypack.formats import binaries
from pypack.formats.binaries import loading
from pypack.formats.image import ImageBuilder

TABLE = targets.load()
GNU, MUSL, ARM, WINDOWS, MAC = (
    TABLE[name]
    for name in ("linux-gnu-x86_64", "linux-musl-x86_64", "linux-gnu-aarch64", "windows-x86_64", "macos-aarch64")
)
SUFFIX = ".cpython-313-x86_64-linux-gnu.so"


def module(name="x", **parts):
    return elf(exports=(f"PyInit_{name}",), **{"needed": ("libc.so.6",), **parts})


def dll(name="x", machine=None, needed=("python313.dll",)):
    words = {"machine": machine} if machine else {}
    return pe(dll=True, needed=needed, exports={f"PyInit_{name}": "code"}, **words)


def mac(name="x", cpu=MAC_ARM64, needed=()):
    made = macho(Recipe(cpu=cpu, kind=BUNDLE, payload=False, needed=("/usr/lib/libSystem.B.dylib", *needed)))
    return made + b"_PyInit_%s\0" % name.encode()


def joined(folder, target, files, *, minor="3.13", static=False, runtime=(), links=(), tag="cp313-x-y"):
    """Return the facts of a package with ``files`` below site-packages, and what was said; names with a / first are
    paths of the image."""
    with ImageBuilder("pkg") as builder:
        for path, data in files.items():
            builder.add(path[1:] if path.startswith("/") else f"site-packages/{path}", data)
        for path, to in links:
            builder.add_link(f"site-packages/{path}", to)
        builder.add("site-packages/pkg-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n".encode())
        builder.write(folder / "pkg.tar")
    said = []
    system = {"container": target.container, "arch": target.arch, "libc": target.libc}
    contents.run_contents(context(folder / "pkg.json", [folder / "pkg.tar"], **system))
    (folder / "runtime.json").write_text(json.dumps({"natives": list(runtime)}))
    params = {"suffixes": list(loading.suffixes(target, minor, static=static)), "exclude": [], "names": []}
    inputs = [folder / "runtime.json", folder / "pkg.json"]
    merge_wheels.run_facts(context(folder / "facts.json", inputs, said, unhashed={"target": target}, **params))
    return json.loads((folder / "facts.json").read_text()), said


def expected(facts):
    found = manifest.system_libraries({"deps": facts})
    return list(found.needed), list(found.optional)


# --- foreign code -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(hosts.system() != "linux", reason="CANNOT RUN: the suffixes are those of this Python on Linux")
def test_the_suffixes_are_those_of_this_very_python():
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = targets.find("host", TABLE)
    assert list(loading.suffixes(target, minor)) == importlib.machinery.EXTENSION_SUFFIXES


def test_suffixes_by_target():
    assert loading.suffixes(WINDOWS, "3.13") == (".cp313-win_amd64.pyd", ".pyd")
    assert loading.suffixes(MAC, "3.9") == (".cpython-39-darwin.so", ".abi3.so", ".so")
    assert loading.suffixes(MUSL, "3.13") == (".cpython-313-x86_64-linux-musl.so", ".abi3.so", ".so")
    assert loading.suffixes(MUSL, "3.10")[0] == ".cpython-310-x86_64-linux-gnu.so"
    assert loading.suffixes(MUSL, "3.13", static=True) == ()


DATA = {  # what selenium, debugpy, tkinterdnd2 and playwright carry: no import reaches it on linux-gnu-x86_64
    "selenium/common/windows/selenium-manager.exe": pe(),
    "selenium/common/macos/selenium-manager": macho(),
    "debugpy/attach_amd64.dll": pe(dll=True),
    "debugpy/cython.cp310-win_amd64.pyd": dll("cython"),
    "debugpy/plain.pyd": dll("plain"),
    "debugpy/attach_linux_arm64.so": elf(machine=EM_AARCH64, needed=("libc.so.6",)),  # importable, but no module
    "debugpy/attach.dylib": macho(Recipe(kind=DYLIB, payload=False)),
    "debugpy/musl.cpython-313-x86_64-linux-musl.so": module("musl", needed=("libc.musl-x86_64.so.1",)),
    "debugpy/old.cpython-312-aarch64-linux-gnu.so": module("old", machine=EM_AARCH64),
    "debugpy/mac.cpython-313-darwin.so": mac("mac"),
    "tkdnd/linux-arm64/x.so": module("x", machine=EM_AARCH64),  # no folder of a package
    "/data/share/y.so": module("y", machine=EM_AARCH64),
}


def test_code_for_other_systems_is_data_with_one_note(tmp_path):
    facts, said = joined(tmp_path, GNU, {**DATA, "fits.abi3.so": module("fits"), "pure.py": b"x = 1\n" * 20})
    assert said == ["programs and libraries for other systems go in as data: pkg (12)"]
    assert [(row["path"], row["module"]) for row in facts["natives"]] == [("site-packages/fits.abi3.so", True)]


@pytest.mark.parametrize("target", [MUSL, ARM, WINDOWS, MAC], ids=lambda target: target.name)
def test_the_same_files_are_no_fault_of_other_targets(tmp_path, target):
    _, said = joined(tmp_path, target, DATA)
    assert len(said) == 1
    assert "go in as data: pkg (" in said[0]


@pytest.mark.parametrize(
    ("target", "path", "data", "why"),
    [
        (GNU, f"a/x{SUFFIX}", module(machine=EM_AARCH64), "it is made for aarch64"),
        (GNU, "x.so", module(machine=EM_AARCH64), "it is made for aarch64"),
        (GNU, "a/b/x.abi3.so", module(needed=("libc.musl-x86_64.so.1",)), "it is linked with musl"),
        (GNU, f"x{SUFFIX}", mac(), "it is made for macho systems"),
        (GNU, f"p/__init__{SUFFIX}", module("p", machine=EM_AARCH64), "it is made for aarch64"),
        (GNU, "ä.so", elf(machine=EM_AARCH64, exports=("PyInitU_4ca",)), "it is made for aarch64"),
        (GNU, "x.so", elf(machine=EM_AARCH64, exports=("PyModExport_x",)), "it is made for aarch64"),
        (MUSL, "x.abi3.so", module(), "it is linked with glibc"),
        (WINDOWS, "x.pyd", dll(machine=ARM64), "it is made for aarch64"),
        (WINDOWS, "a/x.cp313-win_amd64.pyd", dll(machine=I386), "it is made for x86"),
        (WINDOWS, "cut.pyd", dll("cut")[:-1], "it is cut short or damaged"),
        (WINDOWS, "x.cp313-win_amd64.pyd", module(), "it is made for elf systems"),
        (MAC, "x.cpython-313-darwin.so", mac(cpu=X86_64), "it is made for x86_64"),
    ],
)
def test_a_module_that_the_target_would_load_is_refused(tmp_path, target, path, data, why):
    with pytest.raises(StepError) as caught:
        joined(tmp_path, target, {path: data})
    assert f"cannot load:\n  site-packages/{path}: {why}\n" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "path", "data"),
    [
        (WINDOWS, "cut.dll", dll("cut")[:-1]),
        (WINDOWS, "data.bin", b"MZ" + bytes(100)),
        (MAC, "x.so", fat(mac(cpu=X86_64), mac())),
        (GNU, "object.so", elf(machine=EM_AARCH64, kind=1, exports=("PyInit_object",))),
    ],
)
def test_what_is_no_fault(tmp_path, target, path, data):
    joined(tmp_path, target, {path: data})


def test_a_static_python_imports_no_file(tmp_path):
    facts, _ = joined(tmp_path, MUSL, {"x.abi3.so": module()}, static=True)
    assert facts["natives"] == []


@pytest.mark.parametrize(
    ("target", "code", "library", "other"),
    [
        (
            GNU,
            module(needed=("liba.so.1",), runpath="$ORIGIN/../a.lib"),
            ("a.lib/liba.so.1", elf(machine=EM_AARCH64)),
            elf(),
        ),
        (
            GNU,
            module(needed=("liba.so.1",), rpath="${ORIGIN}/../q/lib"),
            ("q/lib/liba.so.1", elf(machine=EM_AARCH64)),
            elf(),
        ),
        (WINDOWS, dll(needed=("Liba.dll",)), ("pkg.libs/libA.dll", pe(I386, dll=True)), pe(dll=True)),
        (WINDOWS, dll(needed=("Liba.dll",)), ("p/liba.dll", dll()[:-1]), pe(dll=True)),
        (
            MAC,
            mac(needed=("@loader_path/.dylibs/liba.dylib",)),
            ("p/.dylibs/liba.dylib", macho(Recipe(cpu=X86_64, kind=DYLIB, payload=False))),
            macho(Recipe(kind=DYLIB, payload=False)),
        ),
    ],
)
def test_a_library_for_another_machine_that_a_module_needs_is_refused(tmp_path, target, code, library, other):
    path = "p/x" + loading.suffixes(target, "3.13")[0]
    files = {path: code, library[0]: library[1]}
    with pytest.raises(StepError, match="needs it") as caught:
        joined(tmp_path, target, files)
    assert f"site-packages/{library[0]}: it is" in str(caught.value)
    # somewhere else is one that fits, or the runtime has it: loaders pass over what does not
    name = library[0].rpartition("/")[2]
    facts, _ = joined(tmp_path, target, {**files, f"other/{name}": other})
    assert expected(facts) == (["python313.dll"] if "python313.dll" in expected(facts)[0] else [], [])
    row = {"path": f"lib/{name}", "names": [name.lower()], "needs": [], "foreign": "", "module": False}
    joined(tmp_path, target, files, runtime=[row])


# --- what is expected of the system -----------------------------------------------------------------------------------


def test_what_imports_need_and_what_plugins_do(tmp_path):
    files = {
        f"pyside/core{SUFFIX}": module("core", needed=("libshiboken.abi3.so.6.8", "libz.so.1"), runpath="$ORIGIN"),
        "pyside/libshiboken.abi3.so.6.8": elf(soname="libshiboken.abi3.so.6.8", needed=("libstdc++.so.6",)),
        "pyside/plugins/libqxcb.so": elf(needed=("libX11.so.6", "libstdc++.so.6", "libxcb-own.so.0")),
        "pyside/plugins/libxcb-own.so.0": elf(needed=("libxcb.so.1", "libm.so.6")),
        "bin/program": elf(needed=("libpam.so.0",)),
    }
    facts, said = joined(tmp_path, GNU, files)
    assert said == []
    assert expected(facts) == (["libstdc++.so.6", "libz.so.1"], ["libX11.so.6", "libpam.so.0", "libxcb.so.1"])


def test_a_library_of_another_wheel_is_there(tmp_path):
    torch = {
        f"torch/_C{SUFFIX}": module("_C", needed=("libtorch.so",), runpath="$ORIGIN/lib"),
        "torch/lib/libtorch.so": elf(needed=("libcudart.so.12",), runpath="$ORIGIN/../../nvidia/cuda_runtime/lib"),
        "nvidia/cuda_runtime/lib/libcudart.so.12": elf(needed=("librt.so.1", "libcuda.so.1")),
    }
    assert expected(joined(tmp_path, GNU, torch)[0]) == (["libcuda.so.1"], [])


def test_a_library_for_another_machine_is_not_there(tmp_path):
    files = {f"x{SUFFIX}": module(needed=("liba.so",)), "far/away/liba.so": elf(machine=EM_AARCH64)}
    assert expected(joined(tmp_path, GNU, files)[0]) == (["liba.so"], [])


def test_links_are_names_of_what_they_lead_to(tmp_path):
    files = {f"x{SUFFIX}": module(needed=("liba.so.1",)), "a.libs/liba.so.1.2": elf(needed=("libb.so",))}
    assert expected(joined(tmp_path, GNU, files, links=[("a.libs/liba.so.1", "liba.so.1.2")])[0]) == (["libb.so"], [])


def test_the_runtime_s_own_libraries_count_and_its_plugins_are_told_apart(tmp_path):
    with ImageBuilder("runtime") as builder:
        builder.add("bin/python3.13", elf(needed=("libpython3.13.so.1.0", "libc.so.6"), runpath="$ORIGIN/../lib"))
        builder.add("lib/libpython3.13.so.1.0", elf(needed=("libcrypt.so.2",)))
        builder.add("lib/libssl.so.3", elf())
        builder.add("lib/ossl-modules/legacy.so", elf(needed=("libodd.so",)))
        builder.add("lib/python3.13/lib-dynload/_tkinter" + SUFFIX, module("_tkinter", needed=("libX11.so.6",)))
        builder.write(tmp_path / "runtime.tar")
    from pypack.bundle import facts

    params = {"sentinels": ["bin/python3.13"], "container": "elf", "arch": "x86_64", "libc": "gnu"}
    runtime = facts.gather(binaries.look(tmp_path / "runtime.tar"), params)
    deps, _ = joined(tmp_path, GNU, {f"x{SUFFIX}": module(needed=("libssl.so.3", "libz.so.1"))})
    found = manifest.system_libraries({"runtime": runtime, "deps": deps})
    assert found.needed == ("libX11.so.6", "libcrypt.so.2", "libz.so.1")
    assert found.optional == ("libodd.so",)


NEWER = {
    "x.so": module(versions={"libc.so.6": ("GLIBC_2.17",)}, needed=("libz.so", "libc.so.6")),
    "p/libz.so": elf(versions={"libc.so.6": ("GLIBC_2.25",)}),
    "p/attach.so": elf(versions={"libc.so.6": ("GLIBC_2.36",)}),
    "p/arm.so": elf(machine=EM_AARCH64, versions={"libc.so.6": ("GLIBC_2.39",)}),
}


@pytest.mark.parametrize(("tag", "floor"), [("py3-none-any", "2.25"), ("cp313-cp313-manylinux_2_36_x86_64", "2.36")])
def test_what_no_import_loads_raises_no_floor_where_the_wheel_is_for_any_system(tmp_path, tag, floor):
    facts, _ = joined(tmp_path, GNU, NEWER, tag=tag)
    assert facts["floor"] == floor
    assert facts["floor_needed_by"].startswith("site-packages/p/")


def test_macos_that_a_plugin_needs_is_not_what_the_bundle_needs(tmp_path):
    plugin = macho(Recipe(kind=DYLIB, payload=False, minimum=(15, 0)))
    facts, _ = joined(tmp_path, MAC, {"x.so": mac(), "attach.dylib": plugin}, tag="py3-none-any")
    assert (facts["floor"], facts["floor_needed_by"]) == ("11.0", "site-packages/x.so")


def test_what_windows_and_macos_lack(tmp_path):
    files = {
        "numpy/x.cp313-win_amd64.pyd": dll(needed=("KERNEL32.dll", "python313.dll", "libblas-1f.dll", "MSVCP140.dll")),
        "numpy.libs/LibBlas-1f.dll": pe(dll=True, needed=("api-ms-win-crt-heap-l1-1-0.dll",)),
        "numpy/tool.exe": pe(needed=("vcomp140.dll",)),
    }
    assert expected(joined(tmp_path, WINDOWS, files)[0]) == (["msvcp140.dll", "python313.dll"], ["vcomp140.dll"])
    files = {
        "x.abi3.so": mac(needed=("@rpath/liba.dylib", "/System/Library/Frameworks/Tk")),
        "lib/liba.dylib": macho(
            Recipe(kind=DYLIB, own="@rpath/liba.dylib", payload=False, needed=("/opt/libb.dylib",))
        ),
    }
    assert expected(joined(tmp_path, MAC, files)[0]) == (["libb.dylib"], [])


def test_a_program_s_own_extension_counts(tmp_path):
    from pypack.bundle import facts

    params = {"container": "elf", "arch": "x86_64", "libc": "gnu", "suffixes": list(loading.suffixes(GNU, "3.13"))}
    with ImageBuilder("app") as builder:
        new = module("fast", needed=("libz.so.1", "libc.so.6"), versions={"libc.so.6": ("GLIBC_2.34",)})
        builder.add(f"app/pkg/fast{SUFFIX}", new)
        builder.write(tmp_path / "app.tar")
    found = facts.of_app(tmp_path / "app.tar", params)
    assert (found["floor"], found["floor_needed_by"]) == ("2.34", f"app/pkg/fast{SUFFIX}")
    assert manifest.system_libraries({"app": found}).needed == ("libz.so.1",)


def test_many_names_are_told_in_short():
    names = [f"lib{letter}.so" for letter in "abcdefgh"]
    described = {"system_libraries": ["libz.so"], "optional_libraries": names}
    assert manifest.expectations(described) == [
        "it expects libz.so", "optional parts expect liba.so, libb.so, libc.so, libd.so, libe.so, libf.so and 2 more",
    ]  # fmt: skip
