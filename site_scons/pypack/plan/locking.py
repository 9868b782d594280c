"""``pypack lock``: writes one pylock.toml for all targets of a program, and checks whether it is current."""

from __future__ import annotations

import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from pypack.base import files
from pypack.base import targets as rows
from pypack.base.notes import Note
from pypack.deps import lock, lock_checks, lock_metadata, markers, universal, uv_settings
from pypack.deps.universal import Job, LockTarget
from pypack.deps.uv_command import UvOptions
from pypack.errors import InputError, did_you_mean
from pypack.formats import selection
from pypack.plan import planner
from pypack.plan.locks import Locks
from pypack.plan.runtimes import find_runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pypack.base.targets import Target
    from pypack.deps.inputs import Dependencies
    from pypack.deps.lock_metadata import LockedRuntime, LockMetadata
    from pypack.deps.universal import Upgrade
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime
    from pypack.steps.step import Settings

_READ = "docs/dependencies.md"
_HEADER = '# Written by "pypack lock", which also renews it.\n'


def targets_of(project: Project) -> tuple[str, ...]:
    """Return the names of the targets to lock: the configured ones, else those of the existing lock."""
    lock_file = project.dependencies.lock if project.dependencies else None
    metadata = (
        lock_metadata.read(lock_file) if lock_file and lock_file.is_file() and project.targets == ("host",) else None
    )
    return metadata.targets if metadata else project.targets


def write(project: Project, targets: Sequence[Target], *, upgrade: Upgrade, settings: Settings) -> Path:
    """Make or renew the lock of a program (loaded with ``renew``) for some targets, and return its path.

    Versions of packages and runtimes of an older lock are kept.
    """
    dependencies = _lockable_dependencies(project)
    lock_file = dependencies.lock
    assert lock_file is not None  # inputs.find has settled it
    old = lock_file.read_text(encoding="utf-8") if lock_file.is_file() else ""
    old_table = lock.read(lock_file) if old else {}
    old_metadata = lock_metadata.read(lock_file) if old else None
    single_targets = _split_fat_targets(targets)
    old_runtimes: Mapping[str, LockedRuntime] = (
        {} if upgrade.everything or old_metadata is None else old_metadata.runtimes
    )
    runtimes = {
        target.name: _keep_or_choose_runtime(project, target, old_runtimes.get(target.name), settings)
        for target in single_targets
    }
    for target in single_targets:
        lock_checks.check_python(project, target, runtimes[target.name])
    resolve_targets = [
        LockTarget(target=rows.raised(target, project.floors), python=runtimes[target.name].version)
        for target in single_targets
    ]
    settings.display.resolve(lock_file, cached=False)
    uv_options = UvOptions(settings=settings, no_binary=project.no_binary, build=not project.no_build)
    text = universal.resolve(
        Job(
            dependencies=dependencies, targets=resolve_targets, old=lock_file, options=uv_options,
            upgrade=upgrade, excluded=project.exclude_packages,
        )
    )  # fmt: skip
    table = tomllib.loads(text)
    for resolve_target in resolve_targets:
        target = resolve_target.target
        if runtimes[target.name].static and _needs_native(project, table, resolve_target):
            pinned = old_runtimes.get(target.name)
            runtimes[target.name] = _keep_or_choose_runtime(project, target, pinned, settings, native=True)
    metadata = lock_metadata.LockMetadata(
        request=lock_metadata.current_request(dependencies, lock_file.parent, lock_metadata.options(project)),
        python=min((resolve_target.python for resolve_target in resolve_targets), key=Version),
        targets=tuple(target.name for target in single_targets),
        runtimes={name: lock_metadata.of_runtime(runtime) for name, runtime in runtimes.items()},
        settings=uv_settings.fingerprint(dependencies.base),
    )
    _write_atomically(lock_file, f"{_HEADER}{text.rstrip()}\n{lock_metadata.format_table(metadata)}", old)
    _note_unknown_packages(upgrade, table, settings)
    _report_changes(old_table, table, lock_file, metadata, settings)
    return lock_file


