"""Plans as JSON values and as lines for people: every choice by name and hash, before anything is built."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.bundle import manifest
from pypack.graph import bundles
from pypack.project.program import Project
from pypack.steps.step import Step, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pypack.download.pins import Pin
    from pypack.plan.model import BundlePlan, Packages, Plan
    from pypack.runtimes.base import Runtime
    from pypack.steps.producer import Producer

_NOT_SETTINGS = {
    "root",
    "folder",
    "only",
    "manifest",
    "dependencies",
    "outputs",
    "notes",
    "pins",
    "under",
    "bare",
    "quiet",
}
"""Fields of a project that say where it is, not how to bundle it."""


def as_json(program: Project, plans: Sequence[BundlePlan]) -> dict[str, Any]:
    """Return the plans as JSON values.

    ``bundles`` holds for each file to write: ``target``, ``key`` (the cache key of the last step), ``steps`` (how many
    there are), and ``parts``, one for each processor. A part names the runtime, the compiler, the packages and the app
    by version and SHA-256.
    """
    settings = _settings_json(program)
    return {
        "name": program.name,
        "version": program.version,
        "settings": {"values": settings, "sha256": _sha256(settings)},
        "tools": manifest.tool_versions(),
        "bundles": [_bundle_json(plan) for plan in plans],
    }


def lines(plans: Sequence[BundlePlan], producer: Producer | None = None) -> Iterator[str]:
    """Yield a summary of the plans; ``producer`` says how many products the step cache has."""
    for plan in plans:
        steps = all_steps(bundles.bundle(plan))
        cached = sum(producer.is_cached(step) for step in steps) if producer else 0
        yield f"{plan.target.name}: {len(steps)} steps, {cached} of them in the step cache"
        for part in plan.parts:
            yield f"  Python {part.runtime.version} from {part.runtime.provider}"
            if part.packages is not None:
                yield f"  packages: {_package_counts(part.packages)}"
        yield f"  key {bundles.bundle(plan).key}"


def all_steps(last: Step) -> list[Step]:
    """Return a step and all steps that it depends on, each product once."""
    steps: dict[str, Step] = {}
    pending = [last]
    while pending:
        step = pending.pop()
        if step.product not in steps:
            steps[step.product] = step
            pending += [step_input for step_input in step.inputs if isinstance(step_input, Step)]
    return list(steps.values())


def _package_counts(packages: Packages) -> str:
    kinds = {"wheels": packages.wheels, "built from source": packages.sources, "installed": packages.installed}
    return ", ".join(f"{len(rows)} {kind}" for kind, rows in kinds.items() if rows) or "none"


def _bundle_json(plan: BundlePlan) -> dict[str, Any]:
    last = bundles.bundle(plan)
    return {
        "target": plan.target.name,
        "key": last.key,
        "steps": len(all_steps(last)),
        "parts": [_part_json(part) for part in plan.parts],
    }


def _part_json(plan: Plan) -> dict[str, Any]:
    return {
        "target": plan.target.name,
        "floor": plan.target.floor,
        "runtime": _runtime_json(plan.runtime),
        "compiler": _runtime_json(plan.builder.runtime) if plan.builder else None,
        "app": {"sha256": plan.files, "source": plan.project_source.digest if plan.project_source else None},
        "packages": _packages_json(plan.packages) if plan.packages else None,
    }


def _runtime_json(runtime: Runtime) -> dict[str, Any]:
    return {
        "provider": runtime.provider,
        "version": runtime.version,
        "static": runtime.static,
        "key": runtime.image.key,
        "files": [_pin_json(pin) for pin in runtime.pins],
    }


def _pin_json(pin: Pin) -> dict[str, Any]:
    return {"file": pin.file, "sha256": pin.sha256}


def _packages_json(packages: Packages) -> dict[str, Any]:
    return {
        "lock": {"sha256": file_digest(packages.lock), "made_from": packages.stamp},
        "wheels": [
            {"name": package.distribution, "version": package.version, **_pin_json(package.pin)}
            for package in packages.wheels
        ],
        "sources": [
            {
                "name": package.distribution,
                "version": package.version,
                "native": package.native,
                "sha256": package.digest,
                "file": package.pin.file if package.pin else None,
            }
            for package in packages.sources
        ],
        "installed": [
            {"name": package.name, "version": package.version, "sha256": digest}
            for package, digest in packages.installed
        ],
    }


def _settings_json(program: Project) -> dict[str, Any]:
    """Return the settings of a program as JSON values; a file stands as its name and hash."""
    names = [field.name for field in fields(Project) if field.name not in _NOT_SETTINGS]
    return {name: _value_json(getattr(program, name)) for name in names}


def _value_json(value: object) -> Any:  # noqa: ANN401 - a JSON value
    match value:
        case Path():
            return {"file": value.name, "sha256": file_digest(value)}
        case dict():
            return {str(key): _value_json(item) for key, item in value.items()}
        case tuple() | list():
            return [_value_json(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: _value_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def _sha256(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
