"""Finds the entry point of a program: the named one, else by the files of its folder."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pypack.deps import manifests
from pypack.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.deps.manifests import Manifest

_READ = "docs/settings.md"
EntryKind = Literal["module", "script", "function", "scripts"]
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "uv.lock", "pylock.toml")
"""Files that make a folder a project: the modules and packages of its scripts belong to them."""
_HELPERS = (
    "setup.py", "conftest.py", "noxfile.py", "toxfile.py", "fabfile.py", "dodo.py", "versioneer.py", "tests.py",
    "test_*.py", "*_test.py",
)  # fmt: skip
"""Scripts for tools and tests: none of them is the program unless it is named."""
_TEST_FOLDERS = ("tests", "test")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The entry point of a program.

    ``kind`` module: ``name`` is run as ``python -m`` would; script: ``name`` is a path below ``app/``; function:
    ``function`` of module ``name`` is called, as a console script does; scripts: several commands in one file,
    ``scripts`` holds ``(command, module:function)`` of each, ``script_files`` ``(command, path)`` of those that are
    files of ``setup(scripts=…)``. The name under which the bundle is started chooses one, else its first argument.
    """

    kind: EntryKind
    name: str
    function: str = ""
    scripts: tuple[tuple[str, str], ...] = ()
    script_files: tuple[tuple[str, str], ...] = ()

    @property
    def commands(self) -> list[str]:
        """Names of the commands, where the program is several."""
        return [name for name, _ in (*self.scripts, *self.script_files)]


@dataclass(frozen=True, kw_only=True)
class FoundEntry:
    """An entry point, and the facts that follow from where it was found.

    ``root`` is the folder whose content becomes ``app/`` (below ``under``), ``only`` limits it to some paths; ``stem``
    is the default name of the executable; ``named``: it takes precedence over the project's name.
    ``window``: a GUI program, which opens no console.
    """

    entry: Entry
    root: Path
    stem: str
    under: str = ""
    only: tuple[str, ...] = ()
    named: bool = False
    window: bool = False

    @property
    def command(self) -> str:
        """Name of the command that is the program, ``""`` where it is none."""
        return self.stem if self.named else ""


def program_folder(app: Path | None, entry: str) -> tuple[Path, str]:
    """Return the program's folder (``app``, else that of ``entry``, else the current one), and the entry in it.

    An entry that begins with ``./`` is a script by itself: the files beside it do not belong to it.
    """
    if app is None and entry and (Path(entry).exists() or entry.endswith(".py") or "/" in entry or "\\" in entry):
        path = Path(entry).absolute()
        if not path.exists():
            raise InputError(
                f"entry {entry} does not exist", hint="name a script, a package folder or module:function", docs=_READ
            )
        if path.is_dir():
            return path, ""
        return path.parent, path.name if _is_in_current_project(path) else f"./{path.name}"
    folder = (app or Path.cwd()).absolute()
    if not folder.exists():
        raise InputError(f"{folder} does not exist", hint="name the folder of a program, or a script", docs=_READ)
    if folder.suffix == ".whl":
        return folder, entry
    if folder.is_file():
        return folder.parent, f"./{folder.name}"
    return folder, _entry_inside(folder, entry)


def _is_in_current_project(script: Path) -> bool:
    """Say whether a script lies in the current folder, and that is a project: no folder then means this one."""
    folder = Path(os.path.normpath(script.parent))
    if folder != Path.cwd() or not any((folder / name).is_file() for name in _PROJECT_FILES):
        return False
    return manifests.script(script) is None


def _entry_inside(folder: Path, entry: str) -> str:
    """Return an entry that is a path as a path in ``folder``; it may be absolute, or count from the current folder."""
    is_path = entry.endswith(".py") or "/" in entry or "\\" in entry
    candidates = [folder / entry, *([Path(entry).absolute()] if is_path else [])]
    path = next((path for path in candidates if entry and path.exists()), None)
    if path is None:
        return entry
    inside = os.path.relpath(path, folder)
    if inside.startswith(os.pardir):
        inside = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    if inside.startswith(os.pardir):
        raise InputError(
            f"entry {entry} is not in {folder}",
            hint=f"name the folder that holds it all, or the script alone: pypack build {entry}",
            docs=_READ,
        )
    return Path(inside).as_posix()


