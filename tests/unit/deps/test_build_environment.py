"""Backends called for real in a private interpreter; the tests' own Python stands for the runtime that would build."""

from __future__ import annotations

import json
import os
import platform
import sys
import zipfile

import pytest

from pypack.base import folders, targets
from pypack.deps import tags
from pypack.deps.build import build, build_environment, cross, toolchain, wheel_archive
from pypack.deps.build.builder import Builder
from pypack.errors import StepError
from pypack.formats.image import ImageBuilder, add_tree
from pypack.formats.scripts import console_script
from pypack.runtimes.base import Runtime
from pypack.steps.step import Context, Settings, Step

TARGET = targets.load()["linux-gnu-x86_64"]
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
LAYOUT = TARGET.layout.at(MINOR)
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
BACKEND = """
import os, subprocess, sys, zipfile

def build_wheel(folder, settings=None, metadata=None):
    {work}
    name = "{name}"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as out:
        out.writestr("p.py", {content})
        out.writestr("p-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: p\\nVersion: 1\\n")
        out.writestr("p-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr("p-1.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def interpreter(tmp_path):
    """An image with a Python in it: a script that starts the tests' own one."""
    if os.name == "nt":
        pytest.skip("NOT TESTED HERE: the stand-in for an interpreter is a shell script")
    path = tmp_path / "interpreter.tar"
    with ImageBuilder("interpreter") as builder:
        builder.add(LAYOUT.python, f'#!/bin/sh\nexec {sys.executable} "$@"\n'.encode(), executable=True)
        builder.add_dir(LAYOUT.site_packages)
        builder.write(path)
    return path


@pytest.fixture
def project(tmp_path):
    """Make the image of a project whose backend does ``work`` and writes ``content`` into ``p.py``."""

    def make(work="pass", *, content="'x = 1'", name="p-1-py3-none-any.whl"):
        place = tmp_path / "project"
        place.mkdir(exist_ok=True)
        (place / "pyproject.toml").write_text(PYPROJECT)
        (place / "own.py").write_text(BACKEND.format(work=work, content=content, name=name))
        with ImageBuilder("project") as builder:
            add_tree(builder, place)
            builder.write(tmp_path / "tree.tar")
        return tmp_path / "tree.tar"

    return make


@pytest.fixture
def built(tmp_path, interpreter):
    """Run the step ``build`` on an image of a project; gives the box, and what was said."""

    def run(tree, folder="out", *, version="1"):
        said = []
        (tmp_path / folder).mkdir()
        params = {
            "label": "p 1", "distribution": "P", "version": version, "source": {"sha256": "0"}, "for": "any target",
            "python": platform.python_version(), "static": True, "platform": tags.uv_platform(TARGET),
        }  # fmt: skip
        image = Step(product="python.tar", action="none", version=1, run=lambda _: None)
        runtime = Runtime(provider="test", version=platform.python_version(), output_dir="runtime/x", image=image)
        unhashed = {
            "builder": Builder(target=TARGET, runtime=runtime, folder=tmp_path),
            "accepted": set(tags.supported(TARGET, MINOR, pure=True)),
        }
        product = tmp_path / folder / "wheel.tar"
        build.run(Context(product=product, inputs=(tree, interpreter), params=params, unhashed=unhashed,
                          settings=Settings(say=said.append)))  # fmt: skip
        return product, said

    return run


def test_a_wheel_comes_out_with_a_record_of_how(project, built):
    box, said = built(project())
    with wheel_archive.open_wheel(box) as wheel, zipfile.ZipFile(wheel) as read:
        told = json.loads(read.read("p-1.dist-info/pypack-build.json"))
        assert read.read("p.py") == b"x = 1"
    assert told == {"requires": {}, "source": {"sha256": "0"}}
    assert said == []


def test_the_same_bytes_come_out_in_another_folder_with_another_environment(project, built, monkeypatch):
    noted = "repr((sorted(os.environ), os.environ['LC_ALL'], os.environ['SOURCE_DATE_EPOCH'], hash('x')))"
    one, _ = built(project(content=noted), "one")
    for name, value in {"CFLAGS": "-O9", "PYTHONPATH": "/x", "SECRET_TOKEN": "abc", "LANG": "de_DE"}.items():
        monkeypatch.setenv(name, value)
    two, _ = built(project(content=noted), "two")
    assert one.read_bytes() == two.read_bytes()
    assert b"SECRET" not in two.read_bytes()


