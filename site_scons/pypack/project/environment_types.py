"""Generates ``pypack/environment.pyi``: the builders that pypack adds to a SCons environment, with types and docs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pypack.base.declare import declared
from pypack.project import options
from pypack.project.settings import TABLE, BuildOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypack.base.declare import Kind, Setting

_APART = ("name", "entry")
"""Settings that the builder has as parameters of its own."""
_TYPES: dict[Kind, str] = {
    "text": "str", "path": "Location", "flag": "bool", "number": "int", "count": "int", "list": "Sequence[str]",
    "globs": "Sequence[str]", "paths": "Sequence[Location]", "table": "Mapping[str, object]",
    "rows": "Sequence[Mapping[str, object]]",
}  # fmt: skip
_HEAD = '''\
# Made from the table of settings by "nox -s update_docs".
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol

from pypack.steps.step import Step

Location = str | PathLike[str]

class Node(Protocol):
    """A node of SCons: a file to make."""

    abspath: str
    path: str
    def __getattr__(self, name: str) -> Any: ...

class Environment(Protocol):
    """An environment of SCons after ``tools=[pypack.generate]``."""

    def __getattr__(self, name: str) -> Any: ...
    def PyBundle(
        self,
        name: str = "",
        *,
        app: Location | None = None,
        entry: str = "",
        target: str = "",
'''
_DOC = """\
Return the nodes of bundles, one for each target, below ``dist/``; nodes of reports follow them.

Paths count from the SConscript's folder, ``#`` is the top; those of ``out`` and ``report`` count from the
top. What is given wins over ``[tool.pypack]`` of the program. docs/settings.md explains each setting.

name: name of the executable
app: folder of the program, or a script
entry: where it begins: a script, a package folder or module:function
target: a name, several with commas between them, ``all`` or ``host``; by default ``targets``
"""
_TAIL = '''\
    def PyRuntime(self, *, target: str = "host", python: str = "", runtime: str = "auto") -> Node:
        """Return the node of a target's runtime image (a tar)."""
    def PyStep(self, step: Step) -> Node:
        """Return the node of any step."""
'''
_MARGIN = " " * 8
_WIDTH = 104


def text() -> str:
    """Return the text of the file."""
    settings = [*_settings()]
    parameters = "".join(f"{_MARGIN}{setting.name}: {_type_of(setting)} = ...,\n" for setting in settings)
    lines = (textwrap.fill(_describe(setting), _WIDTH, subsequent_indent="    ") for setting in settings)
    doc = textwrap.indent(_DOC + "\n".join(lines), _MARGIN).strip()
    return f'{_HEAD}{parameters}    ) -> list[Node]:\n{_MARGIN}"""{doc}\n{_MARGIN}"""\n{_TAIL}'


def _settings() -> Iterable[Setting]:
    """Yield what ``PyBundle`` takes as keywords."""
    yield from (setting for setting in TABLE.values() if setting.stands_in("bundle") and setting.name not in _APART)
    yield from (
        option for option in declared(BuildOptions).values() if option.stands_in("bundle") and _is_named(option)
    )


def _is_named(option: Setting) -> bool:
    return option.name != "app"


def _type_of(setting: Setting) -> str:
    if setting.choices:
        return f"Literal[{', '.join(repr(choice).replace(chr(39), chr(34)) for choice in setting.choices)}]"
    return _TYPES[setting.kind]


def _describe(setting: Setting) -> str:
    return f"{setting.name}: {options.help_text(setting)}"
