"""``pypack cache``: what is shown and what is pruned."""

from __future__ import annotations

import os
import time

import pytest

from pypack import cli
from pypack.base import folders
from pypack.cli import caches


@pytest.fixture
def kept():
    """A product in the build cache, which bears the time of its content, and a download."""
    product = folders.build_cache() / "AB" / "abcd"
    download = folders.downloads() / "0" / "file"
    for path in (product, download):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(1_000_000))
    os.utime(product, (400_000_000, 400_000_000))
    return product, download


def test_show_tells_places_and_sizes(kept, capsys):
    assert cli.main(["cache"]) == 0
    told = capsys.readouterr().out
    assert str(folders.cache_root()) in told
    assert "1.0 MB in 1 files" in told


def test_what_came_just_now_is_kept_whatever_its_time_says(kept):
    assert caches.prune(1) == 0
    assert all(path.exists() for path in kept)


def test_what_is_old_goes_and_nothing_of_the_bundles(kept, monkeypatch, capsys):
    layer = folders.cache_root() / "layers" / "x"
    layer.parent.mkdir()
    layer.write_text("")
    later = time.time() + 10 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert cli.main(["cache", "--prune", "9"]) == 0
    assert "removed 2.0 MB" in capsys.readouterr().out
    assert not any(path.exists() for path in kept)
    assert layer.exists()


def test_a_negative_number_of_days_is_refused(capsys):
    assert cli.main(["cache", "--prune", "-1"]) == 2
    assert "from 0 on" in capsys.readouterr().err
