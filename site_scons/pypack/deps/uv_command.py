"""Run uv: resolve the requirements of a program to a lock, or return any other output of a command of uv."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base.notes import Note
from pypack.deps import foreign, hashes, inline_project, lock_inputs, requirements, uv_settings
from pypack.deps.build import backend, egg_info, folder, sdist_fallback
from pypack.deps.secrets import without_secrets
from pypack.download import git
from pypack.errors import InputError, PypackError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pypack.deps.inputs import Dependencies
    from pypack.steps.step import Settings

_READ = "docs/dependencies.md"
_SECONDS = 20.0
"""How long uv may look for releases that are passed over, which it may have to build for their metadata."""


@dataclass(frozen=True, kw_only=True)
class UvOptions:
    """How uv is run. ``environment`` is added to this process's own, of which the variables ``hidden`` are left out.

    ``before`` is called before each run.

    ``no_binary`` are packages that are taken from source, without ``build`` no others are. ``look_newer``: name the
    releases that are passed over because they have no wheel. ``seconds`` limits a run of uv.
    """

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)
    no_binary: tuple[str, ...] = ()
    build: bool = True
    before: Callable[[], object] = lambda: None
    hidden: tuple[str, ...] = ()
    look_newer: bool = False
    seconds: float | None = None


def resolve_lock(dependencies: Dependencies, failure: str, arguments: Iterable[str], options: UvOptions) -> str:
    """Return uv's lock of the requirements of ``dependencies``; wheels are preferred.

    ``arguments`` tell uv for which systems and Python; ``failure`` continues the name of the file in an error.
    """
    failure = f"{dependencies.file} {failure}"
    lines = [_wheel_line(path, dependencies.wheel_extras.get(path, ())) for path in dependencies.wheels]
    match dependencies.kind:
        case "script" if inline_project.has_settings(dependencies.file):
            with inline_project.lay_out(dependencies) as laid_out:
                project = replace(dependencies, kind="pyproject", file=laid_out / "pyproject.toml")
                # a file named by UV_CONFIG_FILE would hide the settings of the script, and is in them
                options = replace(options, hidden=(*options.hidden, "UV_CONFIG_FILE"))
                return _resolve(project, failure, lines, arguments, options)
        case "exported":
            exported = foreign.export(dependencies.file, dependencies.extras, dependencies.groups)
            return _resolve(dependencies, failure, [*exported.splitlines(), *lines], arguments, options)
        case "setup":
            lines = [*dependencies.requirements, *lines]
        case "backend" if not folder.uv_sources(dependencies.file):
            lines = [*dependencies.requirements, *lines]
            dependencies = replace(dependencies, kind="setup")
    return _resolve(dependencies, failure, lines, arguments, options)


def _resolve(
    dependencies: Dependencies, failure: str, lines: list[str], arguments: Iterable[str], options: UvOptions
) -> str:
    """Return uv's lock of the requirements in the file of ``dependencies`` and in ``lines``."""
    kind = dependencies.kind
    files = [] if kind in {"setup", "exported", "wheels"} else [str(dependencies.file.relative_to(dependencies.base))]
    bare = list(requirements.lines(dependencies.file)) if kind == "requirements" else []
    if kind == "exported":
        bare = list(requirements.lines_of("\n".join(lines)))
    command = [
        "pip", "compile", *files, *(["-"] if lines or not files else []), "--format", "pylock.toml", "--no-header",
        "--no-annotate", "--python", sys.executable, *requirements.uv_arguments(bare),
        *(choice_arguments(dependencies) if kind in {"pyproject", "backend"} else ()), *arguments,
        *(["--no-index"] if uv_settings.of_pip(dependencies.base).no_index else ()),
    ]  # fmt: skip
    if not options.settings.offline and lock_inputs.refreshes(dependencies):
        command.append("--refresh")
    elif kind == "backend" and dependencies.manifest:  # uv's memory of its metadata knows a few files only
        command += ["--refresh-package", dependencies.manifest.name]

    def resolve(preferences: list[str], options: UvOptions = options) -> str:
        return run_uv([*command, *preferences], dependencies, failure, options, lines)

    text = sdist_fallback.prefer_wheels(resolve, forced=options.no_binary, build=options.build)
    if options.look_newer and options.build and not options.settings.offline:
        quick = replace(options, seconds=_SECONDS, settings=replace(options.settings, say=lambda _: None))
        for line in sdist_fallback.passed_over(
            text, lambda preferences: resolve(preferences, quick), options.no_binary
        ):
            options.settings.say(Note("older-release", line))
    return hashes.enforce_hashes(text, dependencies.file, bare)


