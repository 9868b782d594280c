"""Steps without SCons: cache keys, the step cache, and how products are made."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

import pypack
from pypack.errors import InputError, StepError
from pypack.steps.cache import LocalStepCache
from pypack.steps.producer import FolderError, Producer
from pypack.steps.step import Settings, Step

_LATER = re.compile(r'lazy_import\("([\w.]+):(\w+)"\)')
QUIET = Settings(say=lambda _: None)


def test_functions_that_are_imported_when_they_run_exist():
    named = [found for file in Path(pypack.__file__).parent.rglob("*.py") for found in _LATER.findall(file.read_text())]
    assert ("pypack.bundle.writer", "run_bundle") in named
    for module, name in named:
        assert callable(getattr(importlib.import_module(module), name))


def step(*inputs, product="a", run=lambda _: None, **more):
    return Step(product=product, action="test", version=more.pop("version", 1), run=run, inputs=inputs, **more)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_covers_all_that_decides_and_nothing_else(tmp_path):
    patch = tmp_path / "patch"
    patch.write_text("1")
    first = step(step(patch)).key
    os.utime(patch, (1, 1))
    (tmp_path / "renamed").write_text("1")
    same = [step(step(patch)), step(step(tmp_path / "renamed")), step(step(patch), unhashed={"folder": tmp_path})]
    assert {each.key for each in same} == {first}
    patch.write_text("2")
    others = [
        step(step(patch)), step(step(patch, version=2)), step(step(patch, params={"a": 1})),
        step(step(patch, product="b")), step(step(patch), step()), step(step(), step(patch)),
    ]  # fmt: skip
    assert len({first, *(each.key for each in others)}) == 7


def test_a_file_that_is_not_there_has_no_key(tmp_path):
    with pytest.raises(InputError, match="missing cannot be read: No such file"):
        _ = step(step(tmp_path / "missing")).key


# --- the step cache ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path):
    return LocalStepCache(tmp_path / "cache")


def files(folder):
    return [each for each in folder.rglob("*") if each.is_file()]


def put(cache, tmp_path, key, content, mode=0o644):
    (tmp_path / "product").write_bytes(content)
    (tmp_path / "product").chmod(mode)
    cache.put(key, tmp_path / "product")


def test_what_was_put_is_got_with_its_mode(cache, tmp_path):
    taken = tmp_path / "taken"
    assert not cache.contains("ab1")
    assert not cache.get("ab1", taken)
    put(cache, tmp_path, "ab1", b"one", 0o755)
    put(cache, tmp_path, "ab2", b"one")
    assert len(files(tmp_path / "cache/cas")) == 1  # one content for both
    assert cache.contains("ab1")
    assert cache.get("ab1", taken)
    assert (taken.read_bytes(), taken.stat().st_mode & 0o777) == (b"one", 0o755)
    assert cache.get("ab2", taken)
    assert taken.stat().st_mode & 0o777 == 0o644
    assert not files(tmp_path / "cache/tmp")


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "record"])
def test_what_is_damaged_counts_as_none_and_can_be_put_again(cache, tmp_path, damage):
    put(cache, tmp_path, "ab1", b"content")
    (content,), (record,) = files(tmp_path / "cache/cas"), files(tmp_path / "cache/ac")
    match damage:
        case "cut":
            content.write_bytes(b"cont")
        case "changed":
            content.write_bytes(b"CONTENT")
        case "gone":
            content.unlink()
        case "record":
            record.write_text("{")
    assert not cache.get("ab1", tmp_path / "taken")
    assert not (tmp_path / "taken").exists()
    assert not cache.contains("ab1")
    put(cache, tmp_path, "ab1", b"content")
    assert cache.get("ab1", tmp_path / "taken")


def test_a_cache_that_cannot_be_is_no_fault_of_the_build(tmp_path):
    (tmp_path / "file").write_text("")
    cache = LocalStepCache(tmp_path / "file")
    put(cache, tmp_path, "ab1", b"content")
    assert not cache.get("ab1", tmp_path / "taken")
    with cache.alone("ab1", lambda: None):
        pass
    readonly = LocalStepCache(tmp_path / "readonly", readonly=True)
    put(readonly, tmp_path, "ab1", b"content")
    assert not (tmp_path / "readonly").exists()


# --- making products --------------------------------------------------------------------------------------------------


@pytest.fixture
def chain():
    """Two steps, the second made of the first; ``ran`` lists which functions ran."""
    ran = []

    def first(context):
        ran.append("first")
        context.product.write_text(context.params["text"])

    def second(context):
        ran.append("second")
        context.product.write_text(context.inputs[0].read_text() + "!")

    def make(text):
        one = step(product="one", run=first, params={"text": text})
        return step(one, product="two", run=second)

    make.ran = ran
    return make


def test_inputs_are_made_first_and_everything_once(chain, cache, tmp_path):
    producer, taken = Producer(tmp_path / "build", cache), []
    for _ in range(2):
        producer.produce(chain("a"), QUIET, on_cache_hit=taken.append)
    assert (tmp_path / "build/two").read_text() == "a!"
    assert (chain.ran, taken) == (["first", "second"], [])
    assert not files(tmp_path / "build/tmp")


def test_what_is_in_the_cache_needs_no_inputs(chain, cache, tmp_path):
    Producer(tmp_path / "one", cache).produce(chain("a"), QUIET, on_cache_hit=lambda _: None)
    taken = []
    Producer(tmp_path / "two", cache).produce(chain("a"), QUIET, on_cache_hit=taken.append)
    assert taken == [tmp_path / "two/two"]
    assert not (tmp_path / "two/one").exists()
    assert chain.ran == ["first", "second"]


def test_a_product_of_an_earlier_build_is_not_taken_for_this_one_s(chain, cache, tmp_path):
    """The cache lost the last product after the graph was made, and its input on the disk is of another build."""
    for text in ("new", "old"):
        Producer(tmp_path / "build", cache).produce(chain(text), QUIET, on_cache_hit=lambda _: None)
    assert (tmp_path / "build/one").read_text() == "old"
    for content in files(tmp_path / "cache/cas"):
        content.write_text("damaged")
    Producer(tmp_path / "build", cache).produce(chain("new"), QUIET, on_cache_hit=lambda _: None)
    assert (tmp_path / "build/two").read_text() == "new!"


def test_a_product_that_a_power_cut_emptied_is_made_again(chain, tmp_path):
    for expected in (["first", "second"], ["first", "second", "second"]):
        Producer(tmp_path / "build", None).produce(chain("a"), QUIET, on_cache_hit=lambda _: None)
        assert chain.ran == expected
        (tmp_path / "build/two").write_text("")


def test_a_result_that_people_sign_stays_as_they_left_it(chain, tmp_path):
    last, out = chain("a"), tmp_path / "dist/two"
    for _ in range(2):
        Producer(tmp_path / "build", None).produce(last, QUIET, on_cache_hit=lambda _: None, path=out)
        out.write_text("a! and a signature")
    assert chain.ran == ["first", "second"]
    out.write_text("")
    assert not Producer(tmp_path / "build", None).is_made(last, out)


def test_a_file_that_changes_while_a_step_runs_spoils_no_cache(cache, tmp_path):
    source = tmp_path / "source"
    source.write_text("one")

    def run(context):
        source.write_text("two")  # somebody saves it at this moment
        context.product.write_text(source.read_text())

    copied = step(source, run=run)
    with pytest.raises(InputError, match=r"changed meanwhile\n  -> build again"):
        Producer(tmp_path / "build", cache).produce(copied, QUIET, on_cache_hit=lambda _: None)
    assert not cache.contains(copied.key)
    assert not (tmp_path / "build/a").exists()


def test_another_build_in_the_folder_spoils_no_cache(chain, cache, tmp_path):
    first = chain("a").inputs[0]

    def run(context):
        Producer(tmp_path / "build", cache).produce(chain("b").inputs[0], QUIET, on_cache_hit=lambda _: None)
        context.product.write_text(context.inputs[0].read_text())

    copied = step(first, product="copied", run=run)
    with pytest.raises(InputError, match=r"another build in .* replaced what copied is made from"):
        Producer(tmp_path / "build", cache).produce(copied, QUIET, on_cache_hit=lambda _: None)
    assert not cache.contains(copied.key)


def test_nothing_that_is_made_from_a_signature_is_cached(cache, tmp_path):
    def write(context):
        context.product.write_text("signed")

    signed = step(product="signed", run=write, reproducible=False)
    layer = step(step(signed, product="image", run=write), product="layer", run=write)
    Producer(tmp_path / "build", cache).produce(layer, QUIET, on_cache_hit=lambda _: None)
    assert not files(tmp_path / "cache")


def test_a_step_can_remember_what_outlives_its_work_file(tmp_path):
    def remember(context):
        context.memory.mkdir(exist_ok=True)
        with (context.memory / "times").open("a") as file:
            file.write("x")
        context.product.write_text("made")

    for version in (1, 2):
        producer = Producer(tmp_path / "build", None)
        producer.produce(step(product="a", run=remember, version=version), QUIET, on_cache_hit=lambda _: None)
    assert (tmp_path / "build/memory/times").read_text() == "xx"


def test_builds_at_the_same_time_do_not_touch_each_other_s_work(tmp_path):
    """Of two folders of other builds one is a day old: that build was killed."""
    busy, killed = tmp_path / "build/tmp/one-1", tmp_path / "build/tmp/two-2"
    for folder in (busy, killed):
        folder.mkdir(parents=True)
    os.utime(killed, (1, 1))
    made = step(product="a", run=lambda context: context.product.write_text("made"))
    Producer(tmp_path / "build", None).produce(made, QUIET, on_cache_hit=lambda _: None)
    assert busy.is_dir()
    assert not killed.exists()


def test_a_step_that_fails_leaves_nothing(cache, tmp_path):
    def fail(context):
        context.product.write_text("half")
        raise StepError("no luck")

    producer, failing = Producer(tmp_path / "build", cache), step(product="sub/x", run=fail)
    with pytest.raises(StepError, match="no luck"):
        producer.produce(failing, QUIET, on_cache_hit=lambda _: None)
    assert not files(tmp_path / "build")
    assert not cache.contains(failing.key)


def test_a_folder_in_the_place_of_a_product(chain, tmp_path):
    (tmp_path / "build/two").mkdir(parents=True)
    with pytest.raises(FolderError, match="two is a folder"):
        Producer(tmp_path / "build", None).produce(chain("a"), QUIET, on_cache_hit=lambda _: None)
