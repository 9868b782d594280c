"""Every setting of a program, and every option of a build, declared once as a field.

The options of ``pypack`` and the variables of ``scons`` (:mod:`pypack.project.options`), the check of ``[tool.pypack]``
(:mod:`pypack.project.tool_table`), the table in docs/settings.md and the schema for editors
(:mod:`pypack.project.settings_docs`) are made from these fields; a :class:`pypack.project.program.Project` has those
of :class:`Settings`.
"""
# Without "from __future__ import annotations": the types of fields are read while the program runs.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pypack.base import notes
from pypack.base.declare import EVERYWHERE, Glob, Location, Setting, declared
from pypack.base.targets import FLOOR, FLOORS, check_floors
from pypack.bundle import identity
from pypack.download.pins import Row
from pypack.formats import selection


def _resolve_runtime(value: object, resolve: Callable[[str], Path]) -> object:
    """Make the path of a runtime absolute; addresses and providers' names are returned as they are."""
    from pypack.download import urls
    from pypack.runtimes import choose

    if (
        not isinstance(value, str)
        or value in {choose.AUTO, "", *choose.providers()}
        or not choose.is_path_or_url(value)
    ):
        return value
    is_plain = urls.kind(value) == "local" and not value.lower().startswith(("file:", "~"))
    return str(resolve(value)) if is_plain else value


