"""Runs SCons for the command ``pypack``, in the same process, and hands over what it asks for."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext, redirect_stderr
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO, cast

import SCons.Script

from pypack.base import folders

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.project.program import Project
    from pypack.project.settings import BuildOptions
    from pypack.steps.display import Display


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to build: a program, its targets, and the options of this build."""

    project: Project
    targets: tuple[Target, ...]
    options: BuildOptions
    display: Display | None = None
    """What shows the build; None: SCons' own log."""


_handed: ContextVar[Request | None] = ContextVar("_handed", default=None)


def run(request: Request) -> int:
    """Run SCons in this process and return its exit code; for a failed step, that of the step's error.

    SCons itself ends with 2 whatever failed. Our SConstruct takes ``request`` as an object: arguments on SCons' command
    line would be split at commas and parsed again.
    """
    jobs = [f"-j{request.options.jobs}"] if request.options.jobs else []
    silent = ["--silent"] if request.display else []
    sys.argv = ["scons", "-Q", *silent, "-f", str(folders.sconstruct()), *jobs]
    token = _handed.set(request)
    shown = redirect_stderr(cast("TextIO", _ErrorLines(request.display))) if request.display else nullcontext()
    try:
        with shown:
            SCons.Script.main()
    except SystemExit as stop:
        failed = [failure.status for failure in SCons.Script.GetBuildFailures()]
        return int(failed[0] if failed else stop.code or 0)
    finally:
        _handed.reset(token)
    return 0


class _ErrorLines:
    """Takes the place of standard error: SCons' lines about a failed step become the display's errors."""

    _SCONS = re.compile(r"\s*scons: \*\*\* (?:\[[^]]*\] )?")

    def __init__(self, display: Display) -> None:
        self._display, self._stream = display, sys.stderr

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Show an error of SCons'; write all else as it is."""
        message, count = self._SCONS.subn("pypack: ", text, count=1)
        if count:
            self._display.error(message.rstrip())
            return len(text)
        return self._stream.write(text)


def handed() -> Request | None:
    """Return the request of the command that runs SCons; None if SCons was started directly."""
    return _handed.get()
