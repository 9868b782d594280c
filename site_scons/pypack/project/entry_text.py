"""Says in one line what the program is, how it is started, and how another is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypack.project.entries import Entry

_SHOWN = 8


def describe(entry: Entry, command: str, *, is_chosen: bool) -> str:
    """Return the line; ``command`` is its name where it is one, ``is_chosen``: somebody has named the entry."""
    another = "" if is_chosen else " (--entry chooses another)"
    match entry.kind:
        case "script":
            return f"the program is the script {entry.name}{another}"
        case "module":
            return f"the program is python -m {entry.name}{another}"
        case "function":
            name = f"the command {command}, " if command else ""
            return f"the program is {name}{entry.name}:{entry.function}{another}"
        case _:
            return (
                f"the program is {_list(entry)}: the name that it is started by selects one (--alias makes links of"
                " these names), else its first argument does; --entry takes one alone"
            )


def _list(entry: Entry) -> str:
    names = entry.commands
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} commands ({', '.join(names[:_SHOWN])}{more})"
