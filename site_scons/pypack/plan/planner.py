"""Makes plans from a project, targets and versions. Makes locks where needed, and builds nothing."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from pypack.base import files, variables
from pypack.base.notes import Note
from pypack.base.targets import floor_name, load, raised
from pypack.bytecode import compiler_image
from pypack.deps import indexes, lock, lock_checks, lock_metadata, markers, uv_settings
from pypack.deps.build import build_constraints, folder, native, version_control
from pypack.deps.build.builder import Builder
from pypack.deps.build.source import Source
from pypack.errors import InputError, PypackError
from pypack.formats import selection
from pypack.plan.locks import Locks
from pypack.plan.model import BundlePlan, Packages, Plan
from pypack.plan.runtimes import find_runtime
from pypack.project import app, entry_check, imports
from pypack.runtimes import compilers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.deps.venv import Installed
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime
    from pypack.steps.cache import StepCache
    from pypack.steps.step import Settings

_DOCS = "docs/settings.md"


def bundles(
    project: Project, targets: Sequence[Target], *, build: Path, settings: Settings, cache: StepCache | None = None
) -> list[BundlePlan]:
    """Return the plans of the bundles of ``targets``, made in parallel; all faults are raised as one error.

    ``build`` is the folder of the locks and of the choices that hold until ``settings.upgrade``; ``cache`` has the
    locks of earlier builds, for when ``build`` is empty.
    """
    known = (*variables.OF_BUILDS, *variables.OF_BUNDLES)
    for note in (*variables.notes(os.environ, known, kind="environment variable"), *project.notes):
        settings.say(note)
    entry_check.check(project)
    lock_metadata.check(
        project, [part for target in targets for part in target.of or (target.name,)], upgrade=settings.upgrade
    )
    planner = _Planner(
        project=project,
        settings=settings,
        locks=Locks(build=build, cache=cache),
        files=app.digest(project, app.memory(project, build)),
        project_source=_project_source(project, build),
        installed=_read_installed(project, build),
    )
    with ThreadPoolExecutor(max_workers=settings.jobs) as pool:
        results = list(pool.map(planner.attempt, targets))
    plans: list[BundlePlan] = []
    faults: list[tuple[str, PypackError]] = []
    for target, (lines, result) in zip(targets, results, strict=True):
        for line in lines:
            settings.say(line)
        if isinstance(result, PypackError):
            faults.append((target.name, result))
        else:
            plans.append(result)
    if faults:
        raise _join_faults(faults, [target.name for target in targets])
    return plans


def _join_faults(faults: list[tuple[str, PypackError]], names: list[str]) -> PypackError:
    """Return one error for the targets that cannot be built; a fault that several share appears once."""
    grouped: dict[str, list[str]] = {}
    for name, error in faults:
        grouped.setdefault(str(error), []).append(name)
    if len(grouped) == 1 and len(faults) == len(names):
        return faults[0][1]
    message = "\n".join(
        f"{', '.join(target_names)}: {text}".replace("\n", "\n  ") for text, target_names in grouped.items()
    )
    failed = {name for name, _ in faults}
    others = ",".join(name for name in names if name not in failed)
    return InputError(
        f"{len(faults)} of {len(names)} targets cannot be built:\n{message}",
        hint=f"mend that, or build the others: target={others}" if others else "mend that",
        docs=_DOCS,
    )


@dataclass(frozen=True, kw_only=True)
class _Planner:
    """Plans one program's bundles. ``files`` is the digest of the app, ``project_source`` the program as source;
    ``installed`` are the distributions in its virtual environment.
    """

    project: Project
    settings: Settings
    locks: Locks
    files: str
    project_source: Source | None
    installed: tuple[tuple[Installed, str], ...]
    guard: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, target: Target) -> tuple[list[str], BundlePlan | PypackError]:
        """Plan one bundle; return the lines to print, and the plan or the error."""
        lines: list[str] = []
        settings = replace(self.settings, say=lines.append)
        try:
            parts = [load()[name] for name in target.of] or [target]
            return lines, BundlePlan(target=target, parts=tuple(self._plan(part, settings) for part in parts))
        except PypackError as error:
            return lines, error
        except OSError as error:
            return lines, files.disk_error(error, self.locks.build)

    def _plan(self, target: Target, settings: Settings) -> Plan:
        project = self.project
        _check_launch(project, target)
        chosen_runtime = runtime(project, target, locks=self.locks, settings=settings)
        usual, target = target, _package_target(project, target, chosen_runtime, settings)
        memory = app.memory(project, self.locks.build).with_suffix(".imports.json")
        if missing := imports.missing_modules(project, chosen_runtime, files=self.files, memory=memory):
            text = f"the program imports {', '.join(missing)}, and this Python comes without"
            settings.say(Note("missing-modules", text))
        with self.guard:  # targets share the choice
            interpreter = _choose_interpreter(project, target, chosen_runtime, self.locks.build, settings)
        return Plan(
            project=project,
            target=target,
            runtime=chosen_runtime,
            files=self.files,
            compiler_image=compiler_image.step(*interpreter) if interpreter else None,
            builder=_package_builder(project, interpreter),
            project_source=self.project_source,
            packages=self._packages(target, usual, chosen_runtime, settings),
        )

    def _packages(self, target: Target, usual: Target, runtime: Runtime, settings: Settings) -> Packages | None:
        """Choose the packages of one target from its lock, which is renewed first where it is stale.

        ``usual`` is the target with its own floor.
        """
        project = self.project
        dependencies = project.dependencies
        if dependencies is None:
            return None
        by_runtime = target.floor != usual.floor and floor_name(target) not in project.floors
        file, stamp = self.locks.current(
            project, target, runtime.version, settings, self.installed, usual=usual if by_runtime else None
        )
        if dependencies.kind == "venv":
            from pypack.deps import venv

            venv.check(
                dependencies.file,
                [distribution for distribution, _ in self.installed],
                target,
                runtime.minor,
                static=runtime.static,
            )
            names = tuple(distribution.name for distribution, _ in self.installed)
            return Packages(lock=file, stamp=stamp, names=names, installed=self.installed)
        lock_table = markers.narrowed(
            lock.read(file), target, runtime.version, extras=dependencies.extras, groups=dependencies.groups
        )
        wheels, sources = lock.choose(
            selection.without(lock_table, project.exclude_packages), target, runtime.minor, static=runtime.static,
            base=dependencies.base, memory=self.locks.build / "apps", build=not project.no_build,
            login=indexes.logins(dependencies),
        )  # fmt: skip
        names = tuple(str(row.get("name", "")) for row in lock.read(file).get("packages", []))
        return Packages(lock=file, stamp=stamp, names=names, wheels=tuple(wheels), sources=tuple(sources))


def _package_target(project: Project, target: Target, runtime: Runtime, settings: Settings) -> Target:
    """Return the target with the floor that packages are chosen for: the user's, else what the runtime needs anyway."""
    name = floor_name(target)
    if name in project.floors or not runtime.floor or Version(runtime.floor) <= Version(target.floor):
        return raised(target, project.floors)
    if project.dependencies and project.dependencies.kind != "venv":
        text = (
            f"packages are chosen for {name} {runtime.floor}, which this runtime needs anyway"
            f" (--floor {name}={target.floor} chooses older wheels)"
        )
        settings.say(Note("packages-floor", text))
    return raised(target, {name: runtime.floor})


