"""``pypack inspect``: shows and checks the contents of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("inspect", help="show what is in a bundle, and check it")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Show a bundle; the exit code says whether it is valid."""
    from pypack.bundle import inspect

    return inspect.show(typed.bundle, as_json=typed.json)
