"""``pypack cache``: shows or prunes the caches on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cache", help="show what is kept on this machine, or prune it")
    parser.add_argument("--prune", type=int, metavar="DAYS", help="remove what was not used for DAYS days")
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Show the caches, or remove entries that were not used for some days."""
    from pypack.cli import caches

    return caches.prune(typed.prune) if typed.prune is not None else caches.show()
