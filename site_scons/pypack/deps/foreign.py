"""Files of other tools that name packages and that uv does not read: Poetry's, PDM's, Pipenv's, conda's, pixi's.

A lock is read through its tool's own export where the tool is installed; else the user hears which command makes a
file that is read.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.errors import InputError, StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_READ = "docs/dependencies.md"
_SHOWN_LINES = 12
_BY_HAND = "write its packages, as PyPI names them, into requirements.txt (an empty one where there are none)"


@dataclass(frozen=True, kw_only=True)
class ForeignFile:
    """A file of another tool. ``remedy`` makes a file that is read.

    ``export`` is the command that prints a lock as a requirements file, ``()`` where there is none; ``extra`` and
    ``group`` are its options for those.
    """

    name: str
    remedy: str
    export: tuple[str, ...] = ()
    extra: str = "--extras"
    group: str = "--with"


_FILES = (
    ForeignFile(
        name="poetry.lock",
        remedy="run poetry export -f requirements.txt -o requirements.txt (poetry self add poetry-plugin-export)",
        export=("poetry", "export", "--format", "requirements.txt", "--no-interaction", "--no-ansi"),
    ),
    ForeignFile(
        name="pdm.lock",
        remedy="run pdm export --prod -f requirements -o requirements.txt",
        export=("pdm", "export", "--prod", "--format", "requirements"),
        extra="--group", group="--group",
    ),
    ForeignFile(
        name="Pipfile.lock",
        remedy="run pipenv requirements --hash > requirements.txt",
        export=("pipenv", "requirements", "--hash"),
        extra="--categories", group="--categories",
    ),
    ForeignFile(name="Pipfile", remedy="run pipenv lock, then pipenv requirements --hash > requirements.txt"),
    *(ForeignFile(name=name, remedy=_BY_HAND) for name in (
        "conda-lock.yml", "conda-lock.yaml", "environment.yml", "environment.yaml", "pixi.lock", "pixi.toml",
    )),
)  # fmt: skip


def beside(folder: Path) -> tuple[ForeignFile, ...]:
    """Return the files of other tools in a folder, locks before what they are made from."""
    return tuple(file for file in _FILES if (folder / file.name).is_file())


def is_foreign(name: str) -> bool:
    """Say whether a file of this name is one of another tool."""
    return any(file.name == name for file in _FILES)


def exportable(file: Path) -> ForeignFile | None:
    """Return what is known of a lock whose tool is installed; None for any other file."""
    known = next((known for known in _FILES if known.name == file.name), None)
    return known if known and known.export and shutil.which(known.export[0]) else None


def exportable_in(folder: Path) -> Path | None:
    """Return the first lock in a folder whose tool is installed; None where there is none."""
    paths = (folder / file.name for file in beside(folder))
    return next((path for path in paths if exportable(path)), None)


def cannot_read(path: Path) -> InputError:
    """Return the error for a file of another tool that was named, and that is not read."""
    remedy = next(file.remedy for file in _FILES if file.name == path.name)
    return InputError(f"{path} is not a file that pypack reads", hint=remedy, docs=_READ)


def unread(folder: Path) -> InputError | None:
    """Return the error for a folder whose packages are named in files that are not read; None where there are none."""
    files = beside(folder)
    nested = [path.relative_to(folder).as_posix() for path in requirement_folder(folder)]
    if not files and not nested:
        return None
    names = [file.name for file in files] or nested
    remedies = [f"name the one that counts with -r, e.g. -r {nested[0]}"] if nested else []
    remedies += list(dict.fromkeys(file.remedy for file in files[:1]))
    return InputError(
        f"{folder} names its packages in {', '.join(names)}, which pypack does not read by itself",
        hint="; or ".join(remedies),
        docs=_READ,
    )


def requirement_folder(folder: Path) -> list[Path]:
    """Return the requirements files in the folder ``requirements`` of a program."""
    return sorted(path for path in (folder / "requirements").glob("*.txt") if path.is_file())


def export(file: Path, extras: tuple[str, ...], groups: tuple[str, ...]) -> str:
    """Return a lock as a requirements file, made by the tool whose lock it is; raises :class:`StepError`."""
    foreign = next(known for known in _FILES if known.name == file.name)
    command = [*foreign.export, *_options(foreign.extra, extras), *_options(foreign.group, groups)]
    done = subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]], cwd=file.parent, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_SHOWN_LINES:]
        details = "".join(f"\n  {line}" for line in output)
        raise StepError(
            f"{file} cannot be exported ({' '.join(command)}):{details}",
            hint=f"{foreign.remedy}; or name what counts instead with -r", docs=_READ,
        )  # fmt: skip
    return done.stdout


def _options(option: str, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from (option, name)
