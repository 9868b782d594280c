"""Validation with errors, JSON both ways, and JSON schema (pydantic_core, in Rust)."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

DISTRIBUTIONS = ["pydantic", "pydantic-core"]


class Card(BaseModel):
    """One way to pay."""

    kind: Literal["card"]
    number: Annotated[str, Field(pattern=r"^\d{4}$")]


class Cash(BaseModel):
    """Another one."""

    kind: Literal["cash"]


class Order(BaseModel):
    """What somebody has ordered."""

    number: Annotated[int, Field(gt=0)]
    day: date
    total: Decimal
    tags: list[str] = []
    payment: Annotated[Card | Cash, Field(discriminator="kind")]

    @field_validator("tags")
    @classmethod
    def lower(cls, tags):
        """Spell all tags alike."""
        return [tag.lower() for tag in tags]


GOOD = '{"number": "7", "day": "2024-02-29", "total": "12.50", "tags": ["New"], "payment": {"kind": "cash"}}'
BAD = {"number": -1, "day": "2023-02-29", "total": "much", "payment": {"kind": "card", "number": "12"}}


def work():
    """Take an order, refuse another for all of its faults, and describe both."""
    order = Order.model_validate_json(GOOD)
    assert (order.number, order.day, order.total) == (7, date(2024, 2, 29), Decimal("12.50"))
    assert isinstance(order.payment, Cash)
    assert Order.model_validate_json(order.model_dump_json()) == order
    yield f"taken: {order.model_dump_json()}"
    try:
        Order.model_validate(BAD)
    except ValidationError as error:
        faults = {".".join(map(str, fault["loc"])): fault["type"] for fault in error.errors()}
    assert faults == {
        "number": "greater_than", "day": "date_from_datetime_parsing", "total": "decimal_parsing",
        "payment.card.number": "string_pattern_mismatch",
    }, faults  # fmt: skip
    yield f"refused: {', '.join(faults)}"
    schema = Order.model_json_schema()
    assert schema["required"] == ["number", "day", "total", "payment"]
    assert set(schema["$defs"]) == {"Card", "Cash"}
    assert schema["properties"]["payment"]["discriminator"]["propertyName"] == "kind"
    yield f"schema of {len(schema['properties'])} properties"
