"""``run_bundle.py TARGET NAME ARGUMENT…`` starts a bundle in ``dist/``, or says why this machine cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pypack import graph, targets


def main() -> int:
    """Return the bundle's exit code; 0 where it cannot be started here, with a line that says why."""
    name, program, *arguments = sys.argv[1:]
    table = targets.load()
    chosen = targets.select([name], table)
    for target in chosen:
        bundle = Path("dist") / target.name / f"{program}{target.suffix}"
        if not graph.starts_here(target):
            print(f"NOT STARTED: {bundle} is for {target.name}, which this machine cannot run", flush=True)
            continue
        print(f"$ {bundle} {' '.join(arguments)}", flush=True)
        code = subprocess.run([bundle.absolute(), *arguments], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