def test_what_names_the_folder_of_the_build_is_told(project, built):
    _, said = built(project(content="os.getcwd()"))
    assert said == ["p.py of p 1 names the folder it was built in: no two builds are the same"]


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (
            "print('line 1'); print('the last words'); sys.exit(3)",
            "build_wheel of its backend own failed:\n.*the last words",
        ),
        ("raise RuntimeError('no luck in ' + os.getcwd())", r"RuntimeError: no luck in …/tree\n  -> ask for a version"),
        ("subprocess.run(['cargo', 'build'], check=True)", r"failed, having asked for cargo \(Rust\)"),
        ("subprocess.run(['gfortran'], check=True)", r"having asked for gfortran \(Fortran\)"),
        (
            "subprocess.run(['gcc', 'x.c'], check=True)",
            r"having asked for gcc \(a compiler, which none of its files showed",
        ),
        ("subprocess.run(['cc', 'x.c'])", r" calls a compiler \(cc\), which none of its files showed"),
        ("print('x.c:1:10: fatal error: zlib.h file not found'); sys.exit(1)", "it needs a library in C"),
        ("return 'gone-1-py3-none-any.whl'", "made no wheel"),
        ("return None", "made no wheel"),
    ],
)
def test_a_backend_that_fails(project, built, work, told):
    with pytest.raises(StepError, match=rf"(?s)p 1.*{told}") as caught:
        built(project(work))
    assert "pypack-wheel-" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("q-1-py3-none-any.whl", "another name or version than the lock has"),
        ("p-2-py3-none-any.whl", "another name or version than the lock has"),
        ("p-1-cp39-cp39-win32.whl", "does not fit any target"),
        ("p.whl", "no wheel's name"),
    ],
)
def test_a_wheel_of_the_wrong_kind(project, built, name, told):
    with pytest.raises(StepError, match=told):
        built(project(name=name))


def test_a_version_may_be_spelt_differently_and_be_told_by_the_build_only(project, built):
    built(project(), "one", version="1.0.0")
    built(project(), "two", version="")


def test_a_hook_that_a_backend_lacks_gives_nothing(project, interpreter, tmp_path):
    work = Context(product=tmp_path / "x", inputs=(), params={}, settings=Settings())
    with build_environment.open_environment(
        work, "p 1", tree=project(), interpreter=interpreter, layout=LAYOUT, requirements=()
    ) as here:  # fmt: skip
        assert here.call("get_requires_for_build_wheel", None) is None
        assert (here.root / "tree" / "own.py").is_file()
    assert not here.root.exists()


def test_the_target_speaks_through_the_interpreter_that_builds(tmp_path):
    """What ``boot/cross.py`` and the variables do to a Python of the host."""
    facts = cross.Facts(
        machine="riscv64", platform="linux-riscv64",
        variables={"EXT_SUFFIX": f".cpython-{MINOR.replace('.', '')}-riscv64-linux-gnu.so", **cross._zig("/inc")},
    )  # fmt: skip
    (tmp_path / f"{cross.MODULE}.py").write_text(facts.module())
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1])\nimport platform, sysconfig, importlib.machinery as m\n"
        "print(platform.machine(), sysconfig.get_platform(), sysconfig.get_config_var('EXT_SUFFIX'), "
        "m.EXTENSION_SUFFIXES[0], sysconfig.get_config_var('CC'), sysconfig.get_config_var('INCLUDEPY'))"
    )
    env = {**os.environ, **facts.environment(), "PYTHONPATH": str(tmp_path)}
    worker = folders.bootstrap() / "cross.py"
    context = Context(product=tmp_path / "x", inputs=(), params={}, settings=Settings())
    told = context.run([sys.executable, "-c", code, worker], env=env).split()
    suffix = facts.variables["EXT_SUFFIX"]
    if platform.system() == "Linux":
        assert told == ["riscv64", "linux-riscv64", suffix, suffix, "cc", "/inc"]


def test_console_scripts_of_build_requirements_are_programs(tmp_path):
    tools = toolchain.stand_ins(tmp_path, compilers=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "python").mkdir()
    (tmp_path / "bin" / "cython.py").write_bytes(console_script("Cython.Compiler:main"))
    (tmp_path / "bin" / "convert.py").write_text("#!python\nprint('converted')\n")
    (tmp_path / "bin" / "uv-build").write_bytes(b"\x7fELF native")
    toolchain.add_scripts(tmp_path / "bin", tmp_path / "python" / "python3.13")
    installed = tmp_path / "python"
    assert sorted(path.name for path in installed.iterdir()) == ["convert", "cython", "uv-build"]
    assert (installed / "uv-build").read_bytes() == b"\x7fELF native"
    assert all(os.access(path, os.X_OK) for path in installed.iterdir())
    path = toolchain.environment(tools, tmp_path, installed)["PATH"].split(os.pathsep)
    assert path[:2] == [str(tools.folder), str(installed)]


def test_no_program_of_the_host_tells_where_its_libraries_are(tmp_path):
    tools = toolchain.stand_ins(tmp_path, compilers=False)
    assert "exit 1" in (tools.folder / "pkg-config").read_text()
    assert toolchain.environment(tools, tmp_path, tmp_path / "python")["PATH"].startswith(f"{tools.folder}{os.pathsep}")
