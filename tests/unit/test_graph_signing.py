"""Where a real identity signs in the graph of a bundle: what becomes a layer first, then the bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pypack import graph, plans, project, targets
from pypack.macho.identity import Sign
from pypack.packages import lock
from pypack.pipeline import Step
from pypack.providers.base import Runtime

if TYPE_CHECKING:
    from pathlib import Path

TABLE = targets.load()


@pytest.fixture
def last(tmp_path):
    """The last step for a target, of a program with packages and a signing identity."""
    (tmp_path / "main.py").write_text("print(1)\n")
    (tmp_path / "requirements.txt").write_text("click\n")
    found = replace(project.load(tmp_path, name="hello"), sign=Sign(tool="codesign", identity="Ada"))
    image = Step(product="runtime/x/runtime.tar", action="patch", version=1, run=lambda _: None)
    runtime = Runtime(provider="pbs", version="3.13.11", place="runtime/x", image=image)

    def call(target: str) -> Step:
        plan = plans.Plan(
            project=found, target=TABLE[target], runtime=runtime, files="", build=tmp_path / "build", kit=None
        )
        return graph.bundle(plan)

    return call


@pytest.fixture
def locked(tmp_path):
    """A lock that a step reads, with one wheel in it."""

    def write(step: Step) -> Path:
        row = f'{{name = "click-8-py3-none-any.whl", url = "https://x.test/click", hashes = {{sha256 = "{"0" * 64}"}}}}'
        text = f'lock-version = "1.0"\n[[packages]]\nname = "click"\nversion = "8"\nwheels = [{row}]\n'
        (tmp_path / "lock.toml").write_text(f"{lock.STAMP}{step.inputs[0].params['stamp']}\n{text}")
        return tmp_path / "lock.toml"

    return write


def actions(step: Step) -> list[str]:
    """The actions from a step back to what it is made of, along its first inputs."""
    return [step.action, *(actions(step.inputs[0]) if step.inputs and isinstance(step.inputs[0], Step) else [])]


@pytest.mark.parametrize("target", ["macos-aarch64", "macos-x86_64"])
def test_layers_are_signed_before_the_bundle(last, locked, target):
    signed = last(target)
    assert signed.action == "sign bundle"
    (bundle,) = signed.inputs
    made_of = {
        tuple(actions(step)[:3]) for step in bundle.inputs if step.product.startswith(("runtime", "apps/hello/mac"))
    }
    assert ("layer", "sign image", "patch") in made_of
    assert ("sign image", "app") in {chain[:2] for chain in made_of}
    (packages,) = (step for step in bundle.inputs if "/deps." in step.product and step.action == "layer")
    assert [actions(step)[:3] for step in packages.expand(locked(packages))] == [["pack", "sign image", "wheel"]]


@pytest.mark.parametrize("target", ["linux-gnu-x86_64", "windows-x86_64"])
def test_the_identity_is_for_macos_only(last, target):
    bundle = last(target)
    assert bundle.action == "bundle"
    assert not any("sign image" in actions(step) for step in bundle.inputs)
