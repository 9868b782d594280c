"""Make a lock with hashes (PEP 751) of a program's requirements: uv resolves, an existing lock is copied."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pypack.base import files
from pypack.base.notes import Note
from pypack.base.version import minor_of
from pypack.bundle import manifest
from pypack.deps import floors, indexes, inputs, lock, lock_checks, lock_inputs, tags, uv_command, uv_settings
from pypack.deps.build import sdist_fallback
from pypack.deps.secrets import without_secrets
from pypack.deps.uv_command import UvOptions
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.deps.inputs import Dependencies
    from pypack.steps.step import Settings

_REPOSITORY = re.compile(r"""\bvcs = \{[^}]*?\burl = "([^"]+)\"""")
_RESOLVED = ("requirements", "pyproject", "exported", "backend", "setup", "script", "wheels")
"""The kinds of input for which uv chooses versions."""
_VERSION = 2
"""Raise it when the same inputs give another lock."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The inputs of a lock for one target and one version of CPython (in full).

    ``no_binary`` are packages that are taken from source, without ``build`` no others are. ``installed`` are the
    ``.dist-info`` folders of a virtual environment with the digests of what is installed. ``usual`` is the target with
    its own floor, where the runtime has raised it and not the user.
    """

    dependencies: Dependencies
    target: Target
    python: str
    no_binary: tuple[str, ...] = ()
    build: bool = True
    installed: tuple[tuple[str, str], ...] = ()
    usual: Target | None = None

    @cached_property
    def stamp(self) -> str:
        """A hash over all inputs of the lock, written into its first line.

        The folder is one of them: the same text may mean other files in another project.
        """
        dependencies = self.dependencies
        settings = {
            "version": _VERSION,
            "folder": str(dependencies.base.absolute()),
            "kind": dependencies.kind,
            "target": self.target.name,
            "platform": tags.uv_platform(self.target),
            "environment": tags.uv_environment(self.target),
            "python": self.python,
            "uv": manifest.version("uv"),
            "index": uv_settings.fingerprint(dependencies.base),
            "extras": dependencies.extras,
            "groups": dependencies.groups,
            "wheel_extras": sorted((path.name, extras) for path, extras in dependencies.wheel_extras.items()),
            "program": str(dependencies.program or ""),
            "no_binary": sorted(self.no_binary),
            "build": self.build,
            "part": self.installed if dependencies.kind == "venv" else lock_inputs.part(dependencies),
            "packages": lock_inputs.packages(dependencies) if dependencies.kind in _RESOLVED else "",
            "files": [[str(file), file_digest(file)] for file in lock_inputs.files(dependencies)],
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write(request: Request, file: Path, settings: Settings) -> None:
    """Make the lock and write it to ``file``, whole or not at all."""
    dependencies = request.dependencies
    text = _METHODS[dependencies.kind](request, settings)
    addresses = {without_secrets(url): url for url in _REPOSITORY.findall(text)}
    text = without_secrets(text)
    if dependencies.kind in {"pylock", "uv-lock"}:
        lock_checks.check(tomllib.loads(text), dependencies, target=request.target, python=request.python)
    text = lock.without_folder(text, dependencies.program, dependencies.base)
    text = sdist_fallback.describe(text, dependencies.base, settings, indexes.logins(dependencies), addresses)
    files.write_text(file, f"{lock.STAMP}{request.stamp}\n{text}")


def _copy_lock(request: Request, settings: Settings) -> str:
    del settings
    lock.check_form(lock.read(request.dependencies.file), request.dependencies.file)
    return request.dependencies.file.read_text(encoding="utf-8")


def _list_installed(request: Request, settings: Settings) -> str:
    """Return a lock of the distributions that are installed in a virtual environment."""
    del settings
    distributions = (info.removesuffix(".dist-info").rpartition("-") for info, _ in request.installed)
    packages = "".join(
        f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, _, version in distributions
    )
    return f'lock-version = "1.0"\ncreated-by = "pypack"\n{packages}'


def _export_uv_lock(request: Request, settings: Settings) -> str:
    """Return uv.lock in the standard form, exported by uv; that needs no interpreter and no index."""
    dependencies = request.dependencies
    arguments = [
        "export",
        "--frozen",
        "--no-emit-project",
        "--format",
        "pylock.toml",
        "--no-header",
        "--no-default-groups",
    ]
    arguments += uv_command.choice_arguments(dependencies)
    if script := inputs.locked_script(dependencies):
        arguments = ["export", "--frozen", "--script", script.name, "--format", "pylock.toml", "--no-header"]
    return uv_command.run_uv(
        arguments, dependencies, f"{dependencies.file} cannot be read", UvOptions(settings=settings)
    )


def _resolve_or_name_floor(request: Request, settings: Settings) -> str:
    """Return the lock that uv resolves; where no wheel fits the floor, the error names a floor that has one."""

    def attempt(target: Target) -> str:
        return _resolve(replace(request, target=target), settings, look_newer=target == request.target)

    text = floors.resolve_or_name_floor(request.target, attempt, offline=settings.offline)
    usual = request.usual
    if usual and lock.unavailable_packages(tomllib.loads(text), usual, minor_of(request.python)):
        # what exists for newer systems alone is taken by choice only, also where the runtime needs a newer one
        floors.resolve_or_name_floor(usual, attempt, offline=settings.offline)
    if not settings.offline:
        _announce_source_builds(request, text, settings)
    return text


def _announce_source_builds(request: Request, text: str, settings: Settings) -> None:
    """Name the packages that are built from source although a newer floor has a wheel of them."""
    names = [name for name in sdist_fallback.from_index(text) if name not in request.no_binary]
    for name in names:
        others = [other for other in names if other != name]
        wheels_only = replace(request, build=False, no_binary=(*request.no_binary, *others))

        def attempt(target: Target, request: Request = wheels_only) -> str:
            return _resolve(replace(request, target=target), replace(settings, say=lambda _: None))

        if floor := floors.lowest_floor(request.target, attempt):
            text = f"{name} is built from source; {floors.option(floor)} takes a wheel of it instead"
            settings.say(Note("built-from-source", text))


def _resolve(request: Request, settings: Settings, *, look_newer: bool = False) -> str:
    return uv_command.resolve_lock(
        request.dependencies,
        f"cannot be resolved for {request.target.name}, Python {request.python}",
        ("--python-platform", tags.uv_platform(request.target), "--python-version", request.python),
        UvOptions(
            settings=settings, environment=tags.uv_environment(request.target), no_binary=request.no_binary,
            build=request.build, look_newer=look_newer,
        ),
    )  # fmt: skip


_METHODS: dict[str, Callable[[Request, Settings], str]] = {
    "pylock": _copy_lock,
    "uv-lock": _export_uv_lock,
    "venv": _list_installed,
    **dict.fromkeys(
        ("requirements", "pyproject", "exported", "backend", "setup", "script", "wheels"), _resolve_or_name_floor
    ),
}
