"""From what was asked for (project, targets, versions) to plans: one for each bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import graph
from pypack.errors import InputError
from pypack.providers import choose
from pypack.providers.base import Request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pypack.pipeline import Settings, Step
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target


def plans(project: Project, targets: Sequence[Target], *, build: Path, settings: Settings) -> list[graph.Plan]:
    """Choose a runtime for each target, and the interpreter that compiles for it.

    A runtime that starts on this host compiles for itself, so that its bundle does not depend on which other targets
    are asked for; the others borrow one of the same version, or at least of the same minor version.
    """
    for note in project.notes:
        settings.say(f"  {note}")
    chosen = [(target, runtime(project, target, build=build, settings=settings)) for target in targets]
    own = [(found, graph.kit(target, found)) for target, found in chosen if graph.can_compile(target, found)]
    return [
        graph.Plan(
            project=project,
            target=target,
            runtime=found,
            build=build,
            kit=_compiler(target, found, own),
            offline=settings.offline,
        )
        for target, found in chosen
    ]


def _compiler(target: Target, found: Runtime, own: list[tuple[Runtime, Step]]) -> Step:
    for fits in (lambda other: other is found, lambda other: other.version == found.version,
                 lambda other: other.minor == found.minor):  # fmt: skip
        kit = next((kit for other, kit in own if fits(other)), None)
        if kit is not None:
            return kit
    raise InputError(
        f"nothing here can compile for {target.name}: that takes a Python {found.minor} that starts here",
        do="build for this host's own target in the same call: target=host,…",
    )


def runtime(project: Project, target: Target, *, build: Path, settings: Settings) -> Runtime:
    """Choose the runtime of one target; the choice is recorded below ``build``, kept until ``upgrade``, and told."""
    record = build / "runtime" / target.name / "choice.json"
    if settings.upgrade:
        record.unlink(missing_ok=True)
    found = choose.choose(
        Request(target=target, version=project.python),
        project.runtime,
        settings=settings,
        record=record,
        user_pins=list(project.pins),
        base=project.folder,
    )
    for note in found.notes:
        settings.say(f"  note: {note}")
    return found
