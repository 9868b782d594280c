"""Which real applications are tried, and what each has to do: the rows of applications.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pypack.download.pins import Pin, from_row

HERE = Path(__file__).parent
FILE = HERE / "applications.toml"
PROJECTS = HERE.parent / "projects"
_LISTS = {"extras", "build", "pages", "ignored", "server"}


@dataclass(frozen=True, kw_only=True)
class Application:
    """A row of applications.toml, whose head explains the fields; either ``pin`` or ``folder`` says what is built."""

    name: str
    kind: str
    version: str = "1.0"
    pin: Pin | None = None
    folder: str = ""
    script: str = ""
    edit: str = ""
    extras: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    work: tuple[tuple[str, ...], ...] = ()
    server: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def is_wheel(self) -> bool:
        return self.pin is not None and self.pin.file.endswith(".whl")

    @property
    def commands(self) -> tuple[str, ...]:
        """The names of the commands that its work and its server start."""
        lines = [line[line[0] == "!" :] for line in (*self.work, self.server) if line]
        return tuple(dict.fromkeys(words[0] for words in lines))


def load(file: Path = FILE) -> tuple[Application, ...]:
    """Return the rows of ``file`` in its order. Raises ValueError that lists all faults."""
    faults: list[str] = []
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("application", [])
    applications = [_application(row, faults) for row in rows]
    names = [application.name for application in applications]
    faults += [f"{name}: stands there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise ValueError(f"{file.name}:\n" + "\n".join(faults))
    return tuple(applications)


def _application(row: dict[str, Any], faults: list[str]) -> Application:
    where = str(row.get("name", "a row without a name"))
    known = {field.name for field in fields(Application)} - {"pin"} | {"file", "sha256"}
    faults += [f"{where}: {key} is no field" for key in row.keys() - known]
    faults += [f"{where}: {key} is missing" for key in ("name", "kind", "work") if not row.get(key)]
    values = {key: tuple(value) if key in _LISTS else value for key, value in row.items() if key in known}
    values["work"] = tuple(tuple(words) for words in row.get("work", []))
    pinned = {key: values.pop(key, "") for key in ("file", "sha256")}
    values["pin"] = None if "folder" in row else _pin(where, {**row, **pinned}, faults)
    application = Application(**{"name": where, "kind": "", **values})
    if not application.edit and not application.is_wheel:
        faults.append(f"{where}: edit is missing")
    if bool(application.server) != bool(application.pages):
        faults.append(f"{where}: a server and its pages belong together")
    faults += [f"{where}: {fault}" for pattern in application.ignored for fault in _pattern_faults(pattern)]
    return application


def _pin(where: str, row: dict[str, Any], faults: list[str]) -> Pin | None:
    """The address is PyPI's for this name and version, in whichever index uv is set up to ask."""
    if not row.get("version"):
        faults.append(f"{where}: version is missing")
    address = f"pypi:{where}=={row.get('version', '')}"
    return from_row(where, {**row, "url": address, "file": row["file"] or "no file"}, faults)


def _pattern_faults(pattern: str) -> list[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        return [f"{pattern!r} is no regular expression: {error}"]
    return []
