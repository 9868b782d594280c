"""Settings of a program: ``[tool.pypack]`` of its pyproject.toml, checked as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pypack import targets
from pypack.errors import InputError, near
from pypack.macho import identity
from pypack.packages import manifests, selection

_READ = "docs/settings.md"

_KEYS = {
    "name": str, "entry": str, "version": str, "python": str, "runtime": str, "targets": list, "requirements": str,
    "include": list, "exclude": list, "sources": bool, "profile": str, "mode": str, "pins": list,
    "floors": dict, "console": bool, "icon": str, "company": str, "description": str, "copyright": str,
    "sign": dict, "extras": list, "groups": list, "wheels": list, "venv": str,
    "no_binary": list, "no_build": bool, "exclude_packages": list, "exclude_tests": bool, "optimize": int,
    "package": bool, "startup": str, "launch": str, "self_commands": bool, "interpreter": bool,
    "scripts_on_path": bool,
}  # fmt: skip
_LISTS = ("targets", "include", "exclude", "extras", "groups", "wheels", "no_binary", "exclude_packages")
_ALSO = {
    "requirements": (Path,), "icon": (Path,),
    "venv": (Path,), "pins": (tuple,), **dict.fromkeys(_LISTS, (tuple,)),
}  # fmt: skip
"""What Python code may give in the place of TOML's kinds."""


def read(folder: Path) -> dict[str, Any]:
    """Return ``[tool.pypack]`` of ``folder/pyproject.toml``; the company is by default the names of the authors."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    table = manifests.read_toml(file)
    settings = {_key(name): value for name, value in _table(_table(table, "tool", file), "pypack", file).items()}
    check(settings, f"[tool.pypack] in {file}")
    authors = _table(table, "project", file).get("authors", [])
    names = [each.get("name") for each in authors if isinstance(each, dict)] if isinstance(authors, list) else []
    if company := ", ".join(name for name in names if isinstance(name, str) and name):
        settings.setdefault("company", company)
    return settings


def check(settings: dict[str, Any], where: str) -> None:
    """Refuse settings of the wrong name or kind, all at once; ``where`` is what the error begins with."""
    faults = [f"{key}: not known{near(key, _KEYS)}" for key in settings if key not in _KEYS]
    faults += [
        f"{key}: must be a {_KEYS[key].__name__}, is {value!r}"
        for key, value in settings.items()
        if key in _KEYS and not isinstance(value, (_KEYS[key], *_ALSO.get(key, ())))
    ]
    faults += [
        f"{key}: must be a list of strings"
        for key in _LISTS
        if isinstance(settings.get(key), list | tuple)
        and not all(isinstance(each, str | Path) for each in settings[key])
    ]
    faults += [] if faults else selection.faults(settings.get("exclude_packages", ()))
    if settings.get("optimize", 0) not in (0, 1, 2) or isinstance(settings.get("optimize"), bool):
        faults.append(f"optimize: must be 0, 1 or 2, is {settings['optimize']!r}")
    if isinstance(settings.get("floors"), dict):
        faults += targets.check_floors(settings["floors"])
    if isinstance(settings.get("sign"), dict):
        faults += identity.faults(settings["sign"])
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{where} cannot be used:\n{told}", see=_READ)


def _key(name: str) -> str:
    """Return a setting's name as Python spells it; in TOML it may be written with dashes."""
    plain = name.replace("-", "_")
    return plain if plain in _KEYS else name


def _table(table: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise InputError(f"{key} in {file} must be a table, is {found!r}", do="mend the file", see=_READ)
    return dict(found)
