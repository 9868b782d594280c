"""Errors that say what happened, what to do, and where to read."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class PypackError(Exception):
    """A fault that the person at the keyboard can act upon.

    ``what`` is one sentence (it may have several lines where several faults of one
    input are told at once), ``hint`` is the remedy, ``docs`` names a document; where a class has
    ``usual_hint`` and ``usual_docs``, its errors need none. ``exit_code`` is what the command ends with.
    """

    exit_code = 1
    usual_hint = ""
    usual_docs = ""

    def __init__(self, what: str, *, hint: str = "", docs: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint or self.usual_hint
        self.docs = docs or self.usual_docs

    def __str__(self) -> str:
        lines = [self.what]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        if self.docs:
            lines.append(f"  see {self.docs}")
        return "\n".join(lines)


class InputError(PypackError):
    """Something that was typed or written in a file is wrong; nothing was built."""

    exit_code = 2


class FetchError(PypackError):
    """An archive could not be had, or is not the one that was pinned."""

    exit_code = 3


class ArchiveError(PypackError):
    """An archive, an image or a program is damaged, or holds something that must not be used."""

    usual_hint = "get the file again; if that does not help, tell those who made it"
    usual_docs = "docs/pins.md"


class StepError(PypackError):
    """A step of the build failed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean …?)"`` for names close to ``name``, else an empty string."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def unknown(kind: str, name: str, known: Iterable[str], *, docs: str = "docs/settings.md") -> InputError:
    """Build the error for a name that is not in a list: near names first, then the list."""
    names = list(known)
    what = f"unknown {kind} {name!r}{did_you_mean(name, names)}"
    return InputError(what, hint=f"choose from: {', '.join(names)}", docs=docs)
