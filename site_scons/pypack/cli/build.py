"""``pypack build``: checks program and options, then runs SCons in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pypack.base.declare import declared
from pypack.cli.console import Console
from pypack.cli.events import EventStream
from pypack.errors import InputError
from pypack.project import options
from pypack.project.settings import TABLE, BuildOptions

if TYPE_CHECKING:
    from pypack.scons.command import Request
    from pypack.steps.display import Display

_DOCS = "docs/settings.md"

_EXAMPLES = """\
examples:
  pypack build myapp/
  pypack build --entry myapp/ -r requirements.txt -o dist/myapp --python 3.13
  pypack build --entry pkg.cli:main --target host,linux-musl-x86_64
  pypack build myapp/ --target all -j4                      Linux, macOS and Windows in one call
  pypack build tool.py --floor glibc=2.28 --floor macos=13.0    newer wheels fit
  pypack build tool.py --target windows-x86_64 --runtime embed --icon tool.ico --no-console
  pypack build myapp/ --exclude-packages 'numpy:numpy/*/tests' --no-sources --optimize 2
  pypack build myapp/ --target macos-aarch64 --sign tool=codesign,identity=NAME

All but the first options are settings of the program too: what it always wants stands in
[tool.pypack] of its pyproject.toml, or of a script's inline metadata, see docs/settings.md.
An option takes the place of what stands there.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "build", help="build bundles", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.set_defaults(run=run, parser=parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a build and the settings of a program."""
    options.add_options(parser, declared(BuildOptions).values(), "build")
    options.add_options(parser, TABLE.values(), "build")


def run(typed: argparse.Namespace) -> int:
    """Build the requested bundles."""
    return make(read_request(typed))


def read_build_options(typed: argparse.Namespace) -> BuildOptions:
    """Return the options of this build."""
    return options.record(BuildOptions, options.parse_options(typed, declared(BuildOptions), options.absolute_path))


def settings(typed: argparse.Namespace) -> dict[str, Any]:
    """Return the given settings; paths are relative to the current folder."""
    return options.parse_options(typed, TABLE, options.absolute_path)


def read_request(typed: argparse.Namespace, *, aside: bool = False) -> Request:
    """Return the program and its targets; bad input is an error before SCons starts.

    ``aside``: the build is not what was asked for, see :class:`pypack.cli.console.Console`.
    """
    from pypack.base import targets
    from pypack.project import program

    build_options, overrides = read_build_options(typed), settings(typed)
    project = program.load(build_options.app, **overrides)
    selected = targets.select(project.targets, targets.load())
    if build_options.out and len(selected) > 1:
        raise InputError(
            "-o names one file, but there are several targets", hint="leave -o out: dist/<target>/<name>", docs=_DOCS
        )
    if build_options.out and build_options.out.is_dir():
        output = typed.setting_out[-1]
        raise InputError(
            f"-o {output} is a folder; a file is meant", hint=f"try -o {output}/{project.name}", docs=_DOCS
        )
    from pypack.scons import command

    return command.Request(
        project=project,
        targets=tuple(selected),
        options=build_options,
        display=open_display(build_options, aside=aside),
    )


def open_display(build_options: BuildOptions, *, aside: bool = False) -> Display:
    """Return what shows a build, see :class:`pypack.cli.console.Console`."""
    if build_options.json:
        return EventStream(aside=aside)
    return Console(quiet=build_options.errors_only, verbose=build_options.verbose, aside=aside)


def make(request: Request) -> int:
    """Run the same SCons graph as ``scons`` does, in this process; return the exit code."""
    from pypack.cli import interrupts
    from pypack.scons import command

    code, display = 1, request.display
    assert display is not None  # only SConstructs go without
    try:
        with interrupts.watched(display) as watch:
            code = command.run(request)
        code = watch.code or code
    finally:
        display.end(code)
    return code
