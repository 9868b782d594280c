"""One lock for several targets: uv resolves for every system at once, and the result is checked for each target.

uv's universal resolution knows no floors: it takes the newest version, whatever glibc its wheels need. Where a target
has no wheel in the lock, uv resolves for that target alone, and the versions found bound the next attempt.
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

from packaging.utils import canonicalize_name
from packaging.version import Version

from pypack.base.version import minor_of
from pypack.deps import floors, lock, markers, tags, uv_command
from pypack.deps.secrets import without_secrets
from pypack.errors import StepError
from pypack.formats import selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pypack.base.targets import Target
    from pypack.deps.inputs import Dependencies
    from pypack.deps.uv_command import UvOptions

    Packages = Sequence[Mapping[str, Any]]

ROUNDS = 8
"""How often the universal resolution is tried with narrower bounds."""
_READ = "docs/dependencies.md"
_BEGIN = "\n[[packages]]\n"
_SDIST = re.compile(r"^sdist = \{.*\}$", re.M)
_VERSION = re.compile(r"^version = .*$", re.M)


@dataclass(frozen=True, kw_only=True)
class LockTarget:
    """A target with the program's own floor, and the full version of CPython that is bundled for it."""

    target: Target
    python: str

    @property
    def minor(self) -> str:
        """The minor version, e.g. ``3.13``."""
        return minor_of(self.python)

    @property
    def marker(self) -> str:
        """The environment marker that tells this target's system and processor from others, as far as one can."""
        system = self.target.markers["sys_platform"]
        return f"sys_platform == '{system}' and platform_machine == '{self.target.machine}'"


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """Which packages of an existing lock are resolved again: all, or some by name."""

    everything: bool = False
    packages: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The arguments of uv for it."""
        by_package = [argument for name in self.packages for argument in ("--upgrade-package", name)]
        return ["--upgrade"] * self.everything + by_package


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to lock, and for which targets. ``old`` is the path of the lock, which may exist already.

    ``excluded`` are packages that are left out of the bundle: a target needs no wheel of them.
    """

    dependencies: Dependencies
    targets: Sequence[LockTarget]
    old: Path
    options: UvOptions
    upgrade: Upgrade
    excluded: tuple[str, ...] = ()

    def unavailable_packages(self, table: Mapping[str, Any], lock_target: LockTarget) -> Packages:
        """Return the packages of a lock that a target takes and that it has no wheel of, nor a source."""
        narrowed = markers.narrowed(table, lock_target.target, lock_target.python)
        return lock.unavailable_packages(
            selection.without(narrowed, self.excluded), lock_target.target, lock_target.minor
        )


@dataclass(kw_only=True)
class _Bounds:
    """``versions``: what resolutions for one target found, by package and marker.

    ``apart`` are the packages that need a version for each target. ``sources`` are the lines ``sdist = …`` of packages
    that some target has to build, by package and version.
    """

    versions: dict[str, dict[str, Version]] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, package: str, lock_target: LockTarget, version: Version) -> None:
        """Add a version; of several targets with the same marker the lowest counts."""
        versions = self.versions.setdefault(package, {})
        versions[lock_target.marker] = min(version, versions.get(lock_target.marker, version))

    def without(self, packages: set[str]) -> _Bounds:
        """Return the bounds of all other packages."""
        return replace(
            self, versions={name: versions for name, versions in self.versions.items() if name not in packages}
        )

    def lines(self) -> Iterator[str]:
        """Yield constraints: one version for all targets unless the package is in ``apart``."""
        for package, versions in self.versions.items():
            if package in self.apart:
                yield from (f"{package}=={version} ; {marker}" for marker, version in versions.items())
            else:
                yield f"{package}=={min(versions.values())}"

    @property
    def state(self) -> tuple[frozenset[str], int]:
        """A value that changes when an attempt has found anything new."""
        return frozenset(self.lines()), len(self.sources)


def resolve(job: Job) -> str:
    """Return the text of a lock that serves every target; versions of the old one are kept unless they are upgraded.

    Raises :class:`StepError` that names the packages, the targets and what exists when no version serves.
    """
    bounds = _Bounds()
    unfit: dict[str, tuple[LockTarget, Packages]] = {}
    for _ in range(ROUNDS):
        text = _resolve_universal(job, bounds)
        table = tomllib.loads(text)
        unfit = {
            lock_target.target.name: (lock_target, packages)
            for lock_target in job.targets
            if (packages := job.unavailable_packages(table, lock_target))
        }
        if not unfit:
            return text
        earlier = bounds.state
        bounds.apart |= bounds.versions.keys() & {
            _name(package) for _, packages in unfit.values() for package in packages
        }
        for lock_target, packages in unfit.values():
            _bound_by_target(job, bounds, lock_target, packages)
        if earlier == bounds.state:
            break
    raise _failed(job, unfit.values())


