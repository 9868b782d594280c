"""The steps of the report: what is in the bundles that were made, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import graph
from pypack.bundle import report
from pypack.packages import environment, parts, reasons
from pypack.pipeline import Hidden, Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.plans import Plan
    from pypack.project import Project


def plans(step: Step) -> list[Plan]:
    """Return what a finished bundle was planned as: one, or one for each processor in it."""
    if "plan" in step.params:
        return [step.params["plan"].value]
    return [plan for each in step.inputs if isinstance(each, Step) for plan in plans(each)]


def one(plan: Plan, place: Path) -> Step:
    """Return the step that tells what is in the bundle of ``plan`` and why; ``place`` is the finished file."""
    project, runtime = plan.project, plan.runtime
    dependencies = project.dependencies
    image = graph.compiled_runtime(plan)
    inputs: tuple[Step | Path, ...] = (place, image)
    expand = None
    if dependencies is not None:
        locked, images = graph.packages(plan)
        inputs = (locked, place, image, graph.deps(plan)[1])
        expand = parts.contents_steps(images, plan.target)
    return Step(
        product=f"{plan.place}/report.json",
        action="report",
        version=1,
        run=report.run_report,
        inputs=inputs,
        params={
            "target": plan.target.name,
            "stdlib": plan.target.layout.at(runtime.minor).stdlib,
            "python": f"{runtime.version} ({runtime.provider})",
            "packages": dependencies is not None,
            "from": dependencies.described if dependencies else "",
            "direct": list(reasons.direct(dependencies)) if dependencies else [],
            "markers": environment.of(plan.target, runtime.version),
            "files": plan.files,
            "include": list(project.include),
            "project": Hidden(project),
        },
        expand=expand,
        cached=False,
    )


def whole(project: Project, parts: list[Step]) -> Step:
    """Return the step that puts the reports of all bundles into one file."""
    return Step(
        product=f"apps/{project.name}/report.json",
        action="report",
        version=1,
        run=report.run_reports,
        inputs=tuple(parts),
        cached=False,
    )