def choice_arguments(dependencies: Dependencies) -> list[str]:
    """Return uv's arguments for the extras and groups that were chosen."""
    extras = [argument for name in dependencies.extras for argument in ("--extra", name)]
    return extras + [argument for name in dependencies.groups for argument in ("--group", name)]


def run_uv(
    arguments: Iterable[str], dependencies: Dependencies, failure: str, options: UvOptions, lines: Iterable[str] = ()
) -> str:
    """Run uv in the folder of the input and return its standard output; its warnings are shown.

    ``failure`` begins the error, ``lines`` are uv's standard input. Raises :class:`StepError`.
    """
    import uv

    # uv runs build backends for metadata in the interpreter of this process; it would download another one
    command = [uv.find_uv_bin(), *arguments, "--no-progress", "--color", "never", "--no-python-downloads"]
    if options.settings.offline:
        command.append("--offline")
    if options.settings.verbose > 1:
        options.settings.say(" ".join(command))
    options.before()
    try:
        with egg_info.outside_projects() as variables:
            done = subprocess.run(
                command, cwd=dependencies.base, env={**_environment(options, dependencies.base), **variables},
                input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
                check=False, encoding="utf-8", errors="replace", timeout=options.seconds,
            )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StepError(
            f"{failure}: uv needs more than {options.seconds:.0f} s",
            hint="try again, or look at the network",
            docs=_READ,
        ) from error
    if done.returncode:
        raise _explain_failure(done.stderr, failure, offline=options.settings.offline)
    for line in done.stderr.splitlines():
        if line.startswith("warning:") and "unsupported option" not in line:  # those are heeded: requirements
            text = without_secrets(line).removeprefix("warning:").strip()
            options.settings.say(Note("uv", text))
    return done.stdout


def _environment(options: UvOptions, folder: Path) -> dict[str, str]:
    settings = uv_settings.environment(folder)
    inherited = {key: value for key, value in settings.items() if key not in options.hidden}
    return {**inherited, **git.environment(), **options.environment}


def _wheel_line(path: Path, extras: tuple[str, ...] = ()) -> str:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise InputError(f"{path} is not named as a wheel is: {error}", hint="name a wheel", docs=_READ) from error
    chosen = f"[{','.join(extras)}]" if extras else ""
    return f"{name}{chosen} @ {path.absolute().as_uri()}"


_NO_WHEEL = "a package has no wheel for this target: ask for another version of it, a newer floor, or another target"
_REMEDIES = (
    ("failed to decode", "save the file as UTF-8"),
    ("Unexpected '-'", "remove the option that stands there, which uv does not know; the settings of uv have the like"),
    ("Failed to parse lockfile", "make the lock again: uv lock"),
    ("orkspace", "mend [tool.uv.workspace]: its top lists the members, and no member is a workspace itself"),
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
"""Phrases in uv's explanation and the remedy for each; the first that is found counts."""


def _explain_failure(explanation: str, failure: str, *, offline: bool) -> PypackError:
    reason = "\n".join(f"  {line}" for line in without_secrets(explanation).strip().splitlines())
    if "Git executable not found" in explanation:
        hint = "install git, or name an archive of that state (pkg @ https://…/archive.tar.gz)"
        return InputError(f"{failure}:\n{reason}", hint=hint, docs=_READ)
    if not offline and "error sending request" in explanation:
        hint = "check the address of the index (UV_DEFAULT_INDEX, PIP_INDEX_URL, [tool.uv] index, …) and the network"
        return InputError(f"{failure}:\n{reason}", hint=hint, docs=_READ)
    if "Git operation failed" in explanation and (hint := git.hint(explanation)):
        return InputError(f"{failure}:\n{reason}", hint=hint, docs=_READ)  # another attempt would not change it
    hint = next(
        (hint for phrase, hint in _REMEDIES if phrase in explanation),
        "change the requirement, the Python version or the target",
    )
    if offline:
        hint = "build once without --offline, so that the packages are in uv's cache"
    return StepError(f"{failure}:\n{reason}", hint=hint, docs=_READ)
