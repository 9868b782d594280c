"""``pypack run``: builds a bundle for one target, and starts it here or by an emulator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pypack.cli import build
from pypack.errors import InputError

_DOCS = "docs/runner.md"

_EXAMPLES = """\
examples:
  pypack run examples/greet -- --name Ada
  pypack run examples/greet --target windows-x86_64 -- --name Ada      by wine
  pypack run examples/greet --target linux-musl-aarch64 -- --name Ada  by qemu

What follows -- is given to the program; its exit code is the command's.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run", help="build a bundle and start it", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    build.add_options(parser)
    parser.usage = "pypack run [option …] [DIR] [-- ARGUMENT …]"
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Build for one target and start the result there, or by an emulator."""
    from pypack.cli import runner

    request = build.read_request(arguments, aside=True)
    if len(request.targets) > 1:
        raise InputError("only one target can be started at a time", hint="name one with --target", docs=_DOCS)
    target = request.targets[0]
    bundle_runner = runner.require_runner(target)
    code = build.make(request)
    if code:
        return code
    path = request.options.out or Path("dist") / target.name / f"{request.project.name}{target.suffix}"
    return runner.start(
        path, bundle_runner, arguments.arguments, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