def _project_source(project: Project, build: Path) -> Source | None:
    """Return the source distribution of the program itself; None where it is not a distribution."""
    if not project.package:
        return None
    assert project.manifest is not None  # that it is a distribution is known from it
    project_folder = folder.read(project.folder, build / "apps")
    return Source(
        distribution=project.manifest.name or project.name,
        version=project.manifest.version,
        native=native.of_folder(project_folder),
        digest=project_folder.digest,
        project=project_folder,
        environment=version_control.variables("" if project.manifest.version else project.version),
    )


def _read_installed(project: Project, build: Path) -> tuple[tuple[Installed, str], ...]:
    """Return the distributions in the virtual environment, each with the digest of its files."""
    if project.dependencies is None or project.dependencies.kind != "venv":
        return ()
    from pypack.deps import venv

    memory = app.memory(project, build).with_suffix(".venv")
    project_name = project.manifest.name if project.manifest else ""
    requirements = project.manifest.dependencies if project.manifest else ()
    return tuple(
        (distribution, distribution.digest(memory / f"{distribution.info}.json"))
        for distribution in venv.installed(project.dependencies.file, program=project_name, requirements=requirements)
        if not selection.is_out(distribution.name, project.exclude_packages)
    )


def _check_launch(project: Project, target: Target) -> None:
    """Refuse a ``launch`` that the target does not support: musl runs Python as a program, Windows as a library."""
    if project.launch and project.launch not in target.launches:
        raise InputError(
            f"launch={project.launch} does not exist for {target.name}, which has {' and '.join(target.launches)}",
            hint="leave it out, or build that target by itself",
            docs="docs/launcher.md",
        )


