"""The notes and warnings of a build: each has an identifier, by which ``[tool.pypack] quiet`` silences it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pypack.errors import did_you_mean

Level = Literal["fact", "note", "warning"]
"""``fact``: what was found or chosen; ``note``: what may surprise; ``warning``: what may not work."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the notes with one identifier are ``about``, in one clause for the docs."""

    level: Level
    about: str


def _fact(about: str) -> Kind:
    return Kind(level="fact", about=about)


def _note(about: str) -> Kind:
    return Kind(level="note", about=about)


def _warning(about: str) -> Kind:
    return Kind(level="warning", about=about)


KINDS: dict[str, Kind] = {
    # --- the program ---
    "entry": _fact("what the program is, and how another entry point is chosen"),
    "missing-modules": _warning("the program imports modules of the standard library that this Python lacks"),
    "not-python": _note("a `.py` file is not Python of this version, and goes in as data"),
    "one-command": _note("`alias` is set, and the program is one command"),
    "old-build-folder": _note("`build/` is left over from an earlier pypack"),
    # --- packages ---
    "packages": _fact("where the packages are named"),
    "lock-not-followed": _warning("the lock of another tool is there, and its versions are not taken"),
    "lock-settings": _note("the lock was made with other settings of uv"),
    "pip-settings": _note("settings of pip that count, and that do not"),
    "uv": _warning("what uv warns of"),
    "packages-floor": _note("packages are chosen for a newer system, which the runtime needs anyway"),
    "older-release": _note("an older release is taken, since the newest has no wheel for the target"),
    "built-from-source": _note("a package is built from source, and a newer floor would have a wheel"),
    "no-native-code": _note("a package with native sources came out without native code"),
    "build-folder": _warning("a file of a package names the folder that it was built in"),
    "upgrade-package": _note("`--upgrade-package` names a package that is not there"),
    "exclude-packages": _note("`exclude-packages` names a package that is not there"),
    "foreign-files": _note("packages bring programs and libraries for other systems"),
    "pth-path": _note("a `.pth` file names a path that no package brings"),
    # --- runtime ---
    "runtime": _fact("which runtime was chosen, and why"),
    "bytecode": _fact("which Python compiles the bytecode"),
    "python-version": _warning("the Python that `.python-version` asks for cannot be had"),
    "sources-only": _note("nothing here compiles for this Python, and the bundle holds sources only"),
    "runtime-loader": _note("the runtime starts only where musl's loader is"),
    "runtime-modules": _note("parts of the standard library that the runtime is without"),
    "runtime-sources": _note("the standard library is there as bytecode only"),
    "runtime-static": _note("the runtime is static and can load no native wheel"),
    "host-glibc": _warning("this machine's own Python does not start on systems with an older glibc"),
    "host-modules": _note("modules that this machine's own Python lacks"),
    "host-copy": _warning("the copy of this machine's own Python is not whole"),
    # --- this machine ---
    "unknown-variable": _note("a variable whose name begins with `PYPACK_` looks mistyped"),
    "no-cache": _warning("the cache folder cannot be used"),
}  # fmt: skip
"""Every identifier. docs/build-output.md has this table (``nox -s update_docs``)."""


class Note(str):
    """What a build has to say, with its ``identifier``; :attr:`line` is what it prints."""

    identifier: str

    def __new__(cls, identifier: str, text: str) -> Note:
        """Make a note: ``text`` has no word for its level."""
        note = super().__new__(cls, text)
        note.identifier = identifier
        assert identifier in KINDS  # it is documented
        return note

    @property
    def level(self) -> Level:
        """How much it matters."""
        return KINDS[self.identifier].level

    @property
    def line(self) -> str:
        """The line to print: notes and warnings end with the identifier that silences them."""
        return f"  {self}" if self.level == "fact" else f"  {self.level}: {self} [{self.identifier}]"


def restored(rows: object) -> tuple[Note, ...]:
    """Return the notes of a record (:func:`stored`), without those that this version does not know."""
    pairs = [row for row in rows if isinstance(row, list) and len(row) == 2] if isinstance(rows, list) else []
    return tuple(Note(str(name), str(text)) for name, text in pairs if name in KINDS)


def stored(notes: tuple[Note, ...]) -> list[list[str]]:
    """Return notes as JSON values."""
    return [[note.identifier, str(note)] for note in notes]


def faults(identifiers: object) -> list[str]:
    """Return a clause for each identifier that does not exist."""
    names = [name for name in identifiers if isinstance(name, str)] if isinstance(identifiers, list | tuple) else []
    unknown = [name for name in names if name not in KINDS]
    return [f"quiet: {name!r} is no identifier of a note{did_you_mean(name, KINDS)}" for name in unknown]
