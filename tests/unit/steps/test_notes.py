"""What a step notes is kept with its product, and why a step runs is said."""

from __future__ import annotations

import pytest

from pypack.base import notes
from pypack.base.notes import Note
from pypack.steps import interrupt, product_record
from pypack.steps.cache import LocalStepCache
from pypack.steps.producer import Producer
from pypack.steps.step import Settings, Step


def writes(text: str, *said: Note):
    def run(context):
        for note in said:
            context.say(note)
        context.product.write_text(text)

    return run


FOREIGN = Note("foreign-files", "lib.dll goes in as data")
PTH = Note("pth-path", "a .pth file names /x")


def a_step(*inputs, product="a", run=None, **more):
    return Step(
        product=product,
        action="test",
        version=more.pop("version", 1),
        run=run or writes(product),
        inputs=inputs,
        **more,
    )


def settings(said):
    return Settings(say=said.append)


def chain():
    inner = a_step(product="inner", run=writes("inner", FOREIGN))
    return inner, a_step(inner, product="outer", run=writes("outer", PTH))


def produce(producer, step, said):
    producer.produce(step, settings(said), on_cache_hit=lambda _: None)
    return producer.notes(step)


def test_the_notes_of_a_step_and_of_its_inputs_are_kept_with_its_product(tmp_path):
    said: list[str] = []
    cache = LocalStepCache(tmp_path / "cache")
    assert produce(Producer(tmp_path / "build", cache), chain()[1], said) == (FOREIGN, PTH)
    assert said == [FOREIGN, PTH]
    again = Producer(tmp_path / "build", None)
    assert again.is_made(chain()[1])
    assert again.notes(chain()[1]) == (FOREIGN, PTH)
    assert [note.identifier for note in again.notes(chain()[1])] == ["foreign-files", "pth-path"]


def test_the_notes_come_with_a_product_from_the_cache_where_the_step_does_not_run(tmp_path):
    cache, said = LocalStepCache(tmp_path / "cache"), list[str]()
    produce(Producer(tmp_path / "one", cache), chain()[1], [])
    assert produce(Producer(tmp_path / "two", cache), chain()[1], said) == (FOREIGN, PTH)
    assert said == []
    assert Producer(tmp_path / "two", None).notes(chain()[1]) == (FOREIGN, PTH)


def test_a_step_made_from_a_cached_product_keeps_the_notes_of_that(tmp_path):
    cache = LocalStepCache(tmp_path / "cache")
    produce(Producer(tmp_path / "one", cache), chain()[0], [])
    assert produce(Producer(tmp_path / "two", cache), chain()[1], []) == (FOREIGN, PTH)


@pytest.mark.parametrize(
    "text", ["", "key", "key 1\n[]\n", 'key 1\n{"notes": [["nowhere", "x"], 3, ["uv"]]}\n', "key x"]
)
def test_a_damaged_record_has_no_notes(tmp_path, text):
    (tmp_path / "record").write_text(text)
    record = product_record.read(tmp_path / "record")
    assert record is None or record.notes == ()


def test_a_record_of_an_earlier_version_counts(tmp_path):
    (tmp_path / "record").write_text("key 12\n")
    record = product_record.read(tmp_path / "record")
    assert record is not None
    assert (record.key, record.size, record.notes) == ("key", 12, ())


def test_notes_of_records_are_checked():
    assert notes.restored(notes.stored((FOREIGN, PTH))) == (FOREIGN, PTH)
    assert notes.restored({"uv": "x"}) == ()
    (fault,) = notes.faults(["host-glibc", "host-glib"])
    assert fault.startswith("quiet: 'host-glib' is no identifier of a note (did you mean host-glibc")


# --- why a step runs --------------------------------------------------------------------------------------------------


def test_why_a_step_runs(tmp_path):
    source = tmp_path / "main.c"
    source.write_text("1")
    producer = Producer(tmp_path / "build", None)

    def why(*inputs, **more):
        return producer.why(a_step(*inputs, **more))

    assert why(source) == "new"
    produce(producer, a_step(source, params={"level": 1}), [])
    (tmp_path / "build/a").unlink()
    assert why(source, params={"level": 1}) == "its file is missing or was changed"
    assert why(source, params={"level": 2}) == "level changed"
    assert why(source, params={"level": 1}, version=2) == "pypack has changed"
    assert why(source, a_step(product="x/b"), params={"level": 1}) == "b changed"
    source.write_text("2")
    assert why(source, params={"level": 1}) == "main.c changed"
    many = {f"p{number}": number for number in range(6)}
    assert why(source, params=many) == "main.c changed, level changed, p0 changed and 5 more"


# --- a build that is stopped ------------------------------------------------------------------------------------------


@pytest.fixture
def stopped():
    interrupt.stop()
    yield
    interrupt.reset()


@pytest.mark.usefixtures("stopped")
def test_a_stopped_build_ends_its_programs_and_keeps_nothing_of_the_step(tmp_path):
    producer = Producer(tmp_path / "build", LocalStepCache(tmp_path / "cache"))

    def run(context):
        context.run(["sleep", "60"])

    with pytest.raises(interrupt.InterruptedBuildError):
        produce(producer, a_step(run=run), [])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_step_had_half_made_is_removed_when_nobody_waits_for_it(tmp_path):
    producer = Producer(tmp_path / "build", None)
    left: list[bool] = []

    def run(context):
        context.product.write_text("half")
        interrupt.remove_leftovers()
        left.append(context.product.exists())
        context.product.parent.mkdir(parents=True)
        context.product.write_text("whole")

    produce(producer, a_step(run=run), [])
    assert left == [False]
