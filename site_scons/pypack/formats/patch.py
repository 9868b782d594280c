"""Change a runtime's tree, whichever its provider: drop members, remove build paths."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pypack.errors import ArchiveError
from pypack.formats import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pypack.formats.image import ImageBuilder

_PREFIX = "@prefix@"
_BELOW = r"(?:/|\Z)"
_SYSTEM_PREFIXES = {"/usr"}  # the folder of everybody's programs: what starts with it need not be Python's
_SYSCONFIG = """\
# The variables that CPython was built with. Folders of the build are left out; {token} is where this runtime is now.
from sys import base_prefix as _prefix

build_time_vars = {{
{rows}
}}
for _name, _value in build_time_vars.items():
    if isinstance(_value, str) and "{token}" in _value:
        build_time_vars[_name] = _value.replace("{token}", _prefix)
"""


def drop(builder: ImageBuilder, patterns: Iterable[str]) -> int:
    """Remove the members that a pattern matches, with all below them; return how many members went.

    ``*`` stands for anything but ``/``, a leading ``**/`` for any folders (none, too). A folder that is left
    with nothing in it is not kept.
    """
    before, test = len(builder), _any(patterns)
    builder.filter(lambda path: not test(path))
    return before - len(builder)


def keep(builder: ImageBuilder, patterns: Iterable[str]) -> int:
    """Remove all but the members that a pattern matches; return how many are left."""
    test = _any(patterns)
    builder.filter(lambda path: bool(test(path)))
    return len(builder)


def unlink_lost(builder: ImageBuilder) -> None:
    """Remove links whose target is no longer in the tree."""
    while True:
        members = builder.paths()
        existing = {*members, *(parent for path in members for parent in paths.parents(path))}
        lost = {
            path for path in members if builder.member(path).kind == "link" and _target(builder, path) not in existing
        }
        if not lost:
            return
        builder.filter(lambda path, lost=lost: path not in lost)  # type: ignore[misc]


def _target(builder: ImageBuilder, path: str) -> str:
    return paths.linked(path, builder.member(path).link)


def clean_sysconfig(builder: ImageBuilder, stdlib: str, *, install: str, build: Iterable[str]) -> None:
    """Make ``_sysconfigdata*.py`` in ``stdlib`` say where the runtime is, instead of where it was built.

    ``install`` is a prefix it may have been configured with, beside the one that it names itself. ``build`` are
    folders that existed only while it was built: options that lead there are dropped, programs there are
    called by their bare name.
    """
    folders = tuple(build)
    for path in _matching(builder, f"{stdlib}/_sysconfigdata*.py"):
        values = variables(builder.read(path), path)
        prefixes = tuple({install, str(values.get("prefix") or install)} - _SYSTEM_PREFIXES)
        rows = "\n".join(f"    {key!r}: {_value(values[key], prefixes, folders)!r}," for key in sorted(values))
        builder.replace(path, _SYSCONFIG.format(rows=rows, token=_PREFIX).encode())


def clean_pkgconfig(builder: ImageBuilder, *, install: str, build: Iterable[str]) -> None:
    """Make the paths in ``lib/pkgconfig/*.pc`` relative to these files."""
    folders = tuple(build)
    for path in _matching(builder, "lib/pkgconfig/*.pc"):
        if builder.member(path).kind != "file":
            continue
        text = builder.read(path).decode()
        lines = [cleaned(line, (install,), folders, prefix="${pcfiledir}/../..") for line in text.split("\n")]
        builder.replace(path, "\n".join(lines).encode())


def cleaned(text: str, install: tuple[str, ...], build: tuple[str, ...], *, prefix: str = _PREFIX) -> str:
    """Return a value without build folders: ``install`` ones become ``prefix``, words that lead into ``build`` go."""
    if build and _below(build).search(text):
        words = (_word(word, build) for word in text.split(" "))
        text = " ".join(word for word in words if word)
    return _below(install).sub(lambda _: prefix, text) if install else text


def _value(value: object, install: tuple[str, ...], build: tuple[str, ...]) -> object:
    return cleaned(value, install, build) if isinstance(value, str) else value


def _word(word: str, build: tuple[str, ...]) -> str:
    match = _below(build).search(word)
    if not match:
        return word
    if match.start() == 0 and "/bin/" in word:
        return word.rsplit("/", 1)[-1]
    return ""


@lru_cache(maxsize=64)
def _below(folders: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(folder) for folder in folders)
    return re.compile(rf"(?<![\w./+-])(?:{names})(?=$|[/\s'\":;,=)])|(?<=-[ILF])(?:{names})(?=$|[/\s'\":;,=)])")


def variables(data: bytes, path: str) -> dict[str, object]:
    """Return ``build_time_vars`` of a ``_sysconfigdata`` module, which is not run; ``path`` is its name in errors."""
    try:
        for node in ast.parse(data).body:
            if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["build_time_vars"]:
                table = ast.literal_eval(node.value)
                if isinstance(table, dict):
                    return {str(key): value for key, value in table.items()}
    except (SyntaxError, ValueError) as e:
        raise ArchiveError(f"{path} in the runtime cannot be read: {e}", hint="use another runtime") from e
    raise ArchiveError(f"{path} in the runtime has no build_time_vars", hint="use another runtime")


def _matching(builder: ImageBuilder, pattern: str) -> list[str]:
    test = re.compile(_compiled(pattern).pattern.removesuffix(_BELOW) + r"\Z")
    return [path for path in builder.paths() if test.match(path)]


def _any(patterns: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(f"(?:{_compiled(pattern).pattern})" for pattern in patterns) or r"(?!)").match


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    deep = pattern.startswith("**/")
    body = re.escape(pattern[3:] if deep else pattern).replace(r"\*", "[^/]*")
    return re.compile(("(?:.*/)?" if deep else "") + body + _BELOW)
