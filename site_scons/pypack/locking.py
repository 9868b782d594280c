"""``pypack lock``: one pylock.toml for all targets of a program, and whether the one that is there still serves."""

from __future__ import annotations

import os
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pypack import planning
from pypack import targets as rows
from pypack.errors import InputError
from pypack.packages import cover, environment, lock, locked, selection, universal, uv_settings
from pypack.packages.asking import Asking
from pypack.packages.universal import Job, Place
from pypack.providers import choose, kept
from pypack.providers.base import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pypack.packages.inputs import Dependencies
    from pypack.packages.locked import LockedRuntime, Made
    from pypack.packages.universal import Upgrade
    from pypack.pipeline import Settings
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target

_READ = "docs/dependencies.md"
_HEADER = '# Made by "pypack lock", which also renews it.\n'


def targets_of(project: Project) -> tuple[str, ...]:
    """Return the names of the targets that a program's lock is for: as configured, else as the lock has them."""
    place = project.dependencies.lock if project.dependencies else None
    made = locked.read(place) if place and place.is_file() and project.targets == ("host",) else None
    return made.targets if made else project.targets


def write(project: Project, targets: Sequence[Target], *, upgrade: Upgrade, settings: Settings) -> Path:
    """Make or renew the lock of a program (loaded with ``renew``) for some targets, and return where it stands.

    What an older lock has is kept: versions of packages, runtimes.
    """
    dependencies = _lockable(project)
    place = dependencies.lock
    assert place is not None  # inputs.find has settled it
    old = place.read_text(encoding="utf-8") if place.is_file() else ""
    before = lock.read(place) if old else {}
    made = locked.read(place) if old else None
    chosen = _parts(targets)
    keep: Mapping[str, LockedRuntime] = {} if upgrade.everything or made is None else made.runtimes
    runtimes = {each.name: _runtime(project, each, keep.get(each.name), settings) for each in chosen}
    for target in chosen:
        cover.check_python(project, target, runtimes[target.name])
    places = [
        Place(target=rows.raised(each, project.floors), python=runtimes[each.name].version) for each in chosen
    ]  # fmt: skip
    how = Asking(settings=settings, no_binary=project.no_binary, build=not project.no_build)
    text = universal.resolve(
        Job(
            dependencies=dependencies, places=places, old=place, how=how, upgrade=upgrade,
            excluded=project.exclude_packages,
        )
    )  # fmt: skip
    table = tomllib.loads(text)
    for each in places:
        if runtimes[each.target.name].static and _needs_native(project, table, each):
            pinned = keep.get(each.target.name)
            runtimes[each.target.name] = _runtime(project, each.target, pinned, settings, native=True)
    now = locked.Made(
        asked=locked.asked(dependencies, place.parent, locked.options(project)),
        python=min((each.python for each in places), key=Version),
        targets=tuple(each.name for each in chosen),
        runtimes={name: locked.of_runtime(found) for name, found in runtimes.items()},
        settings=uv_settings.fingerprint(dependencies.base),
    )
    _put(place, f"{_HEADER}{text.rstrip()}\n{locked.written(now)}", old)
    _tell(before, table, place, now, settings)
    return place


def check(project: Project, targets: Sequence[Target], *, settings: Settings) -> None:
    """Refuse a lock that a build for ``targets`` could not use. Asks no index, fetches nothing.

    ``project`` is loaded as for a build.
    """
    dependencies = project.dependencies
    if dependencies is None or dependencies.kind != "pylock":
        raise InputError(f"{project.folder} has no pylock.toml", do="run pypack lock", see=_READ)
    chosen = _parts(targets)
    locked.check(project, [each.name for each in chosen])
    table, made = lock.read(dependencies.file), locked.read(dependencies.file)
    quiet = replace(settings, say=lambda _: None)
    with tempfile.TemporaryDirectory(prefix="pypack-") as build:
        for each in chosen:
            found = planning.runtime(project, each, build=Path(build), settings=quiet)
            target = rows.raised(each, project.floors)
            cover.check(table, dependencies, target=target, python=found.version)
            narrowed = environment.narrowed(
                table, target, found.version, extras=dependencies.extras, groups=dependencies.groups
            )
            lock.choose(
                selection.without(narrowed, project.exclude_packages), target, found.minor, static=found.static,
                base=dependencies.base, build=not project.no_build,
            )  # fmt: skip
    settings.say(f"{dependencies.file} serves {', '.join(each.name for each in chosen)}")
    if made and made.settings != uv_settings.fingerprint(dependencies.base):
        settings.say("  note: it was made with other settings of uv than those that hold here")


def _lockable(project: Project) -> Dependencies:
    """Return what names the packages, where a lock can be made of it."""
    dependencies = project.dependencies
    if dependencies is None:
        raise InputError(f"{project.folder} names no packages", do="name them with -r FILE", see=_READ)
    match dependencies.kind:
        case "uv-lock":
            what, do = f"{dependencies.file} is uv's lock, and uv renews it", (
                "run uv lock; or lock what it is made from, with the runtimes: pypack lock -r pyproject.toml"
            )  # fmt: skip
        case "pylock":
            what, do = f"{dependencies.file} is a lock itself", "name what it is made from with -r FILE"
        case "venv":
            what, do = f"the virtual environment {dependencies.file} is taken as it is", "leave out the lock"
        case _:
            return dependencies
    raise InputError(what, do=do, see=_READ)


def _parts(targets: Iterable[Target]) -> list[Target]:
    """Return the targets that packages are chosen for: those of a fat bundle one by one."""
    table = rows.load()
    return list({name: table[name] for each in targets for name in (each.of or (each.name,))}.values())


def _runtime(
    project: Project, target: Target, pin: LockedRuntime | None, settings: Settings, *, native: bool = False
) -> Runtime:
    """Return the runtime that the lock had, as long as that is to be had and is what is asked for; else choose anew."""
    request = Request(target=target, version=project.python, native=native)
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        record, own = Path(folder) / "choice.json", list(project.pins)
        if pin:
            try:
                return kept.runtime(
                    request, project.runtime, pin, where="the lock", settings=settings, record=record, user_pins=own,
                    base=project.folder,
                )  # fmt: skip
            except InputError as error:
                settings.say(f"  {error.what}: another one is chosen")
        return choose.choose(
            request, project.runtime, settings=settings, record=record, user_pins=own, base=project.folder
        )


def _needs_native(project: Project, table: Mapping[str, Any], place: Place) -> bool:
    narrowed = selection.without(environment.narrowed(table, place.target, place.python), project.exclude_packages)
    base = project.dependencies.lock.parent if project.dependencies and project.dependencies.lock else None
    return lock.needs_native(narrowed, place.target, place.minor, base=base)


def _put(place: Path, text: str, old: str) -> None:
    """Write the lock whole or not at all; one that says the same stays as it is."""
    if text == old:
        return
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _tell(before: Mapping[str, Any], after: Mapping[str, Any], place: Path, made: Made, settings: Settings) -> None:
    """Say what the lock holds, and how that differs from what it held."""
    old, new = _versions(before), _versions(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name) and old:
            settings.say(f"  {name} {old.get(name, 'was not there')} -> {new.get(name, 'not needed any more')}")
    for name, pin in made.runtimes.items():
        settings.say(f"  {name}: CPython {pin.version} from {pin.provider}")
    settings.say(f"{place}: packages: {len(new)}, made from {made.asked.source}")


def _versions(table: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for row in table.get("packages", []):
        found.setdefault(str(row.get("name", "?")), []).append(str(row.get("version", "")))
    return {name: ", ".join(versions) for name, versions in found.items()}
