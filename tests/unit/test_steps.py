"""What steps are made of, told by name, is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import pypack
from pypack import keeping
from pypack.errors import StepError
from pypack.pipeline import Step, stamp_time

_LATER = re.compile(r'later\("([\w.]+):(\w+)"\)')


def test_functions_that_are_imported_when_they_run_exist():
    named = [found for file in Path(pypack.__file__).parent.rglob("*.py") for found in _LATER.findall(file.read_text())]
    assert ("pypack.bundle.writer", "run_bundle") in named
    for module, name in named:
        assert callable(getattr(importlib.import_module(module), name))


def step(*inputs, product="a", **more):
    return Step(product=product, action="test", version=1, run=lambda _: None, inputs=inputs, **more)


def test_a_recipe_is_made_of_pins_parameters_and_small_files(tmp_path):
    patch, archive = tmp_path / "patch", tmp_path / "archive"
    patch.write_text("1")
    first = keeping.recipe(step(step(patch)))
    assert first == keeping.recipe(step(step(patch)))
    patch.write_text("2")
    assert keeping.recipe(step(step(patch))) not in {first, ""}
    assert keeping.recipe(step(step(params={"a": 1}))) != keeping.recipe(step(step(params={"a": 2})))
    with archive.open("wb") as file:
        file.truncate(2 << 20)
    assert keeping.recipe(step(archive)) == ""
    assert keeping.recipe(step(tmp_path / "missing")) == ""
    assert keeping.recipe(step(step(expand=lambda _: ()))) == ""
    assert keeping.recipe(step(step(cached=False))) == ""  # a signature


def test_a_kept_product_is_taken_unless_it_was_made_here(tmp_path):
    recipe, cache, product = keeping.recipe(step()), tmp_path / "cache", tmp_path / "build/product"
    work = tmp_path / "work"
    assert keeping.found(product, recipe, cache) is None
    work.write_text("content")
    stamp_time(work)
    keeping.keep(work, recipe, cache)
    kept = keeping.found(product, recipe, cache)
    assert kept is not None
    product.parent.mkdir()
    for _ in range(2):  # once taken it stays so
        keeping.take(kept, product, product)
        assert product.read_text() == "content"
        assert keeping.found(product, recipe, cache) == kept
    keeping.made(product)
    assert keeping.found(product, recipe, cache) is None
    product.unlink()
    kept.write_text("damaged")
    assert keeping.found(product, recipe, cache) is None
    assert not kept.exists()  # so that it is made again
    with pytest.raises(StepError, match="build again"):
        keeping.take(kept, product, product)
    keeping.keep(work, recipe, work)  # a cache that cannot be: no fault of the build
