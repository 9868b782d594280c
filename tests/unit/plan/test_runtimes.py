"""Which Python is taken where the files of a project ask for one."""

from __future__ import annotations

import pytest

from pypack.base import targets
from pypack.errors import InputError
from pypack.plan import planner, runtimes
from pypack.project import program
from pypack.runtimes.base import Runtime
from pypack.steps.step import Settings, Step

GNU = targets.load()["linux-gnu-x86_64"]


def runtime(version, **more):
    step = Step(product="p", action="a", version=1, run=lambda _: None)
    return Runtime(provider="host", version=version, output_dir="runtime/x", image=step, **more)


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Return the version that a project gets, the lines about it, and what was asked for, on a machine with 3.11."""
    asked = []

    def choose(request, choice, **keywords):
        asked.append((request.version, request.python_range, keywords["decided_by"]))
        if not request.accepts("3.11.7"):
            raise InputError(f"no {request.wanted}")
        return runtime("3.11.7")

    def find(**options):
        said = []
        asked.clear()
        project = program.load(tmp_path, **options)
        settings = Settings(say=said.append)
        found = runtimes.find_runtime(project, GNU, None, lock="", record=tmp_path / "r.json", settings=settings)
        return found.version, said, list(asked)

    monkeypatch.setattr(runtimes.choose, "choose", choose)
    (tmp_path / "main.py").write_text("")
    return find


def test_files_of_the_project_decide_and_an_option_wins(find, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.10"\n')
    assert find() == ("3.11.7", [], [("", ">=3.10", "requires-python >=3.10 in pyproject.toml")])
    (tmp_path / ".python-version").write_text("3.11")
    assert find()[2] == [("3.11", ">=3.10", ".python-version (3.11)")]
    assert find(python="3.11.7")[2] == [("3.11.7", "", "")]


def test_a_version_that_cannot_be_had_is_replaced_with_a_warning_and_asked_for_once(find, tmp_path):
    (tmp_path / ".python-version").write_text("3.13")
    line = (
        ".python-version asks for Python 3.13, which cannot be had for linux-gnu-x86_64: CPython 3.11.7 is"
        " taken (--python 3.13 says why, --upgrade asks again)"
    )
    version, said, _ = find()
    assert (version, said) == ("3.11.7", [line])
    assert find() == ("3.11.7", [line], [("", "", "")])


def test_requires_python_is_never_passed_over(find, tmp_path):
    (tmp_path / ".python-version").write_text("3.13")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.12"\n')
    with pytest.raises(InputError, match=r"no 3\.13"):
        find()


@pytest.mark.parametrize(
    ("floor", "floors", "chosen"), [("2.36", {}, "2.36"), ("2.36", {"glibc": "2.28"}, "2.28"), ("", {}, "2.17"),
                                    ("2.36", {"glibc": "2.17"}, "2.17"), ("2.5", {}, "2.17")],
)  # fmt: skip
def test_packages_are_chosen_for_what_the_runtime_needs_anyway(tmp_path, floor, floors, chosen):
    (tmp_path / "main.py").write_text("")
    (tmp_path / "requirements.txt").write_text("idna\n")
    said = []
    project = program.load(tmp_path, floors=floors)
    target = planner._package_target(project, GNU, runtime("3.11.7", floor=floor), Settings(say=said.append))
    assert target.floor == chosen
    assert said == [
        "packages are chosen for glibc 2.36, which this runtime needs anyway (--floor glibc=2.17 chooses older wheels)"
    ] * (chosen == "2.36")
