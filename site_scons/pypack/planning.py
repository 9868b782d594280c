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
    """Choose a runtime for each target and an interpreter that compiles for each minor version among them."""
    chosen = [(target, runtime(project, target, build=build, settings=settings)) for target in targets]
    kits: dict[str, Step] = {}
    for target, found in chosen:
        if found.minor not in kits and graph.can_compile(target):
            kits[found.minor] = graph.kit(target, found)
    for target, found in chosen:
        if found.minor not in kits:
            raise InputError(
                f"nothing here can compile for {target.name}: that takes a Python {found.minor} that starts here",
                do="build for this host's own target in the same call: target=host,…",
            )
    return [
        graph.Plan(project=project, target=target, runtime=found, build=build, kit=kits[found.minor])
        for target, found in chosen
    ]


def runtime(project: Project, target: Target, *, build: Path, settings: Settings) -> Runtime:
    """Choose the runtime of one target; the choice is recorded below ``build`` and kept."""
    return choose.choose(
        Request(target=target, version=project.python),
        project.runtime,
        settings=settings,
        record=build / "runtime" / target.name / "choice.json",
        user_pins=list(project.pins),
        base=project.folder,
    )
