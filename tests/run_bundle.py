"""``run_bundle.py TARGET NAME ARGUMENT…`` starts a bundle in ``dist/``, or says why this machine cannot."""

from __future__ import annotations

import sys
from pathlib import Path

from pypack.base import targets
from pypack.bundle import verify
from pypack.cli import runner


def main() -> int:
    """Return the bundle's exit code; 0 where it cannot be started here, with a line that says why."""
    name, program, *arguments = sys.argv[1:]
    table = targets.load()
    chosen = targets.select([name], table)
    for target in chosen:
        bundle = Path("dist") / target.name / f"{program}{target.suffix}"
        found = runner.find(target)
        if isinstance(found, runner.Missing):
            faults = verify.faults(bundle)
            print(f"NOT STARTED: {bundle}: {found.why}; {'; '.join(faults) or 'its structure is sound'}", flush=True)
            if faults:
                return 1
            continue
        print(f"$ {bundle} {' '.join(arguments)}    # by {found.name}", flush=True)
        code = found.run(bundle.absolute(), arguments)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
