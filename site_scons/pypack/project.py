"""The program that is to be bundled: its folder, its entry point, its packages, its settings."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from pypack import entries, folders, settings
from pypack.errors import InputError, near
from pypack.packages import inputs, manifests

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.entries import Entry
    from pypack.macho import identity
    from pypack.packages.inputs import Dependencies
    from pypack.packages.manifests import Manifest

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}

Mode = Literal["onefile"]
Startup = Literal["normal", "fast"]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A program and how it wants to be bundled.

    ``root`` is the folder whose content becomes ``app/`` (below ``under``); ``only`` limits it to some paths, and a
    ``bare`` program brings no files of its own, because it is one of its packages. With ``package`` the program is a
    distribution, and what its build backend puts into a wheel becomes ``app/``. Relative paths of the settings count
    from ``folder``. ``manifest`` is what the program says of itself, ``dependencies`` where its packages are named.
    ``outputs`` are files and folders that builds write: they are never part of the app. ``notes`` is what the person
    who builds should know. ``console``, ``icon`` (a path), ``company``, ``description`` and ``copyright`` are for
    Windows: ``console`` False makes a program that opens no console. ``sign`` is who signs on macOS, None for nobody
    (ad hoc). ``no_binary`` are packages that are built from source though there are wheels; with ``no_build`` nothing
    is. ``exclude_packages`` holds what :mod:`pypack.packages.selection` reads, ``optimize`` is Python's level, 0 to 2.
    ``self_commands`` and ``interpreter`` False: the finished program does not look at PYPACK_SELF, at
    PYPACK_INTERPRETER. ``scripts_on_path``: it finds its packages' commands by PATH. ``launch`` is how Python is
    started, ``""`` for the target's own way.
    """

    name: str
    version: str
    root: Path
    folder: Path
    entry: Entry
    under: str = ""
    bare: bool = False
    package: bool = False
    only: tuple[str, ...] = ()
    manifest: Manifest | None = None
    dependencies: Dependencies | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    python: str = ""
    runtime: str = "auto"
    targets: tuple[str, ...] = ("host",)
    exclude_packages: tuple[str, ...] = ()
    exclude_tests: bool = False
    sources: bool = True
    optimize: int = 0
    profile: str = "release"
    mode: str = "onefile"
    startup: str = "normal"
    launch: str = ""
    self_commands: bool = True
    interpreter: bool = True
    scripts_on_path: bool = False
    floors: dict[str, str] = field(default_factory=dict)
    no_binary: tuple[str, ...] = ()
    no_build: bool = False
    console: bool = True
    icon: Path | None = None
    company: str = ""
    description: str = ""
    copyright: str = ""
    sign: identity.Sign | None = None
    pins: tuple[dict[str, Any], ...] = ()
    outputs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def load(
    app: Path | None = None, *, entry: str = "", renew: bool = False,
    **given: Any,  # noqa: ANN401 - any setting
) -> Project:  # fmt: skip
    """Read a program's settings and find its entry point and its packages.

    ``app`` is its folder (or a single script); ``entry`` names a script, a package folder, a ``module``, a
    ``module:function`` or a command of ``[project.scripts]``. ``renew``: its lock is to be made anew, so that it is no
    input. ``given`` holds settings that win over the file's ``[tool.pypack]``; empty ones do not count.
    """
    folder, entry = entries.place(app, entry)
    wheel = folder if folder.suffix == ".whl" else None
    # a script by itself, a wheel: what stands beside it, settings too, is not of its making
    alone = wheel is not None or entry.startswith("./")
    values = {} if alone else settings.read(folder)
    given = {key: value for key, value in given.items() if value not in (None, "", (), [])}
    settings.check(given, "a setting")
    values = {key: _frozen(value) for key, value in {**values, **given}.items()}
    manifest = manifests.wheel(wheel) if wheel else None if alone else _manifest(folder)
    found = entries.find(folder, entry or values.get("entry", ""), manifest)
    values.pop("entry", None)
    if wheel:
        folder, values["wheels"] = wheel.parent, (str(wheel), *values.get("wheels", ()))
    dependencies, notes = _dependencies(folder, values, manifest, found, alone=alone, renew=renew)
    _settle(values, folder, found, manifest, dependencies)
    return Project(
        folder=folder, notes=notes, manifest=manifest, entry=found.entry, root=found.root, under=found.under,
        only=found.only, bare=wheel is not None, dependencies=dependencies, **values,
    )  # fmt: skip


