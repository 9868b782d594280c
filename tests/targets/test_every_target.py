"""One call builds for all eight targets; each bundle is checked, and started where something here starts it."""

from __future__ import annotations

import json
import re
import subprocess
import uuid

import pytest

from tests.support.foreign import ALL, TABLE, planned_products, runner_for

KINDS = {
    "linux-gnu-x86_64": r"ELF 64-bit LSB pie executable, x86-64.*static-pie linked",
    "linux-gnu-aarch64": r"ELF 64-bit LSB pie executable, ARM aarch64.*static-pie linked",
    "linux-musl-x86_64": r"ELF 64-bit LSB pie executable, x86-64.*static-pie linked",
    "linux-musl-aarch64": r"ELF 64-bit LSB pie executable, ARM aarch64.*static-pie linked",
    "macos-x86_64": r"Mach-O 64-bit x86_64 executable",
    "macos-aarch64": r"Mach-O 64-bit arm64 executable",
    "windows-x86_64": r"PE32\+ executable \(console\) x86-64",
    "windows-aarch64": r"PE32\+ executable \(console\) Aarch64",
}
NOWHERE = ["macos-x86_64", "macos-aarch64", "windows-aarch64"]
"""What nothing on a Linux host for x86_64 starts."""


@pytest.fixture(scope="module")
def greets(place):
    """The bundles of ``greet`` by target, and what the build printed."""
    done = place.scons("target=all", "-j2", "app=examples/greet", "profile=dev", "verbose=yes")
    return {name: place.bundle(f"greet{TABLE[name].suffix}", name) for name in ALL}, done.out


def products(printed):
    """The products that a build made or took from its cache, each as often as it is told."""
    made = re.findall(r"^[a-z-]+ +((?:\.pypack|dist)/\S+)(?:  \(.*\))?$", printed, re.MULTILINE)
    cached = re.findall(r"^Retrieved `((?:\.pypack|dist)/\S+)' from cache$", printed, re.MULTILINE)
    return made + [path for path in cached if path not in made]  # a slow step may find that another build has made it


def test_each_step_is_done_once(greets):
    made = products(greets[1])
    assert len(made) == len(set(made))
    assert sum(path.startswith("dist/") for path in made) == len(ALL)
    # wheels and the app are compiled once for each Python that compiles, not once for each target
    # (another test may have made their images in this checkout before)
    images = [path for path in made if path.endswith("/compiler.tar")]
    apps = [path for path in made if path.startswith(".pypack/apps/greet/app-")]
    assert len(images) <= len(apps) <= 2


def test_wheels_are_compiled_once_for_each_python_that_compiles(place, greets, monkeypatch):
    """The plan tells: where the shared cache has a layer of packages, the wheels in it are not made again."""
    monkeypatch.setenv("PYPACK_PINS", place.env["PYPACK_PINS"])
    planned = planned_products(place, "examples/greet", ALL)
    wheels = {path.split("/")[2] for path in planned if path.startswith("wheels/") and "/rich-" in path}
    apps = {path.removeprefix("apps/greet/app-").removesuffix(".tar") for path in planned if "/app-" in path}
    assert wheels == apps
    assert 1 <= len(apps) <= 2


def test_a_second_call_does_nothing(place, greets):
    again = place.scons("target=all", "-j2", "app=examples/greet", "profile=dev")
    assert products(again.out) == []


def test_after_a_change_of_the_app_no_compiler_runs(place, greets):
    words = ["target=all", "-j2", "app=examples/greet", "profile=dev"]
    source = next((place.path / "examples" / "greet").glob("greet/*.py"))
    text = source.read_text(encoding="utf-8")
    try:
        # a change that was never built before: the shared cache would hand out its app
        source.write_text(f"{text}# {uuid.uuid4()}\n", encoding="utf-8")
        actions = re.findall(r"^([a-z-]+) +(?:\.pypack/|dist/)\S+$", place.scons(*words).out, re.MULTILINE)
        assert set(actions) == {"app", "bundle", "check"}
        assert actions.count("bundle") == len(ALL)
    finally:
        source.write_text(text, encoding="utf-8")
        place.scons(*words)


@pytest.mark.parametrize("name", ALL)
def test_the_format(greets, name):
    told = subprocess.run(["file", "-b", greets[0][name]], capture_output=True, text=True, check=True).stdout
    assert re.search(KINDS[name], told), told


@pytest.mark.parametrize("name", ALL)
def test_inspect_finds_every_byte_right(place, greets, name):
    done = place.pypack("inspect", str(greets[0][name]))
    assert "every hash is right" in done.out
    facts = json.loads(place.pypack("inspect", "--json", str(greets[0][name])).out)
    assert facts["container"] == TABLE[name].container
    assert facts["manifest"]["target"] == name
    assert {layer["kind"] for layer in facts["layers"]} == {"runtime", "deps", "app"}
    if name.startswith("macos"):
        assert "signed ad hoc as pypack.greet" in facts["signatures"][0]
        assert facts["launch"]["macos"] == ["11.0"]
    if name.startswith("windows"):
        assert facts["launch"]["libpython"] == ["python313.dll"]


@pytest.mark.parametrize("name", [name for name in ALL if name not in NOWHERE])
def test_it_greets(greets, start, name):
    for _ in range(2):  # a cold start and a warm one
        done = start(greets[0][name], name, "--name", "Ada Lovelace")
        assert done.code == 0, done.text
        assert "Ada Lovelace" in done.out


@pytest.mark.parametrize("name", NOWHERE)
def test_what_cannot_be_started_here_is_said_to_be_so(place, greets, name):
    done = place.pypack("run", "examples/greet", "--target", name, "--profile", "dev", ok=False)
    assert done.code == 1
    assert "cannot be started here" in done.err
    assert "only their structure can be checked" in done.err
    assert "Traceback" not in done.text


def test_run_builds_and_starts(place, greets):
    runner_for("windows-x86_64")
    words = ["run", "examples/greet", "--target", "windows-x86_64", "--profile", "dev", "--", "--name", "Ada"]
    done = place.pypack(*words)
    assert "Ada" in done.out
    assert "started by wine" in done.err
    assert place.pypack(*words, "--nonsense", ok=False).code == 2


def test_the_two_macs_in_one_file(place, greets):
    place.scons("target=macos-universal2", "app=examples/greet", "profile=dev")
    joined = place.bundle("greet", "macos-universal2")
    told = place.pypack("inspect", str(joined)).out
    assert "every hash is right" in told
    assert told.count("signed ad hoc as pypack.greet") == 2
    facts = json.loads(place.pypack("inspect", "--json", str(joined)).out)
    alone = json.loads(place.pypack("inspect", "--json", str(greets[0]["macos-x86_64"])).out)
    assert facts["id"] == alone["id"]
    assert len(facts["others"]) == 1
