"""Where a program begins: found in its folder, or named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pypack.errors import InputError, near

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.packages.manifests import Manifest

_READ = "docs/settings.md"
EntryKind = Literal["module", "script", "function", "scripts"]
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where a program begins.

    ``kind`` module: ``name`` is run as ``python -m`` would; script: ``name`` is a path below ``app/``; function:
    ``function`` of module ``name`` is called, as a console script does; scripts: several commands in one file,
    ``scripts`` holds ``(command, module:function)`` of each. The name under which the bundle is started chooses one,
    else its first argument.
    """

    kind: EntryKind
    name: str
    function: str = ""
    scripts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Found:
    """An entry point, and what follows from where it was found.

    ``root`` is the folder whose content becomes ``app/`` (below ``under``), ``only`` limits it to some paths; ``stem``
    is what the executable is called when nobody gives it a name, ``named``: that is better than the project's name.
    ``window``: it is a program with windows of its own, which opens no console.
    """

    entry: Entry
    root: Path
    stem: str
    under: str = ""
    only: tuple[str, ...] = ()
    named: bool = False
    window: bool = False


def place(app: Path | None, entry: str) -> tuple[Path, str]:
    """Work out which folder is the program's: ``app``, else the one that ``entry`` points into, else this one."""
    if app is None and entry and (Path(entry).exists() or entry.endswith(".py") or "/" in entry or "\\" in entry):
        path = Path(entry).absolute()
        if not path.exists():
            raise InputError(f"entry {entry} does not exist", do="name a script, a package folder or module:function")
        return (path, "") if path.is_dir() else (path.parent, f"./{path.name}")
    folder = (app or Path.cwd()).absolute()
    if not folder.exists():
        raise InputError(f"{folder} does not exist", do="name the folder of a program, or a script")
    if folder.suffix == ".whl":
        return folder, entry
    if folder.is_file():
        return folder.parent, f"./{folder.name}"
    return folder, entry


def find(folder: Path, entry: str, manifest: Manifest | None) -> Found:
    """Return where the program in ``folder`` begins: what ``entry`` names, else by what stands there, in this order:

    the commands of ``[project.scripts]``, ``__main__.py``, the only package with one, a script.
    """
    if folder.suffix == ".whl":
        return _of_wheel(folder, entry, manifest)
    commands = {**manifest.gui_scripts, **manifest.scripts} if manifest else {}
    if entry in commands:
        return _command(folder, entry, commands[entry], window=bool(manifest and entry not in manifest.scripts))
    if entry:
        return _named_entry(folder, entry, commands)
    return _commands(folder, manifest) if commands and manifest else _standing(folder)


def _standing(folder: Path) -> Found:
    """Return what can be started in a folder by what stands in it."""
    if (folder / "__main__.py").is_file():
        return _package(folder)
    for root in (folder, folder / "src"):
        packages = [each.parent for each in sorted(root.glob("*/__main__.py"))]
        if len(packages) == 1:
            return Found(root=root, entry=Entry(kind="module", name=packages[0].name), stem=packages[0].name)
        if packages:
            names = ", ".join(each.name for each in packages)
            raise InputError(
                f"{folder} has several packages that can be started: {names}", do="choose one with --entry"
            )
    if (folder / "__init__.py").is_file():
        raise InputError(f"package {folder} has no __main__.py", do="add one, or name an entry as module:function")
    return _lone_script(folder)


def _of_wheel(wheel: Path, entry: str, manifest: Manifest | None) -> Found:
    """A wheel is the program: its commands, or what ``entry`` names in it."""
    assert manifest is not None  # a wheel has one
    commands = {**manifest.gui_scripts, **manifest.scripts}
    if entry in commands:
        return _command(wheel.parent, entry, commands[entry], window=entry not in manifest.scripts)
    if entry:
        return _named_entry(wheel, entry, commands)
    if not commands:
        raise InputError(
            f"{wheel.name} has no commands", do="name a module or module:function of it with --entry", see=_READ
        )
    return _commands(wheel.parent, manifest)


def _commands(folder: Path, manifest: Manifest) -> Found:
    """Return the commands that ``[project.scripts]`` names, else those of ``[project.gui-scripts]``."""
    commands = manifest.scripts or manifest.gui_scripts
    window = not manifest.scripts
    if len(commands) == 1:
        ((name, point),) = commands.items()
        return _command(folder, name, point, window=window)
    entry = Entry(kind="scripts", name="", scripts=tuple(sorted(commands.items())))
    module = entry.scripts[0][1].split(":", maxsplit=1)[0]
    stem = manifest.name or entry.scripts[0][0]
    return Found(root=_root_of(folder, module), entry=entry, stem=stem, window=window)


def _command(folder: Path, name: str, point: str, *, window: bool) -> Found:
    module, _, function = point.partition(":")
    entry = Entry(kind="function", name=module, function=function)
    return Found(root=_root_of(folder, module), entry=entry, stem=name, named=True, window=window)


def _lone_script(folder: Path) -> Found:
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
    return Found(root=folder, entry=Entry(kind="script", name=path.name), stem=path.stem)


def _package(folder: Path) -> Found:
    """A folder with ``__main__.py``: a package when it has ``__init__.py``, else what ``python FOLDER`` runs."""
    if (folder / "__init__.py").is_file():
        name = folder.name
        if not _MODULE.fullmatch(name):
            raise InputError(f"package folder {name!r} is not a module name", do="rename it, or use --entry module")
        return Found(root=folder, under=name, entry=Entry(kind="module", name=name), stem=name)
    return Found(root=folder, entry=Entry(kind="script", name="__main__.py"), stem=folder.name)


def _named_entry(folder: Path, entry: str, commands: Mapping[str, str]) -> Found:
    path = folder / entry
    if entry.startswith("./") and path.is_file():
        return Found(root=folder, only=(path.name,), entry=Entry(kind="script", name=path.name), stem=path.stem)
    if path.is_file():
        inside = path.relative_to(folder).as_posix()
        return Found(root=folder, entry=Entry(kind="script", name=inside), stem=path.stem)
    if path.is_dir():
        return _package_folder(path)
    if entry.endswith(".py") or "/" in entry:
        raise InputError(f"entry {entry} does not exist in {folder}", do="name a script, a package or module:function")
    name, _, function = entry.partition(":")
    if not _MODULE.fullmatch(name) or (function and not _MODULE.fullmatch(function)):
        raise InputError(f"entry {entry!r} is neither a path nor module:function", do="write it as pkg.mod:func")
    kind: EntryKind = "function" if function else "module"
    root = _root_of(folder, name)
    if commands and not _has_module(root, name):
        hint = near(entry, commands)
        if hint:
            raise InputError(f"entry {entry!r} is neither a command of the project nor a module of it{hint}", see=_READ)
    return Found(root=root, entry=Entry(kind=kind, name=name, function=function), stem=name.split(".")[0])


def _root_of(folder: Path, module: str) -> Path:
    return next((root for root in (folder, folder / "src") if _has_module(root, module)), folder)


def _package_folder(path: Path) -> Found:
    if not (path / "__main__.py").is_file():
        raise InputError(f"{path} has no __main__.py", do="add one, or name an entry as module:function")
    return _package(path)


def _has_module(root: Path, name: str) -> bool:
    top = name.split(".", maxsplit=1)[0]
    return (root / top).is_dir() or (root / f"{top}.py").is_file()
