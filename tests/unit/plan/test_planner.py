"""From targets to steps: what is wrong with several targets is told at once."""

from __future__ import annotations

import pytest

from pypack.base import targets
from pypack.errors import InputError
from pypack.plan import planner
from pypack.project import program
from pypack.runtimes.base import Runtime
from pypack.steps.step import Settings, Step

TABLE = targets.load()


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Plan for some targets, of which those in ``wrong`` have a fault."""
    (tmp_path / "main.py").write_text("print(1)\n")
    found = program.load(tmp_path)

    def call(names, wrong):
        def runtime(project, target, *, locks, settings):
            if target.name in wrong:
                raise InputError(wrong[target.name], hint="do this")
            image = Step(product=target.name, action="a", version=1, run=lambda _: None)
            return Runtime(provider="test", version="3.13.5", output_dir=f"runtime/{target.name}", image=image)

        monkeypatch.setattr(planner, "runtime", runtime)
        chosen = [TABLE[name] for name in names]
        return planner.bundles(found, chosen, build=tmp_path / "build", settings=Settings(say=lambda _: None))

    return call


def test_each_target_has_a_plan(ask):
    names = ["windows-x86_64", "macos-aarch64"]
    plans = ask(names, {})
    assert [plan.target.name for plan in plans] == names
    assert [part.runtime.image.product for plan in plans for part in plan.parts] == names


def test_one_target_tells_its_own_fault(ask):
    with pytest.raises(InputError) as caught:
        ask(["macos-aarch64"], {"macos-aarch64": "nothing has it"})
    assert str(caught.value) == "nothing has it\n  -> do this"


def test_several_faults_are_one_error_and_the_others_are_named(ask):
    names = ["windows-x86_64", "macos-aarch64", "macos-x86_64", "linux-musl-x86_64"]
    with pytest.raises(InputError) as caught:
        ask(names, {"windows-x86_64": "one", "macos-aarch64": "other", "macos-x86_64": "other"})
    told = str(caught.value)
    assert "3 of 4 targets cannot be built" in told
    assert "macos-aarch64, macos-x86_64: other" in told
    assert "windows-x86_64: one" in told
    assert "target=linux-musl-x86_64" in told


def test_what_is_wrong_for_all_is_told_once(ask):
    names = ["windows-x86_64", "macos-aarch64"]
    with pytest.raises(InputError) as caught:
        ask(names, dict.fromkeys(names, "no such file"))
    assert str(caught.value) == "no such file\n  -> do this"


@pytest.mark.parametrize(("name", "launch"), [("linux-musl-x86_64", "embed"), ("windows-x86_64", "exec")])
def test_a_way_of_starting_that_the_target_does_not_have_is_refused(tmp_path, name, launch):
    (tmp_path / "main.py").write_text("print(1)\n")
    found = program.load(tmp_path, launch=launch)
    with pytest.raises(InputError, match=f"launch={launch} does not exist for {name}"):
        planner.bundles(found, [TABLE[name]], build=tmp_path / "build", settings=Settings(say=lambda _: None))
