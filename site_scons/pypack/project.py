"""The program that is to be bundled: its folder, its entry point, its settings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pypack import targets
from pypack.errors import InputError, near
from pypack.macho import identity

_READ = "docs/settings.md"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}

EntryKind = Literal["module", "script", "function"]
Mode = Literal["onefile"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where a program begins.

    ``kind`` module: ``name`` is run as ``python -m`` would; script: ``name`` is a path below ``app/``; function:
    ``function`` of module ``name`` is called, as a console script does.
    """

    kind: EntryKind
    name: str
    function: str = ""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A program and how it wants to be bundled.

    ``root`` is the folder whose content becomes ``app/`` (below ``under``); ``only`` limits it to some paths. Relative
    paths of the settings count from ``folder``. ``outputs`` are files and folders that builds write: they are never
    part of the app. ``notes`` is what the person who builds should know. ``console``, ``icon`` (a path), ``company``,
    ``description`` and ``copyright`` are for Windows: ``console`` False makes a program that opens no console.
    ``sign`` is who signs on macOS, None for nobody (ad hoc).
    """

    name: str
    version: str
    root: Path
    folder: Path
    entry: Entry
    under: str = ""
    only: tuple[str, ...] = ()
    requirements: Path | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    python: str = ""
    runtime: str = "auto"
    targets: tuple[str, ...] = ("host",)
    sources: bool = True
    profile: str = "release"
    mode: str = "onefile"
    floors: dict[str, str] = field(default_factory=dict)
    console: bool = True
    icon: Path | None = None
    company: str = ""
    description: str = ""
    copyright: str = ""
    sign: identity.Sign | None = None
    pins: tuple[dict[str, Any], ...] = ()
    outputs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


_KEYS = {
    "name": str, "entry": str, "version": str, "python": str, "runtime": str, "targets": list, "requirements": str,
    "include": list, "exclude": list, "sources": bool, "profile": str, "mode": str, "pins": list,
    "floors": dict, "console": bool, "icon": str, "company": str, "description": str, "copyright": str,
    "sign": dict,
}  # fmt: skip
_ALSO = {
    "requirements": (Path,), "icon": (Path,),
    "targets": (tuple,), "include": (tuple,), "exclude": (tuple,), "pins": (tuple,),
}  # fmt: skip
"""What Python code may give in the place of TOML's kinds."""


def load(app: Path | None = None, *, entry: str = "", **given: Any) -> Project:  # noqa: ANN401 - any setting
    """Read a program's settings and find its entry point.

    ``app`` is its folder (or a single script); ``entry`` names a script, a package folder, a ``module`` or a
    ``module:function``. ``given`` holds settings that win over the file's ``[tool.pypack]``; empty ones do not count.
    """
    folder, entry = _place(app, entry)
    alone = entry.startswith("./")  # a script by itself: what stands beside it, settings too, is not of its making
    settings = {} if alone else read_settings(folder)
    given = {key: value for key, value in given.items() if value not in (None, "", ())}
    _check(given, "a setting")
    settings.update(given)
    found = _find_entry(folder, entry or settings.pop("entry", ""))
    settings.pop("entry", None)
    values = {**found, **{key: _frozen(value) for key, value in settings.items()}}
    name = values.setdefault("name", found["stem"])
    del values["stem"]
    values.setdefault("version", "0")
    _check_name(name)
    _check_choice("mode", values.get("mode", "onefile"), get_args(Mode))
    _check_choice("profile", values.get("profile", "release"), ("release", "dev"))
    values["requirements"] = _requirements(folder, values.get("requirements"), alone=alone)
    if "icon" in values:
        values["icon"] = folder / values["icon"] if values["icon"] else None
    if values.get("sign"):
        values["sign"] = identity.settings(values["sign"], folder)
    notes = () if alone or values["requirements"] else _unread_dependencies(folder)
    return Project(folder=folder, notes=notes, **values)


def read_settings(folder: Path) -> dict[str, Any]:
    """Return ``[tool.pypack]`` of ``folder/pyproject.toml``, with what ``[project]`` says as defaults.

    These are name, version, description, and the authors' names for the company.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", do="mend the file") from error
    settings = _table(_table(table, "tool", file), "pypack", file)
    _check(settings, f"[tool.pypack] in {file}")
    project = _table(table, "project", file)
    for key in ("name", "version", "description"):
        if isinstance(project.get(key), str):
            settings.setdefault(key, project[key])
    authors = project.get("authors", [])
    names = [each.get("name") for each in authors if isinstance(each, dict)] if isinstance(authors, list) else []
    if company := ", ".join(name for name in names if isinstance(name, str) and name):
        settings.setdefault("company", company)
    return settings


def _check(settings: dict[str, Any], where: str) -> None:
    """Refuse settings of the wrong name or kind, all at once; ``where`` is what the error begins with."""
    faults = [f"{key}: not known{near(key, _KEYS)}" for key in settings if key not in _KEYS]
    faults += [
        f"{key}: must be a {_KEYS[key].__name__}, is {value!r}"
        for key, value in settings.items()
        if key in _KEYS and not isinstance(value, (_KEYS[key], *_ALSO.get(key, ())))
    ]
    faults += [
        f"{key}: must be a list of strings"
        for key in ("targets", "include", "exclude")
        if isinstance(settings.get(key), list | tuple) and not all(isinstance(each, str) for each in settings[key])
    ]
    if isinstance(settings.get("floors"), dict):
        faults += targets.check_floors(settings["floors"])
    if isinstance(settings.get("sign"), dict):
        faults += identity.faults(settings["sign"])
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{where} cannot be used:\n{told}", see=_READ)


def _table(table: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise InputError(f"{key} in {file} must be a table, is {found!r}", do="mend the file", see=_READ)
    return dict(found)


def _unread_dependencies(folder: Path) -> tuple[str, ...]:
    """Warn of dependencies in pyproject.toml: only a requirements file is read so far."""
    file = folder / "pyproject.toml"
    if not file.is_file() or not _table(tomllib.loads(file.read_text(encoding="utf-8")), "project", file).get(
        "dependencies"
    ):
        return ()
    told = f"warning: the dependencies in {file} are not read; name them in a requirements.txt, or with -r FILE"
    return (told,)


def _place(app: Path | None, entry: str) -> tuple[Path, str]:
    """Work out which folder is the program's: ``app``, else the one that ``entry`` points into, else this one."""
    if app is None and entry and (Path(entry).exists() or entry.endswith(".py") or "/" in entry or "\\" in entry):
        path = Path(entry).absolute()
        if not path.exists():
            raise InputError(f"entry {entry} does not exist", do="name a script, a package folder or module:function")
        return (path, "") if path.is_dir() else (path.parent, f"./{path.name}")
    folder = (app or Path.cwd()).absolute()
    if not folder.exists():
        raise InputError(f"{folder} does not exist", do="name the folder of a program, or a script")
    if folder.is_file():
        return folder.parent, f"./{folder.name}"
    return folder, entry


