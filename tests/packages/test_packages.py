"""Real packages with real work, on every target that can be started here: ``nox -s packages`` prints it as a table."""

from __future__ import annotations

import pytest

from pypack.base import targets
from pypack.cli import runner
from tests.cases.conftest import copy_tree
from tests.packages import room
from tests.packages.table import LEFT_OUT, PACKAGES, TARGETS
from tests.support import tls


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with tls.servers(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One bundle of all programs for each target, and the folder that it is unpacked to."""
    checkout = copy_tree(tmp_path_factory.mktemp("packages") / "checkout")
    done = {}

    def build(target):
        if target not in done:
            done[target] = room.build(target, checkout)
        ended, bundle = done[target]
        assert ended.code == 0, ended.text
        return bundle, checkout.parent / f"cache-{target}"

    return build


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
@pytest.mark.parametrize("target", TARGETS)
def test_a_package_does_its_work(built, servers, target, package):
    if why := LEFT_OUT.get((package.name, target)):
        pytest.skip(f"LEFT OUT on {target}: {why}")
    found = runner.find(targets.load()[target])
    if isinstance(found, runner.Missing):
        pytest.skip(f"NOT STARTED on {target}: {found.why} -> {found.hint}")
    bundle, cache = built(target)
    outcome = room.start(package, bundle, found, servers, cache)
    assert outcome.started, outcome.told
    assert outcome.worked, outcome.told
