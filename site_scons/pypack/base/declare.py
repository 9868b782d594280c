"""Declares settings as fields of dataclasses, from which options, checks and docs are generated.

``name: Annotated[str, Setting(help="…")] = ""`` declares the name, type and default of a setting, and,
in :class:`Setting`, its help and the locations where it is allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType, Union, get_args, get_origin

from pypack.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    PathResolver = Callable[[Any], Path]
    """Returns the absolute path for a path that a user wrote."""

Kind = Literal["text", "path", "flag", "number", "count", "list", "globs", "paths", "table", "rows"]
"""``count``: a number, and as an option how often it is given; ``list``: texts without commas; ``paths`` and ``globs``:
files or folders; ``rows``: tables, from a file."""

Location = Literal["toml", "build", "lock", "scons", "bundle"]
"""Where a setting is allowed: ``[tool.pypack]``, options of ``pypack build`` (and ``run``) and of ``pypack lock``,
variables of ``scons``, keywords of ``PyBundle``."""

Glob = NewType("Glob", str)
"""A pattern for files; like a path, it may contain commas."""

EVERYWHERE: frozenset[Location] = frozenset({"toml", "build", "scons", "bundle"})
_TYPES: dict[Kind, tuple[type, ...]] = {
    "text": (str,), "path": (str, Path), "flag": (bool,), "number": (int,), "count": (int,), "list": (list, tuple),
    "globs": (list, tuple), "paths": (list, tuple), "table": (dict,), "rows": (list, tuple),
}  # fmt: skip
"""Types of a value: TOML's first, then those that Python code may pass instead."""
_WORDS: dict[Kind, str] = {
    "text": "a text", "path": "a path", "flag": "true or false", "number": "a number", "count": "a number",
    "list": "a list of texts", "globs": "a list of texts", "paths": "a list of paths", "table": "a table",
    "rows": "a list of tables",
}  # fmt: skip
"""How faults name these types."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The declaration of a setting; :func:`declared` adds its name, type and default from the field.

    ``help`` begins in lower case and has no full stop; ``group`` is the heading under which the help lists it;
    ``default`` describes the default in words, if the field's does not; ``metavar`` stands for a value in the help.
    ``option`` and ``variable`` are its names on the command line and for ``scons`` where they are not ``name`` (an
    option in capitals is a positional argument); ``short`` is a letter. ``lock``: it also affects the lock. ``docs`` is
    the page of docs/ that explains it. ``where`` are the locations that allow it. ``check`` returns the faults of a
    value of the right type; ``counted``: the number is how often the option is given. ``root`` makes a value that
    may be a path absolute. ``keys`` are those that a table may have; ``pattern`` is a regular expression for its
    text, or for each value of its table, that editors go by; ``record`` declares what its table, or each of its
    rows, holds.
    """

    help: str
    group: str = ""
    default: str = ""
    metavar: str = ""
    option: str = ""
    variable: str = ""
    short: str = ""
    lock: bool = False
    docs: str = ""
    where: frozenset[Location] = EVERYWHERE
    check: Callable[[Any], list[str]] | None = None
    counted: bool = False
    root: Callable[[Any, PathResolver], Any] | None = None
    keys: tuple[str, ...] = ()
    pattern: str = ""
    record: type | None = None
    # --- of the field ---
    name: str = ""
    kind: Kind = "text"
    choices: tuple[str | int, ...] = ()
    initial: object = None
    required: bool = False

    def stands_in(self, location: Location) -> bool:
        """Say whether it is allowed there; a setting that affects the lock is also an option of ``pypack lock``."""
        return location in self.where or (location == "lock" and self.lock)

    @property
    def key(self) -> str:
        """Its name in TOML."""
        return self.name.replace("_", "-")

    @property
    def word(self) -> str:
        """Its name as a variable of ``scons``."""
        return self.variable or self.name

    @property
    def otherwise(self) -> str:
        """Its default in words."""
        if self.default:
            return self.default
        if isinstance(self.initial, bool):
            return "yes" if self.initial else "no"
        if isinstance(self.initial, tuple):
            return ", ".join(str(item) for item in self.initial) or "none"
        return "none" if self.initial in (None, "") else str(self.initial)


