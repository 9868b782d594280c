"""``[tool.pypack]`` of a pyproject.toml or of a script, read and checked as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.base import declare
from pypack.deps import manifests
from pypack.errors import InputError
from pypack.project.settings import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DOCS = "docs/settings.md"


def read(folder: Path) -> dict[str, Any]:
    """Return ``[tool.pypack]`` of ``folder/pyproject.toml``; the company is by default the names of the authors."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    table = manifests.read_toml(file)
    settings = _checked_settings(table, str(file))
    authors = _subtable(table, "project", str(file)).get("authors", [])
    names = [author.get("name") for author in authors if isinstance(author, dict)] if isinstance(authors, list) else []
    if company := ", ".join(name for name in names if isinstance(name, str) and name):
        settings.setdefault("company", company)
    return settings


def of_script(file: Path) -> dict[str, Any]:
    """Return ``[tool.pypack]`` of a script's inline metadata (PEP 723); nothing where it has none."""
    where = f"the inline metadata of {file}"
    settings = _checked_settings(manifests.script_table(file) or {}, where)
    if "entry" in settings:
        raise InputError(f"entry in {where} has no meaning: the script is the entry", hint="leave it out", docs=_DOCS)
    return settings


def _checked_settings(table: dict[str, Any], where: str) -> dict[str, Any]:
    table_settings = _subtable(_subtable(table, "tool", where), "pypack", where)
    settings = {_setting_name(name): value for name, value in table_settings.items()}
    check(settings, f"[tool.pypack] in {where}")
    return settings


def check(settings: Mapping[str, Any], where: str) -> None:
    """Refuse settings of the wrong name, kind or value, all at once; ``where`` is what the error begins with."""
    faults = declare.faults(TABLE, settings)
    if faults:
        message = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{where} cannot be used:\n{message}", hint="change these settings", docs=_DOCS)


def _setting_name(name: str) -> str:
    """Return a setting's name as Python spells it; in TOML it may be written with dashes."""
    plain = name.replace("-", "_")
    return plain if plain in TABLE else name


def _subtable(table: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{key} in {where} must be a table, is {value!r}", hint="mend the file", docs=_DOCS)
    return dict(value)
