"""From what was asked for (project, targets, versions) to plans: one for each bundle."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import app, entry_check, folders, graph, imports
from pypack.errors import InputError, PypackError
from pypack.packages import cover, environment, indexes, lock, locked, selection, uv_settings
from pypack.packages.building.builder import Builder
from pypack.pipeline import Context
from pypack.plans import Plan
from pypack.providers import choose, kept, kits
from pypack.providers.base import Request
from pypack.targets import load, raised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypack.pipeline import Settings, Step
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target


def bundles(project: Project, targets: Sequence[Target], *, build: Path, settings: Settings) -> list[Step]:
    """Return the last step for each target."""
    for note in project.notes:
        settings.say(f"  {note}")
    entry_check.check(project)
    locked.check(project, [part for each in targets for part in each.of or (each.name,)], upgrade=settings.upgrade)
    files = app.digest(project, app.memory(project, build))
    steps: list[Step] = []
    faults: list[tuple[str, PypackError]] = []
    for target in targets:
        try:
            steps.append(_bundle(project, target, files, build, settings))
        except PypackError as error:
            faults.append((target.name, error))
    if faults:
        raise _joined(faults, [target.name for target in targets])
    return steps


def _joined(faults: list[tuple[str, PypackError]], names: list[str]) -> PypackError:
    """Return what is wrong with some of the targets as one error; what is the same for several is told once."""
    grouped: dict[str, list[str]] = {}
    for name, error in faults:
        grouped.setdefault(str(error), []).append(name)
    if len(grouped) == 1 and len(faults) == len(names):
        return faults[0][1]
    told = "\n".join(f"{', '.join(which)}: {text}".replace("\n", "\n  ") for text, which in grouped.items())
    wrong = {name for name, _ in faults}
    rest = ",".join(name for name in names if name not in wrong)
    return InputError(
        f"{len(faults)} of {len(names)} targets cannot be built:\n{told}",
        do=f"mend that, or build the others: target={rest}" if rest else "mend that",
    )


def _bundle(project: Project, target: Target, files: str, build: Path, settings: Settings) -> Step:
    if target.of:
        parts = [_bundle(project, load()[part], files, build, settings) for part in target.of]
        return graph.join(project, target, parts)
    return graph.bundle(plan(project, target, files=files, build=build, settings=settings))


def plan(project: Project, target: Target, *, files: str, build: Path, settings: Settings) -> Plan:
    """Choose a runtime for one target, and the interpreter that compiles for it. ``files`` is the app's digest."""
    _check_launch(project, target)
    found = runtime(project, target, build=build, settings=settings)
    target = raised(target, project.floors)  # for the packages: a runtime is built for the lowest
    memory = app.memory(project, build).with_suffix(".imports.json")
    if lacking := imports.lacking(project, found, files=files, memory=memory):
        settings.say(f"  warning: the program imports {', '.join(lacking)}, and this Python comes without")
    interpreter = _interpreter(project, target, found, build, settings)
    return Plan(
        project=project,
        target=target,
        runtime=found,
        files=files,
        build=build,
        kit=graph.kit(*interpreter) if interpreter else None,
        builder=_builder(project, interpreter),
        offline=settings.offline,
    )


def _check_launch(project: Project, target: Target) -> None:
    """Refuse a way of starting Python that the target does not have: musl's is a program, Windows' a library."""
    possible = {"embed"} if target.launch == "embed" else {"exec"} if target.libc == "musl" else {"exec", "embed"}
    if project.launch and project.launch not in possible:
        raise InputError(
            f"launch={project.launch} does not exist for {target.name}, which has {' and '.join(sorted(possible))}",
            do="leave it out, or build that target by itself",
            see="docs/launcher.md",
        )