def check(project: Project, targets: Sequence[Target], *, settings: Settings) -> None:
    """Refuse a lock that a build for ``targets`` could not use. Uses no network.

    ``project`` is loaded as for a build.
    """
    dependencies = project.dependencies
    if dependencies is None or dependencies.kind != "pylock":
        raise InputError(f"{project.folder} has no pylock.toml", hint="run pypack lock", docs=_READ)
    single_targets = _split_fat_targets(targets)
    lock_metadata.check(project, [target.name for target in single_targets])
    table, metadata = lock.read(dependencies.file), lock_metadata.read(dependencies.file)
    quiet_settings = replace(settings, say=lambda _: None)
    with tempfile.TemporaryDirectory(prefix="pypack-") as build:
        for target in single_targets:
            runtime = planner.runtime(project, target, locks=Locks(build=Path(build)), settings=quiet_settings)
            raised = rows.raised(target, project.floors)
            lock_checks.check(table, dependencies, target=raised, python=runtime.version)
            narrowed = markers.narrowed(
                table, raised, runtime.version, extras=dependencies.extras, groups=dependencies.groups
            )
            lock.choose(
                selection.without(narrowed, project.exclude_packages), raised, runtime.minor, static=runtime.static,
                base=dependencies.base, build=not project.no_build,
            )  # fmt: skip
    settings.say(f"{dependencies.file} serves {', '.join(target.name for target in single_targets)}")
    if metadata and metadata.settings != uv_settings.fingerprint(dependencies.base):
        settings.say(Note("lock-settings", "it was made with other settings of uv than those that hold here"))


def _lockable_dependencies(project: Project) -> Dependencies:
    """Return where the packages are named; an :class:`InputError` where no lock can be made from that."""
    dependencies = project.dependencies
    if dependencies is None:
        raise InputError(f"{project.folder} names no packages", hint="name them with -r FILE", docs=_READ)
    match dependencies.kind:
        case "uv-lock":
            reason, hint = f"{dependencies.file} is uv's lock, and uv renews it", (
                "run uv lock; or lock what it is made from, with the runtimes: pypack lock -r pyproject.toml"
            )  # fmt: skip
        case "pylock":
            reason, hint = f"{dependencies.file} is a lock itself", "name what it is made from with -r FILE"
        case "venv":
            reason, hint = f"the virtual environment {dependencies.file} is taken as it is", "leave out the lock"
        case _:
            return dependencies
    raise InputError(reason, hint=hint, docs=_READ)


def _split_fat_targets(targets: Iterable[Target]) -> list[Target]:
    """Return the targets that packages are chosen for: a fat target counts as the targets that it joins."""
    all_targets = rows.load()
    return list({name: all_targets[name] for target in targets for name in (target.of or (target.name,))}.values())


def _keep_or_choose_runtime(
    project: Project, target: Target, pin: LockedRuntime | None, settings: Settings, *, native: bool = False
) -> Runtime:
    """Return the runtime of the old lock if it is available and fits the request; else choose another."""
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        record = Path(folder) / "choice.json"
        if pin:
            try:
                return find_runtime(
                    project, target, pin, lock="the lock", record=record, settings=settings, native=native
                )
            except InputError as error:
                settings.say(f"  {error.what}: another one is chosen")
        return find_runtime(project, target, None, lock="", record=record, settings=settings, native=native)


def _needs_native(project: Project, table: Mapping[str, Any], resolve_target: LockTarget) -> bool:
    narrowed = selection.without(
        markers.narrowed(table, resolve_target.target, resolve_target.python), project.exclude_packages
    )
    base = project.dependencies.lock.parent if project.dependencies and project.dependencies.lock else None
    return lock.needs_native(narrowed, resolve_target.target, resolve_target.minor, base=base)


def _write_atomically(lock_file: Path, text: str, old: str) -> None:
    """Write the lock atomically; a file with the same text is not touched."""
    if text == old:
        return
    files.write_text(lock_file, text)


def _note_unknown_packages(upgrade: Upgrade, table: Mapping[str, Any], settings: Settings) -> None:
    """Note the packages that were to be renewed, and are not in the lock."""
    names = [canonicalize_name(str(row.get("name", ""))) for row in table.get("packages", [])]
    for package in upgrade.packages:
        if canonicalize_name(package) not in names:
            text = f"--upgrade-package names {package}, and the lock has no such package{did_you_mean(package, names)}"
            settings.say(Note("upgrade-package", text))


def _report_changes(
    old_table: Mapping[str, Any],
    new_table: Mapping[str, Any],
    lock_file: Path,
    metadata: LockMetadata,
    settings: Settings,
) -> None:
    """Print what the lock holds, and how it differs from the old one."""
    old, new = _versions_by_name(old_table), _versions_by_name(new_table)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name) and old:
            settings.say(f"  {name} {old.get(name, 'was not there')} -> {new.get(name, 'not needed any more')}")
    for name, pin in metadata.runtimes.items():
        settings.say(f"  {name}: CPython {pin.version} from {pin.provider}")
    settings.say(f"{lock_file}: packages: {len(new)}, made from {metadata.request.source}")


def _versions_by_name(table: Mapping[str, Any]) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for row in table.get("packages", []):
        versions.setdefault(str(row.get("name", "?")), []).append(str(row.get("version", "")))
    return {name: ", ".join(package_versions) for name, package_versions in versions.items()}