# fmt: off
_program = partial(Setting, group="The program")
_packages = partial(Setting, group="Packages", lock=True)
_content = partial(Setting, group="What goes in")
_start = partial(Setting, group="How it starts", docs="launcher.md")
_windows = partial(Setting, group="Windows", docs="windows.md")
_macos = partial(Setting, group="macOS", docs="macos.md")
_shown = partial(Setting, group="What is shown")


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Settings that locate a program's parts; :class:`pypack.project.program.Project` has the located parts instead."""

    entry: Annotated[str, _program(
        lock=True, metavar="PATH|MODULE[:FUNC]", default="what stands in the folder",
        help="where it begins: a script, a package folder or module:function",
    )] = ""
    requirements: Annotated[Path | None, _packages(
        metavar="FILE", short="r", docs="dependencies.md", default="what the folder says",
        help="where packages are named: a requirements file, pyproject.toml, uv.lock, pylock.toml, setup.py, "
             "or a script with inline metadata",
    )] = None
    extras: Annotated[tuple[str, ...], _packages(
        metavar="NAME", option="extra", help="extras of the program itself",
    )] = ()
    groups: Annotated[tuple[str, ...], _packages(
        metavar="NAME", option="group", help="dependency groups of the program",
    )] = ()
    wheels: Annotated[tuple[Path, ...], _packages(
        metavar="FILE", option="wheel", help="wheels to bring along, with what they need",
    )] = ()
    venv: Annotated[Path | None, _packages(
        metavar="DIR", help="instead: the packages of a virtual environment, as they are",
    )] = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that a project has as they were given, or as its files and the defaults have them."""

    name: Annotated[str, _program(
        metavar="NAME", default="[project].name, else the entry's name", help="name of the executable",
    )] = ""
    alias: Annotated[bool, _program(
        help="write a link for each of several commands beside the executable",
    )] = False
    version: Annotated[str, _program(metavar="V", default="[project].version, else 0", help="its version")] = ""
    targets: Annotated[tuple[str, ...], _program(
        metavar="T", option="target", variable="target", lock=True,
        help="what to build for, with commas: names of targets, all, or host",
    )] = ("host",)
    python: Annotated[str, _program(
        metavar="V", lock=True, default="what the runtime's provider has", help="version of CPython, e.g. 3.13",
    )] = ""
    runtime: Annotated[str, _program(
        metavar="R", lock=True, docs="pins.md", root=_resolve_runtime,
        help="where CPython comes from: auto, pbs, source, embed, host, or a path or address",
    )] = "auto"
    pins: Annotated[tuple[Mapping[str, Any], ...], _program(
        metavar="FILE", lock=True, docs="pins.md", record=Row, help="file with pins of runtimes of one's own",
    )] = ()
    mode: Annotated[Literal["onefile"], _program(help="form of the result")] = "onefile"
    profile: Annotated[Literal["release", "dev"], _program(help="dev packs fast, release packs small")] = "release"

    no_binary: Annotated[tuple[str, ...], _packages(
        metavar="NAME", docs="dependencies.md", help="packages that are built from source, whatever wheels there are",
    )] = ()
    no_build: Annotated[bool, _packages(help="build nothing from source, local projects neither")] = False
    floors: Annotated[Mapping[str, str], _packages(
        metavar="NAME=VERSION", option="floor", docs="dependencies.md", default="glibc=2.17, musl=1.2, macos=11.0",
        check=check_floors, keys=FLOORS, pattern=FLOOR,
        help="oldest system to run on, e.g. glibc=2.28; raised, newer wheels fit",
    )] = field(default_factory=dict)

    package: Annotated[bool, _content(
        default="whether there is a build backend", help="bundle what the program's build backend puts into a wheel",
    )] = False
    include: Annotated[tuple[Glob, ...], _content(
        metavar="GLOB", help="files that would be left out, or go with a lone script",
    )] = ()
    exclude: Annotated[tuple[Glob, ...], _content(
        metavar="GLOB", help="files and folders of the program that stay out",
    )] = ()
    exclude_packages: Annotated[tuple[str, ...], _content(
        metavar="NAME[:GLOB]", docs="dependencies.md", check=selection.faults,
        help="packages, or files of packages, that stay out; stdlib:GLOB for the standard library",
    )] = ()
    exclude_tests: Annotated[bool, _content(
        help="leave the tests of packages and of the standard library out",
    )] = False
    sources: Annotated[bool, _content(help="keep .py files, so that tracebacks show lines")] = True
    optimize: Annotated[Literal[0, 1, 2], _content(
        metavar="N", help="Python's level: 1 drops assert statements, 2 docstrings too",
    )] = 0

    environment: Annotated[Literal["isolated", "standard"], _start(
        help="which of Python's environment variables count",
    )] = "isolated"
    startup: Annotated[Literal["normal", "fast"], _start(
        docs="performance.md", help="fast holds garbage collection back while importing",
    )] = "normal"
    launch: Annotated[Literal["", "exec", "embed"], _start(
        default="the target's own", help="how Python is started: as a program, or as a library",
    )] = ""
    self_commands: Annotated[bool, _start(help="look at PYPACK_SELF")] = True
    interpreter: Annotated[bool, _start(help="look at PYPACK_INTERPRETER")] = True
    scripts_on_path: Annotated[bool, _start(help="let the program find its packages' commands by PATH")] = False

    console: Annotated[bool, _windows(default="yes; no for a command of gui-scripts", help="open a console")] = True
    icon: Annotated[Path | None, _windows(metavar="FILE", help="icon of the executable")] = None
    description: Annotated[str, _windows(
        metavar="TEXT", default="[project].description", help="what its properties say of it",
    )] = ""
    company: Annotated[str, _windows(metavar="TEXT", default="[project].authors", help="whose it is")] = ""
    copyright: Annotated[str, _windows(metavar="TEXT", help="notice of copyright")] = ""

    quiet: Annotated[tuple[str, ...], _shown(
        metavar="ID", option="silence", docs="build-output.md", check=notes.faults, lock=True,
        help="notes and warnings that are never shown, by their identifiers",
    )] = ()

    sign: Annotated[identity.Sign | None, _macos(
        metavar="KEY=VALUE", default="ad hoc", check=identity.faults,
        help=f"who signs: {', '.join(declared(identity.Sign))}",
    )] = None


_ONCE: frozenset[Location] = frozenset({"build", "scons"})
"""Options of a single build, which no file may set."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Options of a single build. Paths are absolute; ``app`` None: the current folder."""

    app: Annotated[Path | None, Setting(
        option="DIR", where=EVERYWHERE - {"toml"} | {"lock"}, default="this folder",
        help="folder of the program, or a script",
    )] = None
    offline: Annotated[bool, Setting(where=_ONCE | {"lock"}, help="use only what was fetched before")] = False
    verbose: Annotated[int, Setting(
        where=_ONCE | {"lock"}, short="v", counted=True, help="show each step and why it runs; twice: commands too",
    )] = 0
    errors_only: Annotated[bool, Setting(
        where=frozenset({"build", "lock"}), short="q", option="quiet", help="show errors only",
    )] = False
    json: Annotated[bool, Setting(
        where=frozenset({"build", "lock"}), help="print JSON: each event of a build as a line, or a plan",
    )] = False
    out: Annotated[Path | None, Setting(
        where=_ONCE | {"bundle"}, short="o", option="output", metavar="OUT", default="dist/<target>/<name>",
        help="file to write",
    )] = None
    report: Annotated[Path | None, Setting(
        where=_ONCE | {"bundle"}, metavar="FILE", help="write there who brought each file, its size, and why",
    )] = None
    sizes: Annotated[bool, Setting(where=_ONCE | {"bundle"}, help="show what takes how much room")] = False
    upgrade: Annotated[bool, Setting(
        where=_ONCE, help="resolve the requirements and choose the runtime anew (with a pylock.toml: pypack lock)",
    )] = False
    jobs: Annotated[int, Setting(
        where=frozenset({"build"}), short="j", metavar="N", default="one for each core", help="steps at the same time",
    )] = 0
    cache: Annotated[Path | None, Setting(
        where=frozenset({"scons"}), default="the user's cache folder", help="folder for SCons' CacheDir",
    )] = None


_LOCK: frozenset[Location] = frozenset({"lock"})


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """Further options of ``pypack lock``."""

    check: Annotated[bool, Setting(where=_LOCK, help="only say whether the lock that is there serves")] = False
    upgrade: Annotated[bool, Setting(
        where=_LOCK, help="take the newest packages and choose the runtimes anew",
    )] = False
    upgrade_package: Annotated[tuple[str, ...], Setting(
        where=_LOCK, metavar="NAME", help="take the newest of this package",
    )] = ()
# fmt: on

_GROUPS = ("The program", "Packages", "What goes in", "How it starts", "Windows", "macOS", "What is shown")
_ALL = (*declared(Lookup).values(), *declared(Settings).values())

TABLE: dict[str, Setting] = {setting.name: setting for group in _GROUPS for setting in _ALL if setting.group == group}
"""Every setting of a program by its name, in the order of the help."""
