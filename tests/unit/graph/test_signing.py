"""Where a real identity signs in the graph of a bundle: what becomes a layer first, then the bundle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypack.base import targets
from pypack.bundle.identity import Sign
from pypack.deps import lock
from pypack.download.pins import Pin
from pypack.graph import bundles
from pypack.plan import model
from pypack.project import program
from pypack.runtimes.base import Runtime
from pypack.steps.step import Step

TABLE = targets.load()


@pytest.fixture
def last(tmp_path):
    """The last step for a target, of a program with packages and a signing identity."""
    (tmp_path / "main.py").write_text("print(1)\n")
    (tmp_path / "requirements.txt").write_text("click\n")
    found = replace(program.load(tmp_path, name="hello"), sign=Sign(tool="codesign", identity="Ada"))
    image = Step(product="runtime/x/runtime.tar", action="patch", version=1, run=lambda _: None)
    runtime = Runtime(provider="pbs", version="3.13.11", output_dir="runtime/x", image=image)

    def call(target: str) -> Step:
        pin = Pin(file="click-8-py3-none-any.whl", urls=("https://x.test/click",), sha256="0" * 64, size=0, version="8")
        packages = model.Packages(
            lock=tmp_path / "lock", stamp="", names=("click",),
            wheels=(lock.Wheel(distribution="click", version="8", pin=pin),),
        )  # fmt: skip
        plan = model.Plan(
            project=found, target=TABLE[target], runtime=runtime, files="", compiler_image=None, packages=packages
        )
        return bundles.bundle(model.BundlePlan(target=TABLE[target], parts=(plan,)))

    return call


def actions(step: Step) -> list[str]:
    """The actions from a step back to what it is made of, along its first inputs."""
    return [step.action, *(actions(step.inputs[0]) if step.inputs and isinstance(step.inputs[0], Step) else [])]


@pytest.mark.parametrize("target", ["macos-aarch64", "macos-x86_64"])
def test_layers_are_signed_before_the_bundle(last, target):
    signed = last(target)
    assert signed.action == "sign bundle"
    (bundle,) = signed.inputs
    made_of = {
        tuple(actions(step)[:3]) for step in bundle.inputs if step.product.startswith(("runtime", "apps/hello/mac"))
    }
    assert ("layer", "sign image", "patch") in made_of
    assert ("sign image", "app") in {chain[:2] for chain in made_of}
    (packages,) = (step for step in bundle.inputs if "/deps." in step.product and step.action == "layer")
    _, *packed = packages.inputs
    assert [actions(step)[:3] for step in packed] == [["pack", "sign image", "wheel"]]


@pytest.mark.parametrize("target", ["linux-gnu-x86_64", "windows-x86_64"])
def test_the_identity_is_for_macos_only(last, target):
    bundle = last(target)
    assert bundle.action == "bundle"
    assert not any("sign image" in actions(step) for step in bundle.inputs)
