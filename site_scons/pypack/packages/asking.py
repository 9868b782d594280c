"""Ask uv: for a lock of what a program names, and for anything else that it says on its standard output."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import InputError, PypackError, StepError
from pypack.packages import hashes, manifests, requirements
from pypack.packages.building import backend, need
from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pypack.packages.inputs import Dependencies
    from pypack.pipeline import Settings

_READ = "docs/dependencies.md"


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How uv is asked. ``environment`` is set besides this process's own, ``before`` is called before each run.

    ``no_binary`` are packages that are taken from source, without ``build`` no others are.
    """

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)
    no_binary: tuple[str, ...] = ()
    build: bool = True
    before: Callable[[], object] = lambda: None


def compiled(dependencies: Dependencies, what: str, words: Iterable[str], how: Asking) -> str:
    """Return uv's lock of what ``dependencies`` ask for; wheels are preferred.

    ``words`` tell uv for which systems and Python; ``what`` goes on from the name of the file when uv fails.
    """
    what = f"{dependencies.file} {what}"
    given = [_wheel_line(path) for path in dependencies.wheels]
    if dependencies.kind != "backend":
        lines = [*(dependencies.asked if dependencies.kind == "setup" else ()), *given]
        return _resolved(dependencies, what, lines, words, how)
    # the program's build backend makes a wheel, whose metadata tells what the program needs
    assert dependencies.manifest is not None  # that it has a backend is known from it
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        build = ["build", "--wheel", "--out-dir", folder, "--python", sys.executable]
        ask(build, dependencies, f"{dependencies.file} cannot be built by its backend", how)
        (wheel,) = Path(folder).glob("*.whl")
        extras = f"[{','.join(dependencies.extras)}]" if dependencies.extras else ""
        lines = [_wheel_line(wheel, extras), *given]
        for group in dependencies.groups:
            lines += dependencies.manifest.groups[manifests.normal(group)]
        return _resolved(dependencies, what, lines, [*words, "--no-emit-package", dependencies.manifest.name], how)


def _resolved(dependencies: Dependencies, what: str, lines: list[str], words: Iterable[str], how: Asking) -> str:
    """Resolve what a file and ``lines`` ask for."""
    kind = dependencies.kind
    own = [] if kind in {"setup", "backend", "wheels"} else [dependencies.file.name]
    command = [
        "pip", "compile", *own, *(["-"] if lines or not own else []), "--format", "pylock.toml", "--no-header",
        "--no-annotate", "--python", sys.executable, *(chosen(dependencies) if kind == "pyproject" else ()), *words,
    ]  # fmt: skip
    text = need.prefer_wheels(
        lambda more: ask([*command, *more], dependencies, what, how, lines), forced=how.no_binary, build=how.build
    )
    return hashes.held_to(
        text, dependencies.file, requirements.lines(dependencies.file) if kind == "requirements" else ()
    )


def chosen(dependencies: Dependencies) -> list[str]:
    """Return uv's words for the extras and groups that were chosen."""
    extras = [word for name in dependencies.extras for word in ("--extra", name)]
    return extras + [word for name in dependencies.groups for word in ("--group", name)]


def ask(words: Iterable[str], dependencies: Dependencies, what: str, how: Asking, lines: Iterable[str] = ()) -> str:
    """Run uv in the folder of the input and return what it prints; what it warns of is passed on.

    ``what`` begins the error, ``lines`` are for its standard input.
    """
    import uv

    # the interpreter that runs the build serves for metadata; uv would fetch another one
    command = [uv.find_uv_bin(), *words, "--no-progress", "--color", "never", "--no-python-downloads"]
    if how.settings.offline:
        command.append("--offline")
    if how.settings.verbose:
        how.settings.say(" ".join(command))
    how.before()
    done = subprocess.run(
        command, cwd=dependencies.base, env={**os.environ, **how.environment},
        input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
        check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise _explained(done.stderr, what, offline=how.settings.offline)
    for line in done.stderr.splitlines():
        if line.startswith("warning:"):
            how.settings.say(f"  {without_secrets(line)}")
    return done.stdout


def _wheel_line(path: Path, extras: str = "") -> str:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise InputError(f"{path} is not named as a wheel is: {error}", do="name a wheel", see=_READ) from error
    return f"{name}{extras} @ {path.absolute().as_uri()}"


_NO_WHEEL = "a package has no wheel for this target: ask for another version of it, a newer floor, or another target"
_REMEDIES = (
    ("no usable wheels", _NO_WHEEL),
    ("no wheels", _NO_WHEEL),
    ("Failed to build", f"its source tells what it needs only while it is built: {backend.OTHER}"),
    ("Hash mismatch", "what the index has is not what the hashes say: find out why before you change them"),
    ("hash", "give each requirement a version and its hashes, or none of them hashes"),
    ("yanked", "ask for a release that was not withdrawn"),
    ("Python", "change the requirement or the Python version (python=…)"),
    ("incompatible", "the requirements contradict each other: loosen one of those that are named"),
    ("unsatisfiable", "the requirements contradict each other: loosen one of those that are named"),
)
"""What in uv's explanation calls for which remedy; the first that is found counts."""


def _explained(told: str, what: str, *, offline: bool) -> PypackError:
    reason = "\n".join(f"  {line}" for line in without_secrets(told).strip().splitlines())
    do = next(
        (do for word, do in _REMEDIES if word in told), "change the requirement, the Python version or the target"
    )
    if offline:
        do = "build once without --offline, so that the packages are in uv's cache"
    return StepError(f"{what}:\n{reason}", do=do, see=_READ)