def _name(row: Mapping[str, Any]) -> str:
    return canonicalize_name(str(row["name"]))


def _bound_by_target(job: Job, bounds: _Bounds, lock_target: LockTarget, unfit: Packages) -> None:
    """Resolve for one target alone, and add the versions found to ``bounds``."""
    packages = ", ".join(f"{row['name']} {row.get('version', '')}".strip() for row in unfit)
    job.options.settings.say(
        f"  {lock_target.target.name}: no wheel of {packages} fits; uv is asked for this target alone"
    )
    names = {_name(row) for row in unfit}
    for block in _resolve_alone(job, bounds.without(names), lock_target, unfit).split(_BEGIN)[1:]:
        row = tomllib.loads(block)
        if _name(row) not in names or "version" not in row:
            continue
        bounds.note(_name(row), lock_target, Version(str(row["version"])))
        if "wheels" not in row and (sdist := _SDIST.search(block)):
            bounds.sources[_name(row), str(row["version"])] = sdist[0]


def _resolve_universal(job: Job, bounds: _Bounds) -> str:
    lowest = min((lock_target.python for lock_target in job.targets), key=Version)
    # uv looks for versions to keep in the file that it writes, and spells paths as they count from there
    work = job.old.with_name(f"pylock.part-{os.getpid()}.toml")

    def lay_out() -> None:
        if job.old.is_file():
            shutil.copyfile(job.old, work)
        else:
            work.unlink(missing_ok=True)

    try:
        with _constraints(bounds) as constraints:
            arguments = (
                "--universal",
                "--python-version",
                lowest,
                "-o",
                str(work),
                *job.upgrade.arguments,
                *constraints,
            )
            failure = f"cannot be resolved for Python {lowest} and newer"
            text = uv_command.resolve_lock(job.dependencies, failure, arguments, replace(job.options, before=lay_out))
    finally:
        work.unlink(missing_ok=True)
    return _with_sources(_relative(without_secrets(text), work), bounds)


def _resolve_alone(job: Job, bounds: _Bounds, lock_target: LockTarget, unfit: Packages) -> str:
    def attempt(target: Target) -> str:
        with _constraints(bounds) as constraints:
            platform = ("--python-platform", tags.uv_platform(target), "--python-version", lock_target.python)
            failure = f"cannot be resolved for {target.name}, Python {lock_target.python}"
            options = replace(job.options, environment=tags.uv_environment(target))
            arguments = (*platform, *constraints)
            return without_secrets(uv_command.resolve_lock(job.dependencies, failure, arguments, options))

    reasons = "; ".join(lock.unsupported_reason(package, lock_target.target) for package in unfit)
    return floors.resolve_or_name_floor(
        lock_target.target, attempt, offline=job.options.settings.offline, prefix=f"{reasons}\n"
    )


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
    """Add the sdist to each package of a lock that some target has to build."""
    head, *blocks = text.split(_BEGIN)
    for number, block in enumerate(blocks):
        row = tomllib.loads(block)
        sdist = bounds.sources.get((_name(row), str(row.get("version", ""))))
        if sdist and "sdist" not in row:
            version = _VERSION.search(block)
            blocks[number] = f"{block[: version.end()]}\n{sdist}{block[version.end() :]}" if version else block
    return _BEGIN.join([head, *blocks])


def _relative(text: str, work: Path) -> str:
    """Make the absolute paths in a lock relative to its folder, since locks are copied to other machines."""
    table = tomllib.loads(text)
    parts = (package.get(key, {}) for package in table.get("packages", []) for key in ("archive", "directory", "sdist"))
    for path in {str(part["path"]) for part in parts if "path" in part}:
        if Path(path).is_absolute():
            short = os.path.relpath(path, work.parent).replace(os.sep, "/")
            text = text.replace(f'path = "{path}"', f'path = "{short}"')
    return text


def _failed(job: Job, unfit: Iterable[tuple[LockTarget, Packages]]) -> StepError:
    details = "".join(
        f"\n  {lock_target.target.name}: {lock.unsupported_reason(package, lock_target.target)}"
        for lock_target, packages in unfit
        for package in packages
    )
    return StepError(
        f"{job.dependencies.file.name} cannot be locked for all of its targets; no one version fits:{details}",
        hint="ask for another version, raise the floor of the target (floors), or lock the targets apart",
        docs=_READ,
    )
