"""JSON by orjson (in Rust), against the standard library's."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson

DISTRIBUTIONS = ["orjson"]


@dataclass
class Point:
    """Something that json itself refuses."""

    x: int
    y: float


TREE = {"text": "\u00fc \u4f60\u597d \U0001f40d \"\\\n", "numbers": [0, -1, 2**53 - 1, 1.5, 1e-7, 1e300],
        "nested": {"list": [[], {}, None, True, False]}}  # fmt: skip


def work():
    """Write and read, refuse what is no JSON."""
    text = orjson.dumps(TREE)
    assert orjson.loads(text) == TREE == json.loads(text)
    assert orjson.loads(json.dumps(TREE)) == TREE
    many = [{"id": number, **TREE} for number in range(2000)]
    assert orjson.loads(orjson.dumps(many)) == many
    yield f"round trip of {len(orjson.dumps(many))} bytes"
    moment = datetime(2024, 2, 29, 12, tzinfo=UTC)
    made = orjson.dumps({"p": Point(1, 2.5), "at": moment, "id": UUID(int=1)}, option=orjson.OPT_SORT_KEYS)
    assert made == (
        b'{"at":"2024-02-29T12:00:00+00:00","id":"00000000-0000-0000-0000-000000000001","p":{"x":1,"y":2.5}}'
    ), made
    yield made.decode()
    try:
        orjson.loads('{"a": 1,\n "b" 2}')
    except orjson.JSONDecodeError as error:
        assert error.lineno == 2, error
        yield f"refused: {error}"
    else:
        raise AssertionError("what is no JSON was read")