def _package_builder(project: Project, interpreter: tuple[Target, Runtime] | None) -> Builder | None:
    if interpreter is None:
        return None
    target, runtime = interpreter
    base = project.dependencies.base if project.dependencies else project.folder
    return Builder(
        target=target,
        runtime=runtime,
        folder=base,
        index=uv_settings.fingerprint(base),
        constraints=build_constraints.read(base),
        login=indexes.logins(project.dependencies) if project.dependencies else None,
    )


def _choose_interpreter(
    project: Project, target: Target, runtime: Runtime, build: Path, settings: Settings
) -> tuple[Target, Runtime] | None:
    """Return the interpreter that compiles for a target: its own runtime if that runs on this host, else another.

    The choice never depends on the other targets of the build, so that a bundle's bytes do not either.
    """
    if compiler_image.can_compile(target, runtime):
        return target, runtime
    record = build / "runtime" / "compilers.json"
    if settings.upgrade:
        record.unlink(missing_ok=True)
    compiler = compilers.compiler(
        runtime.version, settings=settings, record=record, user_pins=list(project.pins), base=project.folder
    )
    if compiler is None:
        text = (
            f"nothing here compiles for Python {runtime.minor}: the bundle for {target.name} holds sources "
            "only, and Python compiles them at every start"
        )
        settings.say(Note("sources-only", text))
    return compiler


def runtime(project: Project, target: Target, *, locks: Locks, settings: Settings) -> Runtime:
    """Choose and print the runtime of one target; a record beside the locks keeps the choice until ``upgrade``."""
    record = locks.build / "runtime" / target.name / "choice.json"
    if settings.upgrade:
        record.unlink(missing_ok=True)
    pin = lock_metadata.runtime(project.dependencies, target.name)
    lock = str(project.dependencies.file) if project.dependencies else ""
    chosen_runtime = find_runtime(project, target, pin, lock=lock, record=record, settings=settings)
    if chosen_runtime.static and _needs_native(project, target, chosen_runtime, settings, locks):
        chosen_runtime = find_runtime(project, target, pin, lock=lock, record=record, settings=settings, native=True)
    lock_checks.check_python(project, target, chosen_runtime)
    for note in chosen_runtime.notes:
        settings.say(note)
    return chosen_runtime


def _needs_native(project: Project, target: Target, runtime: Runtime, settings: Settings, locks: Locks) -> bool:
    """Say whether the project's packages contain native code that a static Python cannot load."""
    dependencies = project.dependencies
    if dependencies is None or dependencies.kind == "venv":
        return False
    target = raised(target, project.floors)
    file, _ = locks.current(project, target, runtime.version, settings)
    table = markers.narrowed(
        lock.read(file), target, runtime.version, extras=dependencies.extras, groups=dependencies.groups
    )  # fmt: skip
    table = selection.without(table, project.exclude_packages)
    return lock.needs_native(table, target, runtime.minor, base=dependencies.base, memory=locks.build / "apps")
