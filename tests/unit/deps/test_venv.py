"""The packages of a virtual environment: real distributions, installed by the library that installers use."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import installer
import pytest
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from tests.support.wheels import entry_points, wheel

from pypack.base import targets
from pypack.deps import venv
from pypack.errors import InputError
from pypack.formats import image
from pypack.formats.scripts import console_script
from pypack.steps.step import Context, Settings

if TYPE_CHECKING:
    from pathlib import Path

GNU, WINDOWS = (targets.load()[name] for name in ("linux-gnu-x86_64", "windows-x86_64"))
SITE = "lib/python3.13/site-packages"


@pytest.fixture
def environment(tmp_path):
    """Install small distributions: ``environment(aaa=["bbb>=1"], bbb=[])``, each with a module and what it requires."""
    folder = tmp_path / ".venv"
    (folder / SITE).mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.13.5\n")

    def call(**distributions):
        for name, needs in distributions.items():
            add(folder, wheel(tmp_path, name, {f"{name}.py": "x = 1\n"}, needs=needs))
        return folder

    return call


def add(folder: Path, file: Path) -> None:
    """Install a wheel into an environment."""
    scheme = {
        "purelib": folder / SITE, "platlib": folder / SITE, "scripts": folder / "bin", "data": folder,
        "headers": folder / "include",
    }  # fmt: skip
    to = SchemeDictionaryDestination(
        {kind: str(path) for kind, path in scheme.items()}, interpreter="/usr/bin/python3", script_kind="posix"
    )
    with WheelFile.open(file) as source:
        installer.install(source=source, destination=to, additional_metadata={"INSTALLER": b"test\n"})


def names(folder: Path, **more) -> list[str]:
    return [each.name for each in venv.installed(folder, **more)]


def info(folder: Path, name: str) -> Path:
    return folder / SITE / f"{name}-1.0.dist-info"


# --- which distributions ----------------------------------------------------------------------------------------------


def test_seeds_stay_out_unless_something_requires_them(environment):
    folder = environment(aaa=["bbb"], bbb=[], pip=[], setuptools=[], wheel=["setuptools"])
    assert names(folder) == ["aaa", "bbb"]  # that one seed requires another keeps neither


@pytest.mark.parametrize(
    "need",
    ["setuptools", "setuptools>=40", "setuptools (>=40)", "setuptools[core]", "Setuptools ; python_version > '3'",
     "setuptools~=80.0", "setuptools!=1,<90", "setuptools===80", "setuptools @ https://x.test/setuptools-1.zip"],
)  # fmt: skip
def test_a_seed_that_is_required_stays_however_that_is_written(environment, need):
    assert names(environment(aaa=[need], setuptools=[])) == ["aaa", "setuptools"]


@pytest.mark.parametrize(
    ("needs", "kept"),
    [
        (["setuptools; python_version < '3.13'"], False),
        (["setuptools; python_full_version == '3.13.5'"], True),  # that of the environment, not of this process
        (["setuptools; extra == 'dev'"], False),
        (["setuptools; sys_platform == 'win32'"], False),
        (["setuptools-scm>=8"], False),
        (["not a requirement !!", "setuptools"], True),
    ],
)
def test_a_requirement_that_does_not_hold_keeps_nothing(environment, needs, kept):
    assert ("setuptools" in names(environment(aaa=needs, setuptools=[]))) is kept


def test_extras_that_are_asked_for_count(environment):
    folder = environment(aaa=["bbb[Dev_x]"], bbb=["setuptools; extra == 'dev-x'"], setuptools=["wheel>=0.40"], wheel=[])
    assert names(folder) == ["aaa", "bbb", "setuptools", "wheel"]  # and what a seed requires that stays


def test_the_program_itself_is_left_out_and_what_it_requires_counts(environment):
    folder = environment(my_tool=["setuptools>=40"], aaa=[], setuptools=[])
    assert names(folder, program="My.Tool") == ["aaa", "setuptools"]
    folder = environment(pip=[])
    assert names(folder, program="other", requirements=["pip>=20", "no requirement !!"]) == [
        "aaa",
        "my_tool",
        "pip",
        "setuptools",
    ]


def test_what_is_installed_is_told_with_its_tags_and_commands(environment, tmp_path):
    folder = environment()
    more = [*entry_points("aaa", "[console_scripts]\nrun-it = aaa : App.run [x]\n")]
    add(folder, wheel(tmp_path, "aaa", {"aaa.py": "", "aaa-1.0.data/data/share/x": "s"}, extra=more))
    (found,) = venv.installed(folder)
    assert (found.version, found.info, found.tags) == ("1.0", "aaa-1.0.dist-info", ("py3-none-any",))
    assert found.commands == {"run-it": "aaa:App.run"}
    assert set(found.files) == {
        "data/share/x", "site-packages/aaa.py",
        *(f"site-packages/aaa-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")),
    }  # fmt: skip


# --- what is refused --------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_in_one_error(environment, tmp_path):
    folder = environment(aaa=[], bbb=[], ccc=[], ddd=[], eee=[])
    (info(folder, "aaa") / "METADATA").unlink()
    (folder / SITE / "bbb.py").unlink()
    (info(folder, "ccc") / "direct_url.json").write_text(
        json.dumps({"url": "file:///x", "dir_info": {"editable": True}})
    )
    (info(folder, "ddd") / "METADATA").write_text("Metadata-Version: 2.1\nName: ddd\n")
    (info(folder, "eee") / "entry_points.txt").write_text("[console_scripts]\ne = eee\n")
    with pytest.raises(InputError) as caught:
        venv.installed(folder)
    assert str(caught.value).splitlines()[:-2] == [
        f"{folder} cannot be bundled:",
        "  aaa-1.0.dist-info is broken: it has no METADATA",
        "  bbb-1.0.dist-info is broken: bbb.py and 0 more of its files are missing",
        "  ddd-1.0.dist-info is broken: its METADATA has no Name and Version",
        "  eee-1.0.dist-info is broken: console_scripts.e: must be module:function, is 'eee'",
        "  ccc 1.0 is installed editable, so its files are elsewhere",
    ]


def test_an_environment_of_another_python_is_refused_for_that(environment):
    folder = environment(aaa=[])
    found = venv.installed(folder)
    venv.check(folder, found, GNU, "3.13", static=False)
    with pytest.raises(InputError) as caught:
        venv.check(folder, found, GNU, "3.12", static=False)
    told = str(caught.value)
    assert f"{folder} is for Python 3.13, the bundle for linux-gnu-x86_64 gets Python 3.12\n" in told
    assert "ask for python=3.13, or make the environment with Python 3.12" in told


def test_what_a_target_cannot_load_is_refused(environment):
    folder = environment(aaa=[], bbb=[])
    tag = "Wheel-Version: 1.0\nTag: cp313-cp313-manylinux_2_39_x86_64\n"
    (info(folder, "aaa") / "WHEEL").write_text(tag)
    found = venv.installed(folder)
    venv.check(folder, found, GNU, "3.13", static=False)  # how new a glibc it takes, its files say
    with pytest.raises(InputError, match=r"holds what windows-x86_64 cannot load:\n  aaa 1\.0 is installed for cp313"):
        venv.check(folder, found, WINDOWS, "3.13", static=False)
    with pytest.raises(InputError, match=r"cannot load:\n  aaa 1\.0"):
        venv.check(folder, found, GNU, "3.13", static=True)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = /usr/bin\nversion = 3.13.5\n", "3.13.5"),
        ("version_info = 3.12.1.final.0\nversion = 3.0\n", "3.12.1"),
        ("VERSION=3.12\nno key at all\n[x]\n", "3.12"),
    ],
)
def test_the_version_is_read_as_python_reads_it(environment, text, version):
    folder = environment()
    (folder / "pyvenv.cfg").write_text(text)
    assert venv.version(folder) == version


@pytest.mark.parametrize("text", ["", "version = \n", "version = 3\n", "version = three.one\n", "home = 3.13\n"])
def test_an_environment_without_a_version_is_refused(environment, text):
    folder = environment()
    (folder / "pyvenv.cfg").write_text(text)
    with pytest.raises(InputError, match=r"pyvenv\.cfg does not say which Python it is for"):
        venv.version(folder)


def test_a_folder_without_site_packages_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no site-packages"):
        venv.installed(tmp_path)


# --- the step ---------------------------------------------------------------------------------------------------------


def run(each: venv.Installed, product: Path, **params) -> dict[str, bytes]:
    """Return the image of a distribution as ``{path: content}``."""
    params = {"drop": [], "tests": False, **params}
    unhashed = {"installed": each}
    params["digest"] = unhashed["installed"].digest(None)
    venv.run_installed(Context(product=product, inputs=(), params=params, settings=Settings(), unhashed=unhashed))
    return {member.path: stream.read() for member, stream in image.read_image(product) if stream}


def test_an_image_is_what_the_wheel_s_would_be(environment, tmp_path):
    folder = environment()
    more = entry_points("aaa", "[console_scripts]\nrun-it = aaa:App.run\n")
    add(folder, wheel(tmp_path, "aaa", {"aaa/__init__.py": "", "aaa/tests/x.py": ""}, extra=more))
    assert (folder / "bin/run-it").read_text().startswith("#!/usr/bin/python3")  # which the bundle must not have
    (each,) = venv.installed(folder)
    found = run(each, tmp_path / "a.tar", drop=["aaa/tests"])
    assert found["bin/run-it.py"] == console_script("aaa:App.run")
    assert found["site-packages/aaa-1.0.dist-info/RECORD"].decode().splitlines() == [
        "../bin/run-it.py,,", "aaa-1.0.dist-info/METADATA,,", "aaa-1.0.dist-info/RECORD,,", "aaa-1.0.dist-info/WHEEL,,",
        "aaa-1.0.dist-info/entry_points.txt,,", "aaa/__init__.py,,",
    ]  # fmt: skip
    assert b"/usr/bin/python3" not in b"".join(found.values())


def test_the_digest_follows_the_files(environment, tmp_path):
    folder = environment(aaa=[])
    (each,) = venv.installed(folder)
    before = each.digest(tmp_path / "memory.json")
    assert before == each.digest(tmp_path / "other.json")
    (folder / SITE / "aaa.py").write_text("x = 23\n")
    assert each.digest(tmp_path / "memory.json") != before
    assert dataclasses.replace(each, files={}).digest(tmp_path / "none.json") != before
