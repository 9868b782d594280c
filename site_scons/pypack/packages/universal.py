"""One lock for several targets: uv resolves for every system at once, and each target is held against the result.

uv's universal resolution knows no floors: it takes the newest version, whatever glibc its wheels ask for. Where a
target finds no wheel in the lock, uv is asked for that target alone, and what it finds bounds the next attempt.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pypack.errors import StepError
from pypack.packages import asking, environment, lock, selection, tags
from pypack.packages.manifests import normal
from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pypack.packages.asking import Asking
    from pypack.packages.inputs import Dependencies
    from pypack.targets import Target

    Rows = Sequence[Mapping[str, Any]]

ROUNDS = 8
"""How often the universal resolution is tried with narrower bounds."""
_READ = "docs/dependencies.md"
_BEGIN = "\n[[packages]]\n"
_SDIST = re.compile(r"^sdist = \{.*\}$", re.M)
_VERSION = re.compile(r"^version = .*$", re.M)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A target, its floor raised as the program wants it, and the full version of CPython that it gets."""

    target: Target
    python: str

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def marker(self) -> str:
        """The environment marker that tells this target's system and processor from others, as far as one can."""
        system = self.target.markers["sys_platform"]
        return f"sys_platform == '{system}' and platform_machine == '{self.target.machine}'"


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """What is taken anew instead of being kept as an existing lock has it: all of it, or some packages."""

    everything: bool = False
    packages: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """uv's words for it."""
        return ["--upgrade"] * self.everything + [w for name in self.packages for w in ("--upgrade-package", name)]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be locked, and for whom. ``old`` is the lock that may stand there, in the place of the new one.

    ``excluded`` are packages that stay out of the bundle, so that it is no matter whether a target has a wheel of them.
    """

    dependencies: Dependencies
    places: Sequence[Place]
    old: Path
    how: Asking
    upgrade: Upgrade
    excluded: tuple[str, ...] = ()

    def lacking(self, table: Mapping[str, Any], place: Place) -> Rows:
        """Return the packages of a lock that a target takes and that it has no wheel of, nor a source."""
        narrowed = environment.narrowed(table, place.target, place.python)
        return lock.lacking(selection.without(narrowed, self.excluded), place.target, place.minor)


@dataclass(kw_only=True)
class _Bounds:
    """The versions that targets found by themselves, by package. ``apart`` holds packages that need one each.

    ``sources`` are those of which a target has to take the source (package and version -> ``sdist`` as the lock has
    it).
    """

    found: dict[str, dict[str, Version]] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, package: str, place: Place, version: Version) -> None:
        """Take a version into account; of targets that no marker tells apart the lowest counts."""
        versions = self.found.setdefault(package, {})
        versions[place.marker] = min(version, versions.get(place.marker, version))

    def without(self, packages: set[str]) -> _Bounds:
        """Return the bounds of all other packages."""
        return replace(self, found={name: found for name, found in self.found.items() if name not in packages})

    def lines(self) -> Iterator[str]:
        """Yield constraints: one version for all targets where that may do."""
        for package, versions in self.found.items():
            if package in self.apart:
                yield from (f"{package}=={version} ; {marker}" for marker, version in versions.items())
            else:
                yield f"{package}=={min(versions.values())}"

    @property
    def state(self) -> tuple[frozenset[str], int]:
        """What tells whether an attempt has found anything new."""
        return frozenset(self.lines()), len(self.sources)


def resolve(job: Job) -> str:
    """Return the text of a lock that serves every place; versions of the old one are kept unless they are upgraded.

    Raises :class:`StepError` that names the packages, the targets and what exists when no version serves.
    """
    bounds = _Bounds()
    unfit: dict[str, tuple[Place, Rows]] = {}
    for _ in range(ROUNDS):
        text = _universal(job, bounds)
        table = tomllib.loads(text)
        unfit = {place.target.name: (place, rows) for place in job.places if (rows := job.lacking(table, place))}
        if not unfit:
            return text
        before = bounds.state
        bounds.apart |= bounds.found.keys() & {_name(row) for _, rows in unfit.values() for row in rows}
        for place, rows in unfit.values():
            _narrow(job, bounds, place, rows)
        if before == bounds.state:
            break
    raise _failed(job, unfit.values())


def _name(row: Mapping[str, Any]) -> str:
    return normal(str(row["name"]))


def _narrow(job: Job, bounds: _Bounds, place: Place, rows: Rows) -> None:
    """Find the versions that serve a target by itself, and take them into ``bounds``."""
    told = ", ".join(f"{row['name']} {row.get('version', '')}".strip() for row in rows)
    job.how.settings.say(f"  {place.target.name}: no wheel of {told} fits; uv is asked for this target alone")
    names = {_name(row) for row in rows}
    for block in _alone(job, bounds.without(names), place, rows).split(_BEGIN)[1:]:
        row = tomllib.loads(block)
        if _name(row) not in names or "version" not in row:
            continue
        bounds.note(_name(row), place, Version(str(row["version"])))
        if "wheels" not in row and (sdist := _SDIST.search(block)):
            bounds.sources[_name(row), str(row["version"])] = sdist[0]


def _universal(job: Job, bounds: _Bounds) -> str:
    lowest = min((place.python for place in job.places), key=Version)
    # uv looks for versions to keep in the file that it writes, and spells paths as they count from there
    work = job.old.with_name(f"pylock.part-{os.getpid()}.toml")

    def lay_out() -> None:
        if job.old.is_file():
            shutil.copyfile(job.old, work)
        else:
            work.unlink(missing_ok=True)

    try:
        with _constraints(bounds) as more:
            words = ("--universal", "--python-version", lowest, "-o", str(work), *job.upgrade.words, *more)
            what = f"cannot be resolved for Python {lowest} and newer"
            text = asking.compiled(job.dependencies, what, words, replace(job.how, before=lay_out))
    finally:
        work.unlink(missing_ok=True)
    return _with_sources(_relative(without_secrets(text), work), bounds)


def _alone(job: Job, bounds: _Bounds, place: Place, rows: Rows) -> str:
    target = place.target
    try:
        with _constraints(bounds) as more:
            words = ("--python-platform", tags.uv_platform(target), "--python-version", place.python, *more)
            what = f"cannot be resolved for {target.name}, Python {place.python}"
            how = replace(job.how, environment=tags.uv_environment(target))
            return without_secrets(asking.compiled(job.dependencies, what, words, how))
    except StepError as error:
        told = "; ".join(lock.refusal(row, target) for row in rows)
        raise StepError(f"{told}\n{error.what}", do=error.do, see=error.see) from error


@contextmanager
def _constraints(bounds: _Bounds) -> Iterator[list[str]]:
    lines = sorted(bounds.lines())
    if not lines:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield ["--constraint", str(file)]


def _with_sources(text: str, bounds: _Bounds) -> str:
    """Name the sdist beside the wheels of a package of which some target has to take the source."""
    head, *blocks = text.split(_BEGIN)
    for number, block in enumerate(blocks):
        row = tomllib.loads(block)
        sdist = bounds.sources.get((_name(row), str(row.get("version", ""))))
        if sdist and "sdist" not in row:
            version = _VERSION.search(block)
            blocks[number] = f"{block[: version.end()]}\n{sdist}{block[version.end() :]}" if version else block
    return _BEGIN.join([head, *blocks])


def _relative(text: str, work: Path) -> str:
    """Spell whole paths in a lock as they count from its folder: a lock goes from machine to machine."""
    table = tomllib.loads(text)
    parts = (package.get(key, {}) for package in table.get("packages", []) for key in ("archive", "directory", "sdist"))
    for path in {str(part["path"]) for part in parts if "path" in part}:
        if Path(path).is_absolute():
            short = os.path.relpath(path, work.parent).replace(os.sep, "/")
            text = text.replace(f'path = "{path}"', f'path = "{short}"')
    return text


def _failed(job: Job, unfit: Iterable[tuple[Place, Rows]]) -> StepError:
    told = "".join(
        f"\n  {place.target.name}: {lock.refusal(row, place.target)}" for place, rows in unfit for row in rows
    )
    return StepError(
        f"{job.dependencies.file.name} cannot be locked for all of its targets; no one version fits:{told}",
        do="ask for another version, raise the floor of the target (floors), or lock the targets apart",
        see=_READ,
    )
