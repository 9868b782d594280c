"""Try real packages on each target that can be started here, and print what came of it.

python -m tests.packages [TARGET…] [--only PACKAGE…]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pypack.base import targets
from pypack.cli import runner
from tests.packages import room
from tests.packages.table import LEFT_OUT, PACKAGES, TARGETS, Package
from tests.support import tls

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("package", "target", "built", "started", "did its work", "command")


def main() -> int:
    """Return 0 when every package that is not left out did its work on every target that can be started here."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET", help=f"of: {', '.join(TARGETS)}")
    words.add_argument("--only", nargs="+", default=[], metavar="PACKAGE", choices=[each.name for each in PACKAGES])
    given = words.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        words.error(f"not among the targets that are tried: {', '.join(sorted(unknown))}")
    chosen = [each for each in PACKAGES if not given.only or each.name in given.only]
    table = Table(*COLUMNS, title="Real packages, real work")
    with tempfile.TemporaryDirectory() as name, tls.servers(Path(name)) as servers:
        faults = [fault for target in given.targets for fault in _try(target, chosen, table, servers, Path(name))]
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    print("".join(f"\n{fault}" for fault in faults) or "all that was started did its work", flush=True)
    return 1 if faults else 0


def _try(target: str, packages: Sequence[Package], table: Table, servers: tls.Servers, folder: Path) -> list[str]:
    """Build for a target and start each program; rows go into ``table``, what went wrong is returned."""
    found = runner.find(targets.load()[target])
    if isinstance(found, runner.Missing):
        table.add_row("all", target, "", "CANNOT", "", f"{found.why} -> {found.hint}")
        return []
    print(f"building for {target}, to be started by {found.name}", flush=True)
    done, bundle = room.build(target)
    if done.code:
        table.add_row("all", target, "NO", "", "", "see below")
        return [f"{target} was not built:\n{done.text}"]
    faults = []
    for package in packages:
        if why := LEFT_OUT.get((package.name, target)):
            table.add_row(package.name, target, "left out", "", "", why)
            continue
        print(f"  {package.name}", flush=True)
        outcome = room.start(package, bundle, found, servers, folder / target)
        table.add_row(package.name, target, "yes", _yes(outcome.started), _yes(outcome.worked), outcome.command)
        if not outcome.worked:
            faults.append(f"$ {outcome.command}\n{outcome.told}")
    return faults


def _yes(fact: bool) -> str:
    return "yes" if fact else "NO"


if __name__ == "__main__":
    sys.exit(main())
