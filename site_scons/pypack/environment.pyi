# Made from the table of settings by "nox -s update_docs".
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol

from pypack.steps.step import Step

Location = str | PathLike[str]

class Node(Protocol):
    """A node of SCons: a file to make."""

    abspath: str
    path: str
    def __getattr__(self, name: str) -> Any: ...

class Environment(Protocol):
    """An environment of SCons after ``tools=[pypack.generate]``."""

    def __getattr__(self, name: str) -> Any: ...
    def PyBundle(
        self,
        name: str = "",
        *,
        app: Location | None = None,
        entry: str = "",
        target: str = "",
        alias: bool = ...,
        version: str = ...,
        targets: Sequence[str] = ...,
        python: str = ...,
        runtime: str = ...,
        pins: Sequence[Mapping[str, object]] = ...,
        mode: Literal["onefile"] = ...,
        profile: Literal["release", "dev"] = ...,
        requirements: Location = ...,
        extras: Sequence[str] = ...,
        groups: Sequence[str] = ...,
        wheels: Sequence[Location] = ...,
        venv: Location = ...,
        no_binary: Sequence[str] = ...,
        no_build: bool = ...,
        floors: Mapping[str, object] = ...,
        package: bool = ...,
        include: Sequence[str] = ...,
        exclude: Sequence[str] = ...,
        exclude_packages: Sequence[str] = ...,
        exclude_tests: bool = ...,
        sources: bool = ...,
        optimize: Literal[0, 1, 2] = ...,
        environment: Literal["isolated", "standard"] = ...,
        startup: Literal["normal", "fast"] = ...,
        launch: Literal["exec", "embed"] = ...,
        self_commands: bool = ...,
        interpreter: bool = ...,
        scripts_on_path: bool = ...,
        console: bool = ...,
        icon: Location = ...,
        description: str = ...,
        company: str = ...,
        copyright: str = ...,
        sign: Mapping[str, object] = ...,
        quiet: Sequence[str] = ...,
        out: Location = ...,
        report: Location = ...,
        sizes: bool = ...,
    ) -> list[Node]:
        """Return the nodes of bundles, one for each target, below ``dist/``; nodes of reports follow them.

        Paths count from the SConscript's folder, ``#`` is the top; those of ``out`` and ``report`` count from the
        top. What is given wins over ``[tool.pypack]`` of the program. docs/settings.md explains each setting.

        name: name of the executable
        app: folder of the program, or a script
        entry: where it begins: a script, a package folder or module:function
        target: a name, several with commas between them, ``all`` or ``host``; by default ``targets``
        alias: write a link for each of several commands beside the executable (default: no)
        version: its version (default: [project].version, else 0)
        targets: what to build for, with commas: names of targets, all, or host (default: host)
        python: version of CPython, e.g. 3.13 (default: what the runtime's provider has)
        runtime: where CPython comes from: auto, pbs, source, embed, host, or a path or address (default: auto)
        pins: file with pins of runtimes of one's own (default: none)
        mode: form of the result (onefile; default: onefile)
        profile: dev packs fast, release packs small (release, dev; default: release)
        requirements: where packages are named: a requirements file, pyproject.toml, uv.lock, pylock.toml,
            setup.py, or a script with inline metadata (default: what the folder says)
        extras: extras of the program itself (default: none)
        groups: dependency groups of the program (default: none)
        wheels: wheels to bring along, with what they need (default: none)
        venv: instead: the packages of a virtual environment, as they are (default: none)
        no_binary: packages that are built from source, whatever wheels there are (default: none)
        no_build: build nothing from source, local projects neither (default: no)
        floors: oldest system to run on, e.g. glibc=2.28; raised, newer wheels fit (default: glibc=2.17,
            musl=1.2, macos=11.0)
        package: bundle what the program's build backend puts into a wheel (default: whether there is a build
            backend)
        include: files that would be left out, or go with a lone script (default: none)
        exclude: files and folders of the program that stay out (default: none)
        exclude_packages: packages, or files of packages, that stay out; stdlib:GLOB for the standard library
            (default: none)
        exclude_tests: leave the tests of packages and of the standard library out (default: no)
        sources: keep .py files, so that tracebacks show lines (default: yes)
        optimize: Python's level: 1 drops assert statements, 2 docstrings too (0, 1, 2; default: 0)
        environment: which of Python's environment variables count (isolated, standard; default: isolated)
        startup: fast holds garbage collection back while importing (normal, fast; default: normal)
        launch: how Python is started: as a program, or as a library (exec, embed; default: the target's own)
        self_commands: look at PYPACK_SELF (default: yes)
        interpreter: look at PYPACK_INTERPRETER (default: yes)
        scripts_on_path: let the program find its packages' commands by PATH (default: no)
        console: open a console (default: yes; no for a command of gui-scripts)
        icon: icon of the executable (default: none)
        description: what its properties say of it (default: [project].description)
        company: whose it is (default: [project].authors)
        copyright: notice of copyright (default: none)
        sign: who signs: tool, identity, p12, password_env, entitlements, timestamp, hardened (default: ad hoc)
        quiet: notes and warnings that are never shown, by their identifiers (default: none)
        out: file to write (default: dist/<target>/<name>)
        report: write there who brought each file, its size, and why
        sizes: show what takes how much room
        """
    def PyRuntime(self, *, target: str = "host", python: str = "", runtime: str = "auto") -> Node:
        """Return the node of a target's runtime image (a tar)."""
    def PyStep(self, step: Step) -> Node:
        """Return the node of any step."""
