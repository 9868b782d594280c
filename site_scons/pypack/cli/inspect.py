"""``pypack inspect``: shows and checks the contents of a bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_EXAMPLES = """\
examples:
  pypack inspect dist/tool                      what it is, what it needs, whether it is whole
  pypack inspect dist/tool --tree               what takes how much room
  pypack inspect dist/tool --diff dist/old      which files differ; exit code 1 if some do
  pypack inspect dist/tool --extract deps/site-packages/click/core.py
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect", help="show what is in a bundle, and check it", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--json", action="store_true", help="print JSON for tools")
    ways.add_argument("--tree", action="store_true", help="show what takes how much room")
    ways.add_argument("--files", action="store_true", help="list the files with sizes and hashes")
    ways.add_argument("--diff", type=Path, metavar="OTHER", help="show how the files of another bundle differ")
    ways.add_argument("--extract", metavar="PATH", help="write a file of the bundle to standard output")
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Show a bundle; the exit code says whether it is valid."""
    from pypack.bundle import inspect

    if typed.tree or typed.files or typed.diff or typed.extract:
        return _show_files(typed)
    return inspect.show(typed.bundle, as_json=typed.json)


def _show_files(typed: argparse.Namespace) -> int:
    """Show what the layers hold; of a universal file, those of the first processor."""
    from pypack.bundle import inspect, members, verify

    bundle = verify.read(typed.bundle)
    if typed.extract:
        members.extract(bundle, typed.extract, sys.stdout.buffer)
        return 0
    if typed.diff:
        lines = members.difference(bundle, verify.read(typed.diff))
        inspect.say_all(lines or ["all files are the same"])
        return int(bool(lines))
    if typed.tree:
        inspect.say_all(members.tree(bundle))
    else:
        rows = members.read(bundle)
        inspect.say_all(f"{row.size:>12}  {row.sha256 or '-> ' + row.link:<64}  {row.path}" for row in rows)
    return 0
