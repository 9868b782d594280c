"""What the tests of the launcher and of the faults share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bundles import bundle, write
from tests.support.launchers import launcher, recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def program() -> bytes:
    """A bundle around a stand-in for Python."""
    return bundle(launcher(), recipe())


@pytest.fixture
def hello(tmp_path, program) -> Path:
    """The same as a file that can be started."""
    return write(tmp_path / "hello", program)


@pytest.fixture
def cache(tmp_path) -> Path:
    """The folder that it unpacks to."""
    return tmp_path / "cache"