def find(folder: Path, entry: str, manifest: Manifest | None) -> FoundEntry:
    """Return the entry point of the program in ``folder``: ``entry``, else the first of these that exists:

    the commands of ``[project.scripts]``, the script of ``setup(scripts=…)``, ``__main__.py``, the only package with
    one, a script.
    """
    if folder.suffix == ".whl":
        return _find_in_wheel(folder, entry, manifest)
    commands = {**manifest.gui_scripts, **manifest.scripts} if manifest else {}
    if entry in commands:
        return _command_entry(folder, entry, commands[entry], window=bool(manifest and entry not in manifest.scripts))
    scripts = _script_files(folder, manifest) if manifest else {}
    if entry:
        return _script_entry(folder, scripts[entry]) if entry in scripts else _named_entry(folder, entry, commands)
    if commands and manifest:
        return _multi_command_entry(folder, manifest)
    return _find_script_file(folder, manifest, scripts) if scripts and manifest else _find_in_folder(folder)


def _script_files(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Return the files of ``setup(scripts=…)`` that are Python, by the names of the commands that they are."""
    scripts = {Path(name).name: Path(name).as_posix() for name in manifest.script_files if (folder / name).is_file()}
    return {name: path for name, path in scripts.items() if _is_python(folder / path)}


def _is_python(script: Path) -> bool:
    with script.open("rb") as stream:
        first = stream.readline(1024)
    return b"python" in first if first.startswith(b"#!") else script.suffix == ".py"


def _find_script_file(folder: Path, manifest: Manifest, scripts: Mapping[str, str]) -> FoundEntry:
    """Return a project's scripts: the only one, or several commands."""
    if len(scripts) == 1:
        return _script_entry(folder, *scripts.values())
    entry = Entry(kind="scripts", name="", script_files=tuple(sorted(scripts.items())))
    return FoundEntry(root=folder, entry=entry, stem=manifest.name or entry.commands[0])


def _script_entry(folder: Path, inside: str) -> FoundEntry:
    path = Path(inside)
    return FoundEntry(root=folder, entry=Entry(kind="script", name=inside), stem=path.stem, named=True)


def _find_in_folder(folder: Path) -> FoundEntry:
    """Return the entry point that the files of a folder imply."""
    if (folder / "__main__.py").is_file():
        return _package_entry(folder)
    for root in (folder, folder / "src"):
        mains = [main_file.parent for main_file in sorted(root.glob("*/__main__.py"))]
        packages = [package for package in mains if package.name not in _TEST_FOLDERS]
        if len(packages) == 1:
            return FoundEntry(root=root, entry=Entry(kind="module", name=packages[0].name), stem=packages[0].name)
        if packages:
            names = ", ".join(main_file.name for main_file in packages)
            raise InputError(
                f"{folder} has several packages that can be started: {names}",
                hint="choose one with --entry",
                docs=_READ,
            )
    if (folder / "__init__.py").is_file():
        raise InputError(
            f"package {folder} has no __main__.py", hint="add one, or name an entry as module:function", docs=_READ
        )
    return _find_script(folder)


def _find_in_wheel(wheel: Path, entry: str, manifest: Manifest | None) -> FoundEntry:
    """Return the entry point of a wheel: ``entry``, else its commands."""
    assert manifest is not None  # a wheel has one
    commands = {**manifest.gui_scripts, **manifest.scripts}
    if entry in commands:
        return _command_entry(wheel.parent, entry, commands[entry], window=entry not in manifest.scripts)
    if entry:
        return _named_entry(wheel, entry, commands)
    if not commands:
        raise InputError(
            f"{wheel.name} has no commands", hint="name a module or module:function of it with --entry", docs=_READ
        )
    return _multi_command_entry(wheel.parent, manifest)


def _multi_command_entry(folder: Path, manifest: Manifest) -> FoundEntry:
    """Return the commands that ``[project.scripts]`` and ``[project.gui-scripts]`` name."""
    commands = {**manifest.gui_scripts, **manifest.scripts}
    window = not manifest.scripts
    if len(commands) == 1:
        ((name, point),) = commands.items()
        return _command_entry(folder, name, point, window=window)
    entry = Entry(kind="scripts", name="", scripts=tuple(sorted(commands.items())))
    module = entry.scripts[0][1].split(":", maxsplit=1)[0]
    stem = manifest.name or entry.scripts[0][0]
    return FoundEntry(root=_import_root(folder, module), entry=entry, stem=stem, window=window)


def _command_entry(folder: Path, name: str, point: str, *, window: bool) -> FoundEntry:
    module, _, function = point.partition(":")
    entry = Entry(kind="function", name=module, function=function)
    return FoundEntry(root=_import_root(folder, module), entry=entry, stem=name, named=True, window=window)


def _find_script(folder: Path) -> FoundEntry:
    preferred = [folder / f"{stem}.py" for stem in (folder.name, "main", "app", "cli")]
    every = [path for path in preferred if path.is_file()] or sorted(folder.glob("*.py"))
    scripts = [path for path in every if not _is_helper(path.name)]
    if len(scripts) != 1 and not any(path in preferred for path in scripts):
        what = "has no entry point" if not scripts else "has several scripts"
        apart = f" ({', '.join(path.name for path in every)}: for tests and tools)" if every and not scripts else ""
        raise InputError(
            f"{folder} {what}: looked for __main__.py, a package with one, {folder.name}.py, main.py, app.py,"
            f" cli.py{apart}",
            hint="name it with --entry (or entry=…): a script, a package folder or module:function",
            docs=_READ,
        )
    path = scripts[0]
    return FoundEntry(root=folder, entry=Entry(kind="script", name=path.name), stem=path.stem)


def is_for_tests(name: str) -> bool:
    """Say whether a file or folder of this name holds tests, or a script for tools."""
    return name in _TEST_FOLDERS or _is_helper(name)


def _is_helper(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _HELPERS)


def _package_entry(folder: Path) -> FoundEntry:
    """Return the entry of a folder with ``__main__.py``: a package with ``__init__.py``, else as ``python FOLDER``."""
    if (folder / "__init__.py").is_file():
        name = folder.name
        if not _MODULE.fullmatch(name):
            raise InputError(
                f"package folder {name!r} is not a module name", hint="rename it, or use --entry module", docs=_READ
            )
        return FoundEntry(root=folder, under=name, entry=Entry(kind="module", name=name), stem=name)
    return FoundEntry(root=folder, entry=Entry(kind="script", name="__main__.py"), stem=folder.name)


def _named_entry(folder: Path, entry: str, commands: Mapping[str, str]) -> FoundEntry:
    path = folder / entry
    if entry.startswith("./") and path.is_file():
        return FoundEntry(root=folder, only=(path.name,), entry=Entry(kind="script", name=path.name), stem=path.stem)
    if path.is_file():
        inside = path.relative_to(folder).as_posix()
        return FoundEntry(root=folder, entry=Entry(kind="script", name=inside), stem=path.stem)
    if path.is_dir():
        return _require_package(path)
    if entry.endswith(".py") or "/" in entry:
        raise InputError(
            f"entry {entry} does not exist in {folder}", hint="name a script, a package or module:function", docs=_READ
        )
    name, _, function = entry.partition(":")
    if not _MODULE.fullmatch(name) or (function and not _MODULE.fullmatch(function)):
        raise InputError(
            f"entry {entry!r} is neither a path nor module:function", hint="write it as pkg.mod:func", docs=_READ
        )
    kind: EntryKind = "function" if function else "module"
    root = _import_root(folder, name)
    if commands and not _has_module(root, name):
        hint = did_you_mean(entry, commands)
        if hint:
            raise InputError(
                f"entry {entry!r} is neither a command of the project nor a module of it{hint}",
                hint="name a command of [project.scripts], a module or a file",
                docs=_READ,
            )
    return FoundEntry(root=root, entry=Entry(kind=kind, name=name, function=function), stem=name.split(".")[0])


def _import_root(folder: Path, module: str) -> Path:
    return next((root for root in (folder, folder / "src") if _has_module(root, module)), folder)


def _require_package(path: Path) -> FoundEntry:
    if not (path / "__main__.py").is_file():
        raise InputError(f"{path} has no __main__.py", hint="add one, or name an entry as module:function", docs=_READ)
    return _package_entry(path)


def _has_module(root: Path, name: str) -> bool:
    top = name.split(".", maxsplit=1)[0]
    return (root / top).is_dir() or (root / f"{top}.py").is_file()