def _builder(project: Project, interpreter: tuple[Target, Runtime] | None) -> Builder | None:
    if interpreter is None:
        return None
    target, found = interpreter
    base = project.dependencies.base if project.dependencies else project.folder
    return Builder(
        target=target,
        runtime=found,
        folder=base,
        index=uv_settings.fingerprint(base),
        login=indexes.logins(project.dependencies) if project.dependencies else None,
    )


def _interpreter(
    project: Project, target: Target, found: Runtime, build: Path, settings: Settings
) -> tuple[Target, Runtime] | None:
    """Return what compiles for a target: its own runtime where that starts here, else another that does.

    It never depends on which other targets are asked for, so that a bundle's bytes do not either.
    """
    if graph.can_compile(target, found):
        return target, found
    record = build / "runtime" / "compilers.json"
    if settings.upgrade:
        record.unlink(missing_ok=True)
    other = kits.compiler(
        found.version, settings=settings, record=record, user_pins=list(project.pins), base=project.folder
    )
    if other is None:
        settings.say(
            f"  note: nothing here compiles for Python {found.minor}: the bundle for {target.name} holds sources "
            "only, and Python compiles them at every start"
        )
    return other


def runtime(project: Project, target: Target, *, build: Path, settings: Settings) -> Runtime:
    """Choose the runtime of one target; the choice is recorded below ``build``, kept until ``upgrade``, and told."""
    record = build / "runtime" / target.name / "choice.json"
    if settings.upgrade:
        record.unlink(missing_ok=True)

    pin = locked.runtime(project.dependencies, target.name)

    def chosen(*, native: bool) -> Runtime:
        request = Request(target=target, version=project.python, native=native)
        own = list(project.pins)
        if pin and project.dependencies:
            where = str(project.dependencies.file)
            return kept.runtime(
                request, project.runtime, pin, where=where, settings=settings, record=record, user_pins=own,
                base=project.folder,
            )  # fmt: skip
        return choose.choose(
            request, project.runtime, settings=settings, record=record, user_pins=own, base=project.folder
        )

    found = chosen(native=False)
    if found.static and _needs_native(project, target, found, build, settings):
        found = chosen(native=True)
    cover.check_python(project, target, found)
    for note in found.notes:
        settings.say(f"  note: {note}")
    return found


def _needs_native(project: Project, target: Target, found: Runtime, build: Path, settings: Settings) -> bool:
    """Say whether the project's packages contain native code that a static Python cannot load.

    Only a lock tells; where there is none yet, or a new one is wanted, it is made now, and the build takes it over.
    """
    dependencies = project.dependencies
    if dependencies is None or dependencies.kind == "venv":
        return False
    step = graph.resolve(project, raised(target, project.floors), found.version, build)
    path: Path = build / step.product
    stamp, planned = step.params["stamp"], step.params["planned"].value
    if settings.upgrade or not lock.is_current(path, stamp):
        path = planned
    kept = folders.build_cache() / "locks" / f"{stamp}.toml"  # what another checkout resolved from the same
    if not settings.upgrade and not lock.is_current(path, stamp) and lock.is_current(kept, stamp):
        _copy(kept, planned)
    if settings.upgrade or not lock.is_current(path, stamp):
        planned.unlink(missing_ok=True)
        planned.parent.mkdir(parents=True, exist_ok=True)
        settings.say(f"  resolving the packages for {target.name}: native code among them takes another Python")
        part = planned.with_name(f"{planned.name}.part")
        files = tuple(each for each in step.inputs if isinstance(each, Path))
        step.run(Context(product=part, inputs=files, extra=(), params=step.params, settings=settings))
        part.replace(planned)
        with contextlib.suppress(OSError):  # a cache that cannot be written is no fault of the build
            _copy(planned, kept)
    table = environment.narrowed(
        lock.read(path), target, found.version, extras=dependencies.extras, groups=dependencies.groups
    )  # fmt: skip
    table = selection.without(table, project.exclude_packages)
    return lock.needs_native(table, target, found.minor, base=dependencies.base, memory=build / "apps")


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    shutil.copyfile(source, part)
    part.replace(place)