def _settle(
    values: dict[str, Any],
    folder: Path,
    found: entries.Found,
    manifest: Manifest | None,
    dependencies: Dependencies | None,
) -> None:
    """Check settings that hold one of a few words, and add those that follow from what was found."""
    _name(values, found, manifest)
    values.setdefault("package", manifest is not None and manifest.built and not found.under)
    _check_choice("mode", values.get("mode", "onefile"), get_args(Mode))
    _check_choice("launch", values.get("launch") or "exec", ("exec", "embed"))
    _check_choice("profile", values.get("profile", "release"), ("release", "dev"))
    _check_choice("startup", values.get("startup", "normal"), get_args(Startup))
    if dependencies and dependencies.kind == "venv":  # what is installed is of its minor version
        from pypack.packages import venv

        values.setdefault("python", ".".join(venv.version(dependencies.file).split(".")[:2]))
    if found.window:
        values.setdefault("console", False)
    if "icon" in values:
        values["icon"] = folder / values["icon"] if values["icon"] else None
    if values.get("sign"):
        from pypack.macho import identity

        values["sign"] = identity.settings(values["sign"], folder)


def _name(values: dict[str, Any], found: entries.Found, manifest: Manifest | None) -> None:
    """Settle name, version and description: as set, else what the program says of itself."""
    told = manifest.name if manifest else ""
    values["name"] = values.get("name") or (found.stem if found.named or not told else told)
    values["version"] = values.get("version") or (manifest.version if manifest else "") or "0"
    values.setdefault("description", manifest.description if manifest else "")
    if not _NAME.fullmatch(values["name"]) or values["name"].endswith(".") or _reserved(values["name"]):
        raise InputError(
            f"{values['name']!r} cannot be the name of a file on every system",
            do="choose letters, digits, '.', '_', '+', '-'",
        )


def _reserved(name: str) -> bool:
    return name.split(".", maxsplit=1)[0].lower() in _RESERVED


def _manifest(folder: Path) -> Manifest | None:
    """Read what the program says of itself: pyproject.toml where it has a ``[project]``, else setup.py or setup.cfg."""
    file = folder / "pyproject.toml"
    found = manifests.pyproject(file) if file.is_file() else None
    if found and (found.name or found.states_dependencies):
        return found
    if (folder / "setup.py").is_file() or (folder / "setup.cfg").is_file():
        place = hashlib.sha256(str(folder).encode()).hexdigest()[:32]
        return manifests.setup(folder, folders.build_cache() / "setup" / f"{place}.json")
    return found


def _dependencies(
    folder: Path, values: dict[str, Any], manifest: Manifest | None, found: entries.Found, *, alone: bool, renew: bool
) -> tuple[Dependencies | None, tuple[str, ...]]:
    """Take out of ``values`` what names packages, and return what it means."""
    named, venv = values.pop("requirements", None), values.pop("venv", None)
    script = found.root / found.entry.name if found.entry.kind == "script" else None
    return inputs.find(
        folder,
        named=folder / named if named else None,
        manifest=manifest,
        script=script,
        alone=alone,
        extras=values.pop("extras", ()),
        groups=values.pop("groups", ()),
        venv=folder / venv if venv else None,
        wheels=_wheels(folder, values.pop("wheels", ())),
        renew=renew,
    )


def _wheels(folder: Path, patterns: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files that ``patterns`` (paths, globs) name, each once; one that names none is an error."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        whole = folder / pattern
        matching = sorted(whole.parent.glob(whole.name)) or ([whole] if whole.is_file() else [])
        if not matching:
            raise InputError(f"there is no wheel {whole}", do="check the path", see="docs/dependencies.md")
        found.update(dict.fromkeys(matching))
    wrong = [path.name for path in found if path.suffix != ".whl"]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: not a wheel", do="name files that end in .whl")
    return tuple(found)


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"unknown {what} {value!r}{near(value, known)}", do=f"choose from: {', '.join(known)}")


def _frozen(value: Any) -> Any:  # noqa: ANN401 - a setting of any kind
    return tuple(value) if isinstance(value, list) else value
