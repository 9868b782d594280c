"""The two sides of the comparison: the bundle and a virtual environment, each a way to start the program's commands."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from tests.applications import processes

if TYPE_CHECKING:
    from tests.applications.processes import Ended
    from tests.applications.table import Application

BUILD_SECONDS = 900
_UNWANTED = ("PYTHON", "PYPACK_", "VIRTUAL_ENV", "UV_", "PIP_", "XDG_")


@dataclass(frozen=True, kw_only=True)
class Side:
    """``starts`` has, for each command, the words that start it; ``paths`` are replaced in what it prints.

    ``python`` are the words that start its Python, and ``env`` is what the program finds in its environment.
    """

    name: str
    starts: dict[str, tuple[str, ...]]
    python: tuple[str, ...]
    python_env: dict[str, str]
    env: dict[str, str]
    paths: tuple[tuple[str, str], ...]


def python() -> str:
    """Return the interpreter that both sides use: the one below this virtual environment."""
    return str(Path(sysconfig.get_config_var("BINDIR")) / f"python3.{sys.version_info.minor}")


def environment(room: Path, **more: str) -> dict[str, str]:
    """Return what a program finds around it: a home and a terminal of one's own, nothing of this session's Python."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_UNWANTED)}
    own = str(Path(sys.executable).parent)
    kept["PATH"] = os.pathsep.join(path for path in kept["PATH"].split(os.pathsep) if path != own)
    return {**kept, "HOME": str(room / "work" / "home"), "COLUMNS": "160", "NO_PROXY": "*", **more}


def make_venv(application: Application, source: Path, room: Path) -> tuple[Ended, Side]:
    """Install what is at ``source`` (a tree or a wheel) in a new virtual environment, as a person does.

    The tree is copied: some backends leave files of the build in it, which the bundle's build shall not meet.
    """
    venv = room / "venv"
    if source.is_dir():
        source = Path(shutil.copytree(source, room / "installed" / source.name, symlinks=True))
    uv_bin = uv.find_uv_bin()
    command: list[str | Path] = [uv_bin, "venv", "-q", "--clear", "--python", python(), venv]
    done = processes.run(command, cwd=room, env=os.environ, limit=BUILD_SECONDS)
    if done.code == 0:
        env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(venv)}
        command = [uv_bin, *_install(application, source, venv)]
        installed = processes.run(command, cwd=room, env=env, limit=BUILD_SECONDS)
        done = replace(installed, seconds=done.seconds + installed.seconds)
    folder = venv / ("Scripts" if os.name == "nt" else "bin")
    starts = {name: (str(folder / name),) for name in application.commands}
    if application.script:
        starts = {application.script: (str(folder / "python"), str(source / application.script))}
    side = Side(
        name="venv", starts=starts, env=environment(room), python=(str(folder / "python"),), python_env={},
        paths=((str(venv), "{venv}"), (str(source), "{source}"), (sys.base_prefix, "{python}")),
    )  # fmt: skip
    return done, side


def _install(application: Application, source: Path, venv: Path) -> list[str | Path]:
    """Return the words for uv: where there is a uv.lock, both sides take the versions that it names."""
    if (source / "uv.lock").exists():
        extras = [word for extra in application.extras for word in ("--extra", extra)]
        return [
            "sync",
            "-q",
            "--project",
            source,
            "--frozen",
            "--no-dev",
            "--no-editable",
            "--compile-bytecode",
            *extras,
        ]
    extra = f"[{','.join(application.extras)}]" if application.extras else ""
    what = ["-r", source / "requirements.txt"] if application.script else [f"{source}{extra}"]
    return ["pip", "install", "-q", "--python", venv, "--compile-bytecode", *what]


def build(application: Application, source: Path, room: Path, cache: Path) -> Ended:
    """Run ``pypack build`` in the tree (for a wheel: beside it)."""
    words = [sys.executable, "-m", "pypack", "build"]
    words += [str(source) if application.is_wheel else ".", "--runtime", "host", "--output", str(bundle(room))]
    words += [word for extra in application.extras for word in ("--extra", extra)]
    env = {**os.environ, "PYPACK_CACHE_DIR": str(cache)}
    cwd = room if application.is_wheel else source
    return processes.run([*words, *application.build], cwd=cwd, env=env, limit=BUILD_SECONDS)


def bundle(room: Path) -> Path:
    """Return the path of the bundle in the folder of an application."""
    return room / "bundle" / "program"


def of_bundle(application: Application, room: Path) -> Side:
    """Return the bundle's side: a link for each command, as docs/settings.md says, and a cache of its own."""
    file, cache = bundle(room), room / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    starts = {}
    for name in application.commands:
        link = file.with_name(name)
        link.unlink(missing_ok=True)
        link.symlink_to(file.name)
        starts[name] = (str(link),)
    env = environment(room, PYPACK_CACHE_DIR=str(cache))
    return Side(
        name="bundle", starts=starts, env=env, python=(str(file),), python_env={"PYPACK_INTERPRETER": "1"},
        paths=((str(cache), "{cache}"), (str(file.parent), "{bin}"), (sys.base_prefix, "{python}")),
    )  # fmt: skip
