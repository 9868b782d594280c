"""Which interpreter compiles for a target whose own runtime does not start on this host."""

from __future__ import annotations

import json

import pytest

from pypack.base import hosts
from pypack.runtimes import choose, compilers
from pypack.runtimes.base import Runtime
from pypack.steps.step import Settings, Step


class Known:
    """A provider of the versions that the test names."""

    def __init__(self, name, *versions, reachable=True):
        self.name, self.versions, self._reachable, self.asked = name, versions, reachable, 0

    def unsupported_reason(self, request):
        return "" if any(request.accepts(each) for each in self.versions) else "not that version"

    def reachable(self, request, settings):
        self.asked += 1
        return self._reachable

    def runtime(self, request):
        version = next(each for each in self.versions if request.accepts(each))
        step = Step(product="p", action="a", version=1, run=lambda _: None)
        return Runtime(provider=self.name, version=version, output_dir="runtime/x", image=step)


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    monkeypatch.setattr(hosts, "target_name", lambda: "linux-gnu-x86_64")
    monkeypatch.setattr(hosts, "system", lambda: "linux")
    monkeypatch.setattr(hosts, "arch", lambda: "x86_64")
    record, said = tmp_path / "build" / "compilers.json", []

    def ask(version, *providers):
        monkeypatch.setattr(choose, "providers", lambda own: {each.name: each for each in providers})
        return compilers.compiler(version, settings=Settings(say=said.append), record=record)

    ask.record, ask.said = record, said
    return ask


def test_the_very_same_version_comes_first(compiler):
    target, found = compiler("3.13.5", Known("pbs", "3.13.15"), Known("source", "3.13.5"), Known("host", "3.13.5"))
    assert (target.name, found.provider, found.version) == ("linux-musl-x86_64", "source", "3.13.5")
    assert compiler.said == ["bytecode for Python 3.13.5 is made by CPython 3.13.5 from source"]


def test_else_one_of_the_minor_version(compiler):
    target, found = compiler("3.13.2", Known("pbs", "3.13.15"), Known("source", "3.13.5"))
    assert (target.name, found.version) == ("linux-gnu-x86_64", "3.13.15")


def test_what_cannot_be_reached_is_passed_over_and_the_decision_kept(compiler):
    pbs, source = Known("pbs", "3.13.15", reachable=False), Known("source", "3.13.5")
    assert compiler("3.13.2", pbs, source)[1].provider == "source"
    assert json.loads(compiler.record.read_text()) == {"3.13.2": "linux-musl-x86_64 source 3.13"}
    assert compiler("3.13.2", pbs, source)[1].provider == "source"
    assert (pbs.asked, source.asked) == (1, 1)


def test_a_decision_that_no_longer_serves_is_taken_anew(compiler):
    compiler("3.13.2", Known("pbs", "3.13.15"))
    assert compiler("3.13.2", Known("pbs", "3.12.1"), Known("source", "3.13.5"))[1].provider == "source"


def test_none_at_all(compiler):
    assert compiler("3.9.1", Known("pbs", "3.13.15"), Known("host", "3.11.7")) is None
