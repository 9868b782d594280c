"""The parser of all commands, their error messages and exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pypack import __version__
from pypack.base import files
from pypack.cli import build, cache, completion, doctor, init, inspect, lock, plan, run, targets, terminal
from pypack.errors import PypackError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = """\
examples:
  pypack init myapp/                            write a program's settings, and say what comes next
  pypack build myapp/                           a folder with __main__.py, for this machine
  pypack build --entry tool.py -o dist/tool     one script
  pypack build --entry myapp/ -r requirements.txt --target linux-musl-x86_64
  pypack run examples/greet -- --name Ada       build and start
  pypack run examples/greet --target windows-x86_64 -- --name Ada   the same, by wine
  pypack plan myapp/ --target all               what that would be made from, by hash
  pypack lock myapp/                            keep versions, hashes and runtimes in pylock.toml
  pypack inspect dist/linux-musl-x86_64/myapp   what is in a bundle
  pypack targets                                what can be built for
  pypack doctor                                 what is missing on this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 build failed, 2 bad input, 3 not to be fetched."""
    terminal.prepare(sys.stdout, sys.stderr)
    command_line = list(sys.argv[1:] if arguments is None else arguments)
    separator = command_line.index("--") if "--" in command_line else len(command_line)
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could come next
        completion.answer(parser)
    options, unknown = parser.parse_known_args(command_line[:separator])
    options.arguments = command_line[separator + 1 :]  # of the program that "run" starts
    if options.arguments and options.run is not run.run:
        _fail_on_unknown(options.parser, ["--", *options.arguments])
    if unknown:
        _fail_on_unknown(options.parser, unknown)
    try:
        return int(options.run(options))
    except PypackError as error:
        if options.debug:
            raise
        terminal.print_error(f"pypack: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        terminal.print_error("pypack: stopped")
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if options.debug:
            raise
        disk_error = files.disk_error(error, Path())
        terminal.print_error(f"pypack: {disk_error}")
        return disk_error.exit_code


def _fail_on_unknown(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """End with an error that suggests similar options."""
    known_options = [
        argument for argument in parser.format_help().replace(",", " ").split() if argument.startswith("-")
    ]
    hints = [
        did_you_mean(argument.split("=", maxsplit=1)[0], dict.fromkeys(known_options))
        for argument in arguments
        if argument.startswith("-")
    ]
    note = "; what is for the program stands behind --" if parser.prog.endswith(" run") else ""
    parser.error(f"not understood: {' '.join(arguments)}{''.join(hints)}{note}")


class _Parser(argparse.ArgumentParser):
    """Suggests near names for a command, or for one of an option's choices."""

    _INVALID = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")

    def error(self, message: str) -> NoReturn:
        """End with ``message``."""
        if found := self._INVALID.search(message):
            near = did_you_mean(found[1], re.findall(r"[\w.-]+", found[2]))
            message = f"{message}{near}"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="pypack", description="Ship a Python program as one file.", epilog=_EXAMPLES, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version=f"pypack {__version__}")
    parser.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (init, build, run, plan, lock, targets, inspect, cache, doctor, completion):
        command.add(commands)
    return parser
