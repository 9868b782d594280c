"""Build real applications as their authors keep them, compare their work with a virtual environment's.

python -m tests.applications [NAME…] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pypack.errors import PypackError
from tests.applications import origin, table, trial
from tests.cases.conftest import HERE

FOLDER = HERE / ".nox" / "projects"
COLUMNS = ("project", "made with", "built", "works", "uv", "first", "nothing", "edit", "size")


def main() -> int:
    """Return 0 when every chosen application was built and does in its bundle what it does in the environment."""
    applications = {each.name: each for each in table.load()}
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(applications)} (default: all)")
    note = "results for tools; the table is beside it as .md (default: %(default)s)"
    words.add_argument("--json", type=Path, default=FOLDER / "results.json", help=note)
    given = words.parse_args()
    if unknown := set(given.names) - set(applications):
        words.error(f"not in applications.toml: {', '.join(sorted(unknown))}")
    chosen = [each for each in applications.values() if not given.names or each.name in given.names]
    trial.prepare_cache(FOLDER / "cache")
    rows = []
    with origin.running() as address:
        for application in chosen:
            print(f"{application.name} {application.version}", flush=True)
            rows.append(_try(application, address))
            _write(given.json, rows)  # after each: a session that is ended early has them
            if rows[-1].fault:
                print(f"  {rows[-1].fault.replace(chr(10), chr(10) + '  ')}", flush=True)
    Console(width=None if sys.stdout.isatty() else 200).print(_table(rows))
    failed = [row.name for row in rows if row.fault]
    print(f"failed: {', '.join(failed)}" if failed else "all that was built does what it does when installed")
    return 1 if failed else 0


def _try(application: table.Application, address: str) -> trial.Row:
    try:
        return trial.run(application, FOLDER / application.name, FOLDER / "cache", address)
    except PypackError as error:
        row = trial.Row(name=application.name, kind=application.kind, version=application.version)
        return trial.replace(row, fault=str(error))


def _write(file: Path, rows: list[trial.Row]) -> None:
    """Write the rows for tools, with what they depend on."""
    about = {"schema": 1, "date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.machine()}
    data = {**about, "python": platform.python_version(), "projects": [row.as_json() for row in rows]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(_markdown(rows), encoding="utf-8")


def _table(rows: list[trial.Row]) -> Table:
    shown = Table(*COLUMNS, title="Real projects, compared with a virtual environment")
    for row in rows:
        shown.add_row(*_cells(row))
    return shown


def _markdown(rows: list[trial.Row]) -> str:
    """Return the table as it stands in docs/projects.md."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: trial.Row) -> tuple[str, ...]:
    times = (f"{each:.1f} s" if each is not None else "" for each in (row.install, row.first, row.again, row.edited))
    size = f"{row.size / 1e6:.1f} MB" if row.size else ""
    return f"{row.name} {row.version}", row.kind, _yes(row.built), _yes(row.works), *times, size


def _yes(fact: bool) -> str:
    return "yes" if fact else "NO"


if __name__ == "__main__":
    sys.exit(main())
