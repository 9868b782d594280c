"""Parse entry points of distributions: ``entry_points.txt`` and its values."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import Distribution

KINDS = ("console_scripts", "gui_scripts")
"""The groups whose entry points are commands."""


def read(text: str, kind: str) -> dict[str, str]:
    """Return the values of a group (:data:`KINDS`) of an ``entry_points.txt``, by name; {} for what is no such file.

    Extras are left out of the values (:func:`without_extras`).
    """
    try:
        entry_points = [entry_point for entry_point in _distribution()(text).entry_points if entry_point.group == kind]
    except (TypeError, ValueError):  # a line of a section without "="
        return {}
    return {entry_point.name: without_extras(entry_point.value) for entry_point in entry_points}


def without_extras(value: str) -> str:
    """Return an entry point's value without the extras in brackets, e.g. ``module:object``."""
    return value.partition("[")[0].strip()


def reference(value: object) -> str:
    """Return ``module:object`` without blanks and extras; "" where a value is none, or names no object.

    Extras in brackets are part of the specification of entry points: an installer ignores them.
    """
    from importlib.metadata import EntryPoint

    match = EntryPoint.pattern.match(value.strip()) if isinstance(value, str) else None
    if not match or not match["attr"]:
        return ""
    names = (*match["module"].split("."), *match["attr"].split("."))
    return f"{match['module']}:{match['attr']}" if all(name.isidentifier() for name in names) else ""


def checked(values: Mapping[str, object], where: str, faults: list[str]) -> dict[str, str]:
    """Return the :func:`reference` of each value by its name; ``where`` begins the faults of those that are none."""
    references = {name: reference(value) for name, value in values.items()}
    faults += [
        f"{where}.{name}: must be module:function, is {values[name]!r}" for name in references if not references[name]
    ]
    return {name: point for name, point in references.items() if point}


@cache
def _distribution() -> Callable[[str], Distribution]:
    """Return the class of distributions that consist of entry points alone, for the standard library's parser.

    The class is made on demand: to import :mod:`importlib.metadata` takes longer than to read most projects.
    """
    from importlib.metadata import Distribution

    class Text(Distribution):
        def __init__(self, text: str) -> None:
            self._text = text

        def read_text(self, filename: str) -> str | None:
            return self._text if filename == "entry_points.txt" else None

        def locate_file(self, path: object) -> Any:  # noqa: ANN401 - it has no files
            raise FileNotFoundError(path)

    return Text
