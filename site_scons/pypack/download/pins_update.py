"""Write ``runtimes/pins/pbs.toml`` anew: ``python -m pypack.download.pins_update [FILE]``, run by a Nox session.

Addresses and hashes come from the package ``pbs-installer``, which must be installed. It has no musl: those rows come
from the list ``SHA256SUMS`` of the same release; where that cannot be reached the rows that the file has are kept.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pypack.base import folders, targets
from pypack.base.version import minor_of
from pypack.download import pins
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DOCS = "docs/pins.md"

MINORS = ("3.12", "3.13", "3.14", "3.15")
KINDS = ("install_only_stripped", "install_only")
"""The archives that serve as a runtime, the preferred one first."""
_HEAD = """\
# Runtimes of python-build-standalone, one row each, sorted by target and version.
#
# Written by `nox -t update` (module pypack.download.pins_update) from the table of pbs-installer {edition}. Do not edit
# it by hand: own pins go into [tool.pypack.pins] or $PYPACK_PINS. Rows for musl come from the list SHA256SUMS of the
# release.
# size (bytes) stands only where it is known.

default = "{default}"  # the minor version that is meant where none was asked for

pins = [
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the file."""

    target: str
    version: str
    url: str
    sha256: str
    size: int = 0

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return minor_of(self.version)

    def text(self) -> str:
        """Return the row as TOML, in one line."""
        size = f", size = {self.size}" if self.size else ""
        return (
            f'  {{ target = "{self.target}", version = "{self.version}", url = "{self.url}", '
            f'sha256 = "{self.sha256}"{size} }},\n'
        )


def main(arguments: list[str]) -> int:
    """Rewrite the file (the first argument, else ours) and say what has changed."""
    file = Path(arguments[0]) if arguments else folders.data("runtimes") / "pins" / "pbs.toml"
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    table, edition = installer_table()
    newest = from_table(table, triples())
    new = text(merge(newest, known(file), published(newest)), default=default_of(old), edition=edition)
    if new == old:
        print(f"{file}: up to date ({edition})")
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(new, encoding="utf-8", newline="\n")
    changed = set(new.splitlines()) - set(old.splitlines())
    print(f"{file}: {len([line for line in changed if 'sha256' in line])} rows are new ({edition})")
    return 0


def triples() -> dict[str, str]:
    """Return the target of each triple that stands in PBS's file names."""
    return {target.pbs: target.name for target in targets.load().values()}


def installer_table() -> tuple[list[dict[str, Any]], str]:
    """Return pbs-installer's table (a list of versions with their files) and the package's version."""
    try:
        file = resources.files("pbs_installer") / "versions.json"
        return json.loads(file.read_text(encoding="utf-8")), metadata.version("pbs-installer")
    except (ModuleNotFoundError, FileNotFoundError) as e:
        raise InputError(
            "the table of pbs-installer is not there",
            hint="run this through nox, or: pip install pbs-installer",
            docs=_DOCS,
        ) from e


def from_table(table: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[Row]:
    """Return the newest row of each target and minor version."""
    newest: dict[tuple[str, str], Row] = {}
    for entry in table:
        version = entry["python_version"]
        minor = f"{version['major']}.{version['minor']}"
        if version["implementation"] != "cpython" or version["freethreaded"] or minor not in MINORS:
            continue
        for row in _best(f"{minor}.{version['micro']}", entry["files"], names):
            if _order(row) > _order(newest.get((row.target, minor))):
                newest[row.target, minor] = row
    return list(newest.values())


def _best(version: str, files: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[Row]:
    best: dict[str, tuple[int, Row]] = {}
    for file in files:
        for triple, target in names.items():
            kind = next((k for k in KINDS if file["filename"].endswith(f"-{triple}-{k}.tar.gz")), "")
            if not kind or not file["sha256"]:
                continue
            rank = KINDS.index(kind)
            if target not in best or rank < best[target][0]:
                url = pinned_address(file["url"])
                best[target] = rank, Row(target=target, version=version, url=url, sha256=file["sha256"])
    return [row for _, row in best.values()]


def pinned_address(url: str) -> str:
    """Return the address with its ``+`` written as ``%2B``, as the release pages have it."""
    return url.replace("+", "%2B")


def _order(row: Row | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", row.version)) if row else ()


def known(file: Path) -> list[Row]:
    """Return the rows that the file has already; none where there is no file yet."""
    if not file.is_file():
        return []
    pinned = pins.of_file(file, targets.load())
    return [
        Row(target=p.target, version=p.version, url=p.pin.urls[0], sha256=p.pin.sha256, size=p.pin.size) for p in pinned
    ]


def published(known_rows: Iterable[Row]) -> list[Row]:
    """Return the musl rows of the releases in ``known_rows``, out of each release's list of hashes."""
    rows: list[Row] = []
    names = {triple: target for triple, target in triples().items() if "musl" in target}
    for release in sorted({row.url.rsplit("/", 1)[0] for row in known_rows}):
        listed = _sums(f"{release}/SHA256SUMS")
        rows += [row for name, target in names.items() for row in from_sums(listed, release, name, target)]
    return rows


def from_sums(listed: str, release: str, triple: str, target: str) -> list[Row]:
    """Read ``SHA256SUMS`` (lines of hash and file name) of the release at the address ``release``."""
    pattern = re.compile(rf"([0-9a-f]{{64}}) [ *](cpython-([0-9.]+)\+\d+-{re.escape(triple)}-{KINDS[0]}\.tar\.gz)")
    matches = [m for line in listed.splitlines() if (m := pattern.fullmatch(line.strip()))]
    rows = [Row(target=target, version=m[3], url=f"{release}/{quote(m[2])}", sha256=m[1]) for m in matches]
    return [row for row in rows if row.minor in MINORS]


def _sums(url: str) -> str:
    import tempfile

    from pypack.download import web

    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        part = Path(folder) / "SHA256SUMS"
        try:
            web.download(url, part, report=lambda _done, _total: None)
        except web.DownloadError as e:
            print(f"{url}: {e.reason}; rows for musl stay as they are")
            return ""
        return part.read_text(encoding="utf-8", errors="replace")


def merge(newer: Iterable[Row], old: Iterable[Row], listed: Iterable[Row]) -> list[Row]:
    """Return one row for each target and minor version, the newest; a size that is known by hash is kept."""
    before = list(old)
    sizes = {row.sha256: row.size for row in before if row.size}
    newest: dict[tuple[str, str], Row] = {}
    for row in [*before, *listed, *newer]:  # of equal versions the later one, a newer build of the same
        if row.minor in MINORS and _order(row) >= _order(newest.get((row.target, row.minor))):
            newest[row.target, row.minor] = row
    return [
        Row(target=r.target, version=r.version, url=r.url, sha256=r.sha256, size=r.size or sizes.get(r.sha256, 0))
        for r in newest.values()
    ]


def default_of(old: str) -> str:
    """Return the default minor version that the file names; 3.13 where it names none."""
    named = re.search(r'^default = "(\d+\.\d+)"', old, re.MULTILINE)
    return named[1] if named else "3.13"


def text(rows: Iterable[Row], *, default: str, edition: str) -> str:
    """Return the whole file; the same rows give the same text."""
    ordered = sorted(rows, key=lambda row: (row.target, _order(row)))
    return _HEAD.format(default=default, edition=edition) + "".join(row.text() for row in ordered) + "]\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
