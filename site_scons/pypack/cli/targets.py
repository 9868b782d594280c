"""``pypack targets``: lists the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("targets", help="list the targets")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the targets, and the runtime providers of each."""
    del arguments
    from pypack.base import hosts, targets

    for target in targets.load().values():
        note = "  (this machine)" if target.name == hosts.target_name() else ""
        details = f"joins {' and '.join(target.of)}" if target.of else f"runtimes: {', '.join(target.providers)}"
        print(f"{target.name:<20} {target.container:<6} {details}{note}")
    return 0
