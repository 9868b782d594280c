"""Each word that a person can mistype is answered with the word that was meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pypack
from pypack.base import targets, variables
from pypack.base.notes import Note
from pypack.bundle import identity
from pypack.cli import front
from pypack.deps import merge_wheels
from pypack.errors import InputError, PypackError
from pypack.plan import planner
from pypack.project import options, program
from pypack.runtimes.cpython import table
from pypack.steps.step import Context, Settings

PYPROJECT = """\
[project]
name = "hello"
version = "1"
[project.optional-dependencies]
color = []
[project.scripts]
hello = "hello:main"
[dependency-groups]
tests = []
[build-system]
requires = []
build-backend = "x"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "hello.py").write_text("def main(): ...\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["biuld"], "build"),
        (["--debug", "inspekt", "x"], "inspect"),
        (["build", "--taget", "host"], "--target"),
        (["build", "--no-consle"], "--no-console"),
        (["lock", "--upgrad-package=x"], "--upgrade-package"),
        (["init", "--ci", "githb"], "github"),
        (["completion", "bsh"], "bash"),
        (["build", "--target", "linux-musl-x86"], "linux-musl-x86_64"),
        (["build", "--profile", "relase"], "release"),
        (["build", "--mode", "onefil"], "onefile"),
        (["build", "--launch", "emebd"], "embed"),
        (["build", "--startup", "fats"], "fast"),
        (["build", "--environment", "isolate"], "isolated"),
        (["build", "--silence", "host-glib"], "host-glibc"),
        (["build", "--floor", "glib=2.28"], "glibc"),
        (["build", "--sign", "tool=codesig"], "codesign"),
        (["build", "--sign", "tool=codesign,identiy=x"], "identity"),
        (["build", "--extra", "colour"], "color"),
        (["build", "--group", "test"], "tests"),
    ],
)
def test_words_of_the_command(words, meant, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    try:
        code = front.main(words)
    except SystemExit as end:
        code = int(str(end.code))
    told = capsys.readouterr().err
    assert code == 2, told
    assert f"did you mean {meant}" in told.replace("\n", " "), told


SETTINGS = [
    ("entri = 'x'", "entry"), ("quiet = ['u']", "uv"), ("sign = { tol = 'x' }", "tool"), ("launch = 'emebd'", "embed"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "meant"), SETTINGS)
def test_words_of_the_settings(setting, meant, folder):
    with (folder / "pyproject.toml").open("a") as file:
        file.write(f"[tool.pypack]\n{setting}\n")
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        planner.bundles(program.load(folder, package=False), [], build=folder, settings=Settings())


def test_variables_of_scons():
    with pytest.raises(InputError, match="did you mean target"):
        options.parse_variables({"taget": "host"}, options.absolute_path)


def test_keywords_of_the_builder(folder):
    with pytest.raises(InputError, match="did you mean console"):
        program.load(folder, consle=True)


def test_runtimes(folder):
    from pypack.plan.locks import Locks

    project = program.load(folder, runtime="sorce", package=False)
    with pytest.raises(PypackError, match="did you mean source"):
        planner.runtime(project, targets.find("host", targets.load()), locks=Locks(build=folder), settings=Settings())


@pytest.mark.parametrize("entry", ["helo", "hello:mian"])
def test_entry_points(entry, folder):
    from pypack.project import entry_check

    with pytest.raises(InputError, match=r"did you mean (hello|main)"):
        entry_check.check(program.load(folder, entry=entry, package=False))


# --- variables of the environment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PYPACK_MIROR", "PYPACK_MIRROR"), ("PYPACK_CACHEDIR", "PYPACK_CACHE_DIR"), ("PYPACK_PIN", "PYPACK_PINS"),
        ("PYPACK_SELFS", "PYPACK_SELF"), ("PYPACK_DEBIAN_MIROR", "PYPACK_DEBIAN_MIRROR"),
        ("PYPACK_DRY_RUN", "PYPACK_DRYRUN"),
    ],
)  # fmt: skip
def test_variables_of_the_environment(name, meant, folder, monkeypatch):
    monkeypatch.setenv(name, "x")
    said: list[str] = []
    project = program.load(folder, runtime="nowhere/python", package=False)
    with pytest.raises(PypackError):
        planner.bundles(
            project, [targets.find("host", targets.load())], build=folder, settings=Settings(say=said.append)
        )
    (note,) = [line for line in said if isinstance(line, Note) and line.identifier == "unknown-variable"]
    assert note == f"the environment variable {name} is not known (did you mean {meant}?)"


def test_variables_that_others_use_are_theirs():
    names = [
        "PYPACK_BASE_SHA",
        "PYPACK_HIDDEN_PYTHONPATH",
        "MY_PYPACK_MIROR",
        *variables.OF_BUILDS,
        *variables.OF_BUNDLES,
    ]
    assert [*variables.notes(names, (*variables.OF_BUILDS, *variables.OF_BUNDLES), kind="environment variable")] == []


def test_the_table_of_variables_has_all_that_the_sources_read():
    top = Path(pypack.__file__).parents[2]
    texts = [
        file.read_text(encoding="utf-8") for file in (*top.glob("stubs/**/*.[ch]"), *top.glob("site_scons/**/*.py"))
    ]
    read = set(re.findall(r'"(PYPACK_[A-Z_]+)"', "\n".join(texts)))
    internal = {
        "PYPACK_HIDDEN_", "PYPACK_TARGET_MACHINE", "PYPACK_TARGET_SUFFIX", "PYPACK_BUILD_PATH", "PYPACK_DISPLAY",
        "PYPACK_PRODUCERS", "PYPACK_SAY",
    }  # fmt: skip
    known = {*variables.OF_BUILDS, *variables.OF_BUNDLES, *variables.OF_SCONS}
    assert read - internal - {variables.PREFIX} == known


# --- data -------------------------------------------------------------------------------------------------------------


def test_keys_of_recipes(tmp_path):
    (tmp_path / "source.toml").write_text('[cpython]\nvesion = "3.13.5"\n')
    with pytest.raises(InputError, match=r"vesion not known \(did you mean version"):
        table.load(tmp_path / "source.toml")


def test_names_of_signing_tools():
    assert identity.faults({"tool": "codesing"})[0].endswith("(did you mean codesign or rcodesign?)")


def test_names_of_packages(tmp_path):
    (tmp_path / "facts.json").write_text("{}")
    said: list[str] = []
    context = Context(
        product=tmp_path / "product", inputs=(tmp_path / "facts.json",), settings=Settings(say=said.append),
        params={"exclude": ["numpi:tests"], "names": ["numpy"], "suffixes": []},
        unhashed={"target": targets.find("host", targets.load())},
    )  # fmt: skip
    with pytest.raises(KeyError):  # there is nothing to merge, but the patterns come first
        merge_wheels.run_facts(context)
    assert said == ["exclude_packages names numpi:tests, and the lock has no such package (did you mean numpy?)"]