def _find_entry(folder: Path, entry: str) -> dict[str, Any]:
    if entry:
        return _named_entry(folder, entry)
    if (folder / "__main__.py").is_file():
        return _package(folder)
    for root in (folder, folder / "src"):
        packages = [each.parent for each in sorted(root.glob("*/__main__.py"))]
        if len(packages) == 1:
            return {"root": root, "entry": Entry(kind="module", name=packages[0].name), "stem": packages[0].name}
        if packages:
            names = ", ".join(each.name for each in packages)
            raise InputError(
                f"{folder} has several packages that can be started: {names}", do="choose one with --entry"
            )
    if (folder / "__init__.py").is_file():
        raise InputError(f"package {folder} has no __main__.py", do="add one, or name an entry as module:function")
    return _lone_script(folder)


def _lone_script(folder: Path) -> dict[str, Any]:
    preferred = [folder / f"{stem}.py" for stem in (folder.name, "main", "app", "cli")]
    scripts = [path for path in preferred if path.is_file()] or sorted(folder.glob("*.py"))
    scripts = [path for path in scripts if path.name not in {"setup.py", "conftest.py", "noxfile.py"}]
    if len(scripts) != 1 and not any(path in preferred for path in scripts):
        what = "has no entry point" if not scripts else "has several scripts"
        raise InputError(
            f"{folder} {what}: looked for __main__.py, a package with one, {folder.name}.py, main.py, app.py, cli.py",
            do="name it with --entry (or entry=…): a script, a package folder or module:function",
            see=_READ,
        )
    path = scripts[0]
    return {"root": folder, "entry": Entry(kind="script", name=path.name), "stem": path.stem}


def _package(folder: Path) -> dict[str, Any]:
    """A folder with ``__main__.py``: a package when it has ``__init__.py``, else what ``python FOLDER`` runs."""
    if (folder / "__init__.py").is_file():
        name = folder.name
        if not _MODULE.fullmatch(name):
            raise InputError(f"package folder {name!r} is not a module name", do="rename it, or use --entry module")
        return {"root": folder, "under": name, "entry": Entry(kind="module", name=name), "stem": name}
    return {"root": folder, "entry": Entry(kind="script", name="__main__.py"), "stem": folder.name}


def _named_entry(folder: Path, entry: str) -> dict[str, Any]:
    path = folder / entry
    if entry.startswith("./") and path.is_file():
        return {"root": folder, "only": (path.name,), "entry": Entry(kind="script", name=path.name), "stem": path.stem}
    if path.is_file():
        inside = path.relative_to(folder).as_posix()
        return {"root": folder, "entry": Entry(kind="script", name=inside), "stem": path.stem}
    if path.is_dir():
        return _package_folder(path)
    if entry.endswith(".py") or "/" in entry:
        raise InputError(f"entry {entry} does not exist in {folder}", do="name a script, a package or module:function")
    name, _, function = entry.partition(":")
    if not _MODULE.fullmatch(name) or (function and not _MODULE.fullmatch(function)):
        raise InputError(f"entry {entry!r} is neither a path nor module:function", do="write it as pkg.mod:func")
    root = next((root for root in (folder, folder / "src") if _has_module(root, name)), folder)
    kind: EntryKind = "function" if function else "module"
    return {"root": root, "entry": Entry(kind=kind, name=name, function=function), "stem": name.split(".")[0]}


def _package_folder(path: Path) -> dict[str, Any]:
    if not (path / "__main__.py").is_file():
        raise InputError(f"{path} has no __main__.py", do="add one, or name an entry as module:function")
    return _package(path)


def _has_module(root: Path, name: str) -> bool:
    top = name.split(".", maxsplit=1)[0]
    return (root / top).is_dir() or (root / f"{top}.py").is_file()


def _requirements(folder: Path, named: str | Path | None, *, alone: bool) -> Path | None:
    if named is None:
        if alone:
            return None
        default = folder / "requirements.txt"
        return default if default.is_file() else None
    return Path(named) if Path(named).is_absolute() else folder / named


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.split(".", maxsplit=1)[0].lower() in _RESERVED or name.endswith("."):
        raise InputError(
            f"{name!r} cannot be the name of a file on every system", do="choose letters, digits, '.', '_', '+', '-'"
        )


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"unknown {what} {value!r}{near(value, known)}", do=f"choose from: {', '.join(known)}")


def _frozen(value: Any) -> Any:  # noqa: ANN401 - a setting of any kind
    return tuple(value) if isinstance(value, list) else value
