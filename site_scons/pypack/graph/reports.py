"""The steps of the report: what the bundles contain, and why."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pypack.deps import layer_steps, markers, reasons
from pypack.graph import bundles, report
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pypack.plan.model import Plan
    from pypack.project.program import Project


def one(plan: Plan, bundle: Step) -> Step:
    """Return the step that reports the files of ``plan`` in ``bundle``, which may serve other processors too."""
    runtime, dependencies = plan.runtime, plan.project.dependencies
    inputs = [bundle, bundles.compiled_runtime(plan)]
    if dependencies is not None:
        inputs += [
            bundles.deps_steps(plan)[1],
            *(layer_steps.contents_step(image, plan.target) for image in bundles.wheel_images(plan)),
        ]
    return Step(
        product=f"{plan.output_dir}/report-{bundle.key[:8]}.json",  # a program may be bundled in several ways
        action="report",
        version=2,
        run=report.run_report,
        inputs=tuple(inputs),
        params={
            "target": plan.target.name,
            "stdlib": plan.target.layout.at(runtime.minor).stdlib,
            "python": f"{runtime.version} ({runtime.provider})",
            "packages": dependencies is not None,
            "from": dependencies.described if dependencies else "",
            "direct": list(reasons.direct(dependencies)) if dependencies else [],
            "markers": markers.environment(plan.target, runtime.version),
            "files": plan.files,
            "include": list(plan.project.include),
        },
        unhashed={"project": plan.project},
        cached=False,
    )


def whole(project: Project, parts: list[Step]) -> Step:
    """Return the step that merges the reports of all bundles into one file."""
    names = ",".join(step.product for step in parts)  # one program may be reported for other targets besides
    return Step(
        product=f"apps/{project.name}/report-{hashlib.sha256(names.encode()).hexdigest()[:8]}.json",
        action="report",
        version=1,
        run=report.run_reports,
        inputs=tuple(parts),
        cached=False,
    )