@functools.cache
def declared(record: type) -> dict[str, Setting]:
    """Return the settings that the fields of a dataclass declare, by name and in their order."""
    hints = typing.get_type_hints(record, include_extras=True)
    return {field.name: _complete_setting(field, *get_args(hints[field.name])) for field in dataclasses.fields(record)}


def _complete_setting(field: dataclasses.Field[Any], hint: object, setting: Setting) -> Setting:
    """Return what ``Annotated[hint, setting]`` declares."""
    kind, choices, record = _kind_of_type(hint)
    kind = "count" if setting.counted else kind
    initial = field.default_factory() if field.default_factory is not MISSING else field.default
    return replace(
        setting, name=field.name, kind=kind, choices=choices, record=setting.record or record,
        initial=None if initial is MISSING else initial, required=initial is MISSING,
    )  # fmt: skip


def _kind_of_type(hint: Any) -> tuple[Kind, tuple[str | int, ...], type | None]:  # noqa: ANN401 - a type of any form
    """Return the kind of setting for a type, the allowed values, and the dataclass of its tables."""
    if get_origin(hint) in {types.UnionType, Union}:
        (hint,) = [argument for argument in get_args(hint) if argument is not type(None)]
    if get_origin(hint) is Literal:
        choices = tuple(argument for argument in get_args(hint) if argument != "")
        return ("number" if isinstance(choices[0], int) else "text"), choices, None
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        of_items: dict[Any, Kind] = {str: "list", Glob: "globs", Path: "paths"}
        return of_items.get(item, "rows"), (), None
    if dataclasses.is_dataclass(hint) or get_origin(hint) is Mapping:
        return "table", (), hint if isinstance(hint, type) else None
    plain: dict[Any, Kind] = {str: "text", Path: "path", bool: "flag", int: "number"}
    return plain[hint], (), None


# --- values -----------------------------------------------------------------------------------------------------------


def faults(known: Mapping[str, Setting], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the faults of ``values``, one clause each: unknown names, wrong types and wrong values."""
    messages = [f"{prefix}{key}: not known{did_you_mean(key, known)}" for key in values if key not in known]
    for key, value in values.items():
        messages += _setting_faults(known[key], value, prefix + key) if key in known else []
    return messages


def _setting_faults(setting: Setting, value: object, name: str) -> list[str]:
    expected = _TYPES[setting.kind]
    if not isinstance(value, expected) or (setting.kind == "number" and isinstance(value, bool)):
        return [f"{name}: must be {_WORDS[setting.kind]}, is {value!r}"]
    if setting.kind in {"list", "globs", "paths"} and isinstance(value, list | tuple):
        if not all(isinstance(item, str | Path) for item in value):
            return [f"{name}: must be {_WORDS[setting.kind]}"]
    elif setting.choices and value not in setting.choices:
        choices = [str(choice) for choice in setting.choices]
        listed = (" or " if setting.kind == "number" else ", ").join(choices)
        return [f"{name}: must be one of {listed}, is {value!r}{did_you_mean(str(value), choices)}"]
    return setting.check(value) if setting.check else []


def with_absolute_paths(
    known: Mapping[str, Setting], values: Mapping[str, Any], resolve: PathResolver
) -> dict[str, Any]:
    """Return ``values`` with all paths made absolute by ``resolve``; an empty path becomes None."""
    return {
        key: _with_absolute_path(known[key], value, resolve) if key in known else value for key, value in values.items()
    }


def _with_absolute_path(setting: Setting, value: Any, resolve: PathResolver) -> Any:  # noqa: ANN401 - a value of any type
    if setting.root:
        return setting.root(value, resolve)
    if setting.kind == "path":
        return None if value in ("", None) else resolve(value)
    if setting.kind == "paths" and isinstance(value, list | tuple):
        return [resolve(path) for path in value]
    if setting.kind == "table" and setting.record and isinstance(value, Mapping):
        return with_absolute_paths(declared(setting.record), value, resolve)
    return value


def grouped(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """Return settings by the headings under which the help lists them."""
    groups: dict[str, list[Setting]] = {}
    for setting in settings:
        groups.setdefault(setting.group, []).append(setting)
    return groups
