"""The graph of one bundle as a readable list of steps. No SCons here: the bridge turns steps into nodes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pypack import app, bytecode, fetch, hosts, stub
from pypack.bundle import facts, layer, manifest, writer
from pypack.packages import lock, wheels
from pypack.pipeline import Hidden, Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target

OPTIONS = ("-I", "-S", "-B")
"""How Python is started: isolated, without ``site``, and it never writes bytecode into a layer."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that one bundle is made from. ``build`` is the folder of products, on the disk."""

    project: Project
    target: Target
    runtime: Runtime
    build: Path
    kit: Step
    offline: bool = False

    @property
    def place(self) -> str:
        """Folder below ``build/`` for what is made of the project for this target."""
        return f"apps/{self.project.name}/{self.target.name}"


def bundle(plan: Plan) -> Step:
    """Return the last step: the finished bundle."""
    project, target, runtime = plan.project, plan.target, plan.runtime
    at = target.layout.at(runtime.minor)
    inputs: list[Step] = [stub.steps(target), app_image(plan), *_layer(plan, "runtime", compiled_runtime(plan))]
    if project.requirements is not None:
        inputs += _layer(plan, "deps", compiled_deps(plan))
    return Step(
        product=f"{plan.place}/{project.name}{target.suffix}",
        action="bundle",
        version=1,
        run=writer.run_bundle,
        inputs=tuple(inputs),
        params={
            "name": project.name,
            "version": project.version,
            "target": target.name,
            "mode": project.mode,
            "launch": target.launch,
            "python": at.python,
            "site": at.site_packages,
            "options": list(OPTIONS),
            "entry": asdict(project.entry),
            "sources": project.sources,
            "runtime": {"provider": runtime.provider, "version": runtime.version, "static": runtime.static},
            "pins": [{"file": pin.file, "sha256": pin.sha256} for pin in runtime.pins],
            "tools": manifest.tool_versions(),
        },
        cached=False,
    )


def kit(target: Target, runtime: Runtime) -> Step:
    """Return the step of the small image that compiles Python for ``runtime``'s minor version."""
    at = target.layout.at(runtime.minor)
    return Step(
        product=f"{runtime.place}/kit.tar",
        action="kit",
        version=1,
        run=bytecode.run_kit,
        inputs=(runtime.image,),
        params={"members": list(bytecode.kit_members(at))},
    )


def starts_here(target: Target) -> bool:
    """Say whether a bundle for ``target`` can be started on this host without help."""
    return target.system == hosts.system() and target.arch == hosts.arch() and target.libc in {hosts.libc(), "musl"}


def can_compile(target: Target, runtime: Runtime) -> bool:
    """Say whether ``runtime`` itself can be started on this host: a shared musl one needs musl's loader."""
    return starts_here(target) and (target.libc == hosts.libc() or runtime.static)


def compiled_runtime(plan: Plan) -> Step:
    """Return the step that adds bytecode to the runtime image."""
    at = plan.target.layout.at(plan.runtime.minor)
    return _compile(plan, plan.runtime.image, f"{plan.runtime.place}/compiled", below=f"{at.stdlib}/")


def compiled_deps(plan: Plan) -> Step:
    """Return the steps from requirements to an image of packages with bytecode."""
    project, target, runtime = plan.project, plan.target, plan.runtime
    assert project.requirements is not None  # the caller asks only then
    files = lock.requirement_files(project.requirements)
    settings = {
        "target": target.name,
        "platform": target.uv,
        "python": runtime.version,
        "uv": manifest.version("uv"),
        "index": lock.index_fingerprint(project.requirements.parent),
    }
    stamp = lock.stamp(settings, files)
    resolve = Step(
        product=f"{plan.place}/pylock.toml",
        action="resolve",
        version=1,
        run=lock.run_resolve,
        inputs=tuple(files),
        params={**settings, "stamp": stamp},
    )

    def wheel_steps(path: Path) -> tuple[Step, ...]:
        table, base = lock.read(path, stamp=stamp), files[0].parent
        chosen = lock.choose_wheels(table, target, runtime.minor, static=runtime.static, base=base)
        if plan.offline:
            lock.check_offline(chosen)
        return tuple(fetch.step(wheel.pin) for wheel in chosen)

    deps = Step(
        product=f"{plan.place}/deps.tar", action="deps", version=1, run=wheels.run_deps, inputs=(resolve,),
        expand=wheel_steps,
    )  # fmt: skip
    return _compile(plan, deps, f"{plan.place}/deps.compiled", below=f"{wheels.SITE}/")


def app_image(plan: Plan) -> Step:
    """Return the step of the app's own image; targets that share an interpreter to compile with share it."""
    project, minor = plan.project, plan.runtime.minor
    app.check_entry(project)
    compiler = plan.kit.product.removesuffix("/kit.tar").replace("/", "-").replace("runtime", "app", 1)
    memory = plan.build / "apps" / f"{hashlib.sha256(str(project.root).encode()).hexdigest()[:16]}.files.json"
    return Step(
        product=f"apps/{project.name}/{compiler}{'' if project.sources else '-nosource'}.tar",
        action="app",
        version=1,
        run=app.run_app,
        inputs=(plan.kit,),
        params={
            "project": Hidden(project),
            "files": app.digest(project, memory),
            "boot": app.boot_digest(),
            "minor": minor,
            "python": plan.kit.params["members"][0],
            "sources": project.sources,
        },
    )


def _compile(plan: Plan, image: Step, product: str, *, below: str) -> Step:
    sources = plan.project.sources
    return Step(
        product=f"{product}{'' if sources else '-nosource'}.tar",
        action="compile",
        version=1,
        run=bytecode.run_compile,
        inputs=(image, plan.kit),
        params={
            "minor": plan.runtime.minor,
            "python": plan.kit.params["members"][0],
            "sources": sources,
            "optimize": 0,
            "below": below,
        },
    )


def _layer(plan: Plan, kind: str, image: Step) -> list[Step]:
    """Return the layer of ``image`` and its facts."""
    stem = image.product.removesuffix(".tar")
    at = plan.target.layout.at(plan.runtime.minor)
    sentinels = [at.python, f"{at.stdlib}/encodings/__init__.py|{at.stdlib}/encodings/__init__.pyc"]
    profile = plan.project.profile
    return [
        Step(
            product=f"{stem}.{profile}.layer",
            action="layer",
            version=1,
            run=layer.run_layer,
            inputs=(image,),
            params={"profile": profile, "zstandard": manifest.version("zstandard")},
        ),
        Step(
            product=f"{stem}.facts.json",
            action="facts",
            version=2,
            run=facts.run_facts,
            inputs=(image,),
            params={"sentinels": sentinels if kind == "runtime" else []},
        ),
    ]
