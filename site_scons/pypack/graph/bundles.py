"""The graph of one bundle as a list of steps. :mod:`pypack.scons.tool` turns the steps into nodes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pypack.bundle import manifest
from pypack.bytecode import pyc
from pypack.deps import layer_steps, markers
from pypack.download import fetch
from pypack.formats import selection
from pypack.formats.binaries import loading
from pypack.launcher import stub
from pypack.project import app
from pypack.steps.step import Step, lazy_import

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.bundle import identity
    from pypack.deps.build.source import Source
    from pypack.deps.venv import Installed
    from pypack.plan.model import BundlePlan, Plan
    from pypack.project.program import Project


def bundle(plan: BundlePlan) -> Step:
    """Return the last step of a bundle; bundles of several processors are joined in one file."""
    steps = [_signed_bundle(part) for part in plan.parts]
    return join(plan.parts[0].project, plan.target, steps) if plan.target.of else steps[0]


def _signed_bundle(plan: Plan) -> Step:
    """Return the step of the bundle of one processor, signed where an identity for it is configured."""
    bundle_step = _unsigned_bundle(plan)
    sign = _signing_identity(plan)
    if sign is None:
        return bundle_step
    from pypack.bundle import identity, writer

    product = f"{plan.output_dir}/signed/{plan.project.name}"
    return identity.sign_bundle_step(product, bundle_step, sign, identifier=writer.identifier(plan.project.name))


def _signing_identity(plan: Plan) -> identity.Sign | None:
    return plan.project.sign if plan.target.container == "macho" else None


def _sign_image(plan: Plan, kind: str, image: Step) -> Step:
    """Return ``image`` with all native code in it signed: Apple's notary service checks every file of a program."""
    sign = _signing_identity(plan)
    if sign is None:
        return image
    from pypack.bundle import identity

    return identity.sign_image_step(f"{plan.output_dir}/{kind}.signed.tar", image, sign)


def _unsigned_bundle(plan: Plan) -> Step:
    project, target, runtime = plan.project, plan.target, plan.runtime
    at = target.layout.at(runtime.minor)
    inputs: list[Step] = [
        _stub_step(plan),
        _sign_image(plan, "app", app_image(plan)),
        *_layer_steps(plan, "runtime", compiled_runtime(plan)),
    ]
    deps = deps_steps(plan)
    inputs += [*deps, check_step(plan, deps[1] if deps else None)]
    return Step(
        product=f"{plan.output_dir}/{project.name}{target.suffix}",
        action="bundle",
        version=5,
        run=lazy_import("pypack.bundle.writer:run_bundle"),
        inputs=tuple(inputs),
        params={
            "name": project.name,
            "version": "" if project.package and not project.version.strip("0") else project.version,
            "target": target.name,
            "container": target.container,
            "arch": target.arch,
            "libc": target.libc,
            "suffixes": list(loading.suffixes(target, runtime.minor, static=runtime.static)),
            "mode": project.mode,
            "startup": project.startup,
            "launch": plan.launch,
            "environment": project.environment,
            "python": at.python,
            "libpython": at.libpython if plan.launch == "embed" else "",
            "loader": runtime.loader,
            "site": at.site_packages,
            "stdlib": at.stdlib,
            "self_commands": project.self_commands,
            "interpreter": project.interpreter,
            "scripts_on_path": project.scripts_on_path,
            "options": options(project.optimize),
            "package": project.package,
            "optimize": project.optimize,
            "entry": asdict(project.entry),
            "sources": plan.sources,
            "runtime": {"provider": runtime.provider, "version": runtime.version, "static": runtime.static},
            "compiler": plan.compiler_id if plan.compiler_image else "",
            "pins": [{"file": pin.file, "sha256": pin.sha256} for pin in runtime.pins],
            "tools": manifest.tool_versions(),
        },
        cached=False,
    )


def check_step(plan: Plan, deps_facts: Step | None) -> Step:
    """Return the step that compares the bundle's parts with what the program says that it is."""
    project = plan.project
    manifest_of = project.manifest
    wheel = _wheel_archive_step(plan, plan.project_source) if plan.project_source else None
    roles = {"app": app_image(plan), "wheel": wheel, "compiler": plan.compiler_image, "deps": deps_facts}
    given = {role: step for role, step in roles.items() if step}
    dependencies = project.dependencies
    params = {
        "roles": list(given),
        "name": (manifest_of.name if manifest_of else "") or project.name,
        "requires": list(_stated_requirements(plan)),
        "extras": list(dependencies.extras) if dependencies else [],
        "markers": markers.environment(plan.target, plan.runtime.version),
        "exclude": list(project.exclude_packages),
        "origin": dependencies.described if dependencies else "",
        "entry": asdict(project.entry),
        "commands": sorted({*manifest_of.scripts, *manifest_of.gui_scripts}) if manifest_of else [],
        "scan": not project.package and not project.bare,
        "files": plan.files,
        "source": plan.project_source.digest if plan.project_source else "",
        "minor": plan.runtime.minor,
        "python": plan.compiler["python"],
        "lenient": project.environment == "standard",
    }
    content = ("files", "source")
    settings = {key: value for key, value in params.items() if key not in content}
    way = json.dumps([settings, [step.product for step in given.values()]], sort_keys=True)
    return Step(  # a program may be bundled in several ways
        product=f"{plan.output_dir}/check-{hashlib.sha256(way.encode()).hexdigest()[:8]}.json",
        action="check",
        version=4,
        run=lazy_import("pypack.project.bundle_check:run_check"),
        inputs=tuple(given.values()),
        params=params,
        unhashed={"project": project},
    )


def _stated_requirements(plan: Plan) -> list[str]:
    """Return the requirements in the manifest of a program that no build backend makes a wheel of."""
    project = plan.project
    if project.manifest is None or project.package or project.bare:
        return []
    extras = project.dependencies.extras if project.dependencies else ()
    return list(project.manifest.chosen(extras, ()))


def options(optimize: int) -> list[str]:
    """Return the options that Python is started with; ``-O`` and ``-OO`` also say which bytecode it looks for."""
    return [f"-{'O' * optimize}"] if optimize else []


def _stub_step(plan: Plan) -> Step:
    subsystem: stub.Subsystem = "console" if plan.project.console else "gui"
    resources_step = None
    if plan.target.container == "pe":
        from pypack.launcher import resources

        resources_step = resources.step(plan.project, plan.target)
    return stub.steps(plan.target, subsystem=subsystem, resources=resources_step, launch=plan.launch)


def join(project: Project, target: Target, parts: list[Step]) -> Step:
    """Return the step that joins the bundles of several processors in one file."""
    return Step(
        product=f"apps/{project.name}/{target.name}/{project.name}{target.suffix}",
        action="join",
        version=1,
        run=lazy_import("pypack.bundle.writer:run_join"),
        inputs=tuple(parts),
        params={"name": project.name, "target": target.name},
        cached=False,
    )


def compiled_runtime(plan: Plan) -> Step:
    """Return the step that removes excluded files from the runtime image and adds bytecode."""
    at, runtime = plan.target.layout.at(plan.runtime.minor), plan.runtime
    rules = plan.rules(selection.STDLIB)
    if plan.compiler_image is None and not rules.params:
        return runtime.image
    # an interpreter of another origin writes other bytecode: the image needs another name
    compiler = plan.compiler_image
    origin = "" if compiler and compiler.product.startswith(f"{runtime.output_dir}/") else f"-by-{plan.compiler_id}"
    plain = {"plain": list(pyc.before_site(at.stdlib))} if plan.project.optimize and plan.sources else {}
    return Step(
        product=f"{runtime.output_dir}/compiled{origin}{plan.variant}{rules.word}.tar",
        action="compile",
        version=2,
        run=lazy_import("pypack.bytecode.compiling:run_compile"),
        inputs=(runtime.image, plan.compiler_image) if plan.compiler_image else (runtime.image,),
        params={**plan.compiler, "below": f"{at.stdlib}/", **plain, **rules.params},
    )


def deps_steps(plan: Plan) -> list[Step]:
    """Return the steps of the packages' layer and of its facts; empty if the program has no packages.

    Each wheel is unpacked, compiled and packed by itself, and its frames are joined as they are. Targets with
    the same compiler image share the image of a wheel.
    """
    if plan.packages is None:
        return []
    images, runtime = wheel_images(plan), plan.runtime
    _, runtime_facts = _layer_steps(plan, "runtime", compiled_runtime(plan))
    facts = layer_steps.facts_step(
        f"{plan.output_dir}/deps{plan.variant}", runtime_facts, images, plan.target,
        suffixes=loading.suffixes(plan.target, runtime.minor, static=runtime.static),
        exclude=() if plan.packages.installed else plan.project.exclude_packages, names=plan.packages.names,
    )  # fmt: skip
    signed = [_sign_image(plan, image.product.removesuffix(".tar"), image) for image in images]
    stem = f"{plan.output_dir}/deps{plan.variant}{'.signed' if _signing_identity(plan) else ''}"
    return [layer_steps.layer_step(stem, facts, signed, plan.project.profile), facts]


def wheel_images(plan: Plan) -> list[Step]:
    """Return the steps of the images of all packages, in the order of the lock."""
    if plan.packages is None:
        return []
    wheel_archives = [(package.distribution, _wheel_archive_step(plan, package)) for package in plan.packages.sources]
    return [
        *(_installed_step(plan, package, digest) for package, digest in plan.packages.installed),
        *(
            _wheel_step(
                plan,
                fetch.step(package.pin),
                f"wheels/{package.pin.sha256[:16]}",
                package.pin.file,
                package.distribution,
            )
            for package in plan.packages.wheels
        ),
        *(
            _wheel_step(plan, step, step.product.removesuffix("/wheel.tar"), name, name)
            for name, step in wheel_archives
        ),
    ]


def _installed_step(plan: Plan, distribution: Installed, digest: str) -> Step:
    """Return the step of the image of a distribution of a virtual environment."""
    rules = plan.rules(distribution.name)
    compiler_dir = f"{plan.compiler_id}{plan.variant}{rules.word}"
    return Step(
        product=f"venv/{digest[:16]}/{compiler_dir}/{distribution.info.removesuffix('.dist-info')}.tar",
        action="installed",
        version=3,
        run=lazy_import("pypack.deps.venv:run_installed"),
        inputs=(plan.compiler_image,) if plan.compiler_image else (),
        params={**plan.compiler, **rules.params, "digest": digest},
        unhashed={"installed": distribution},
    )


def app_image(plan: Plan) -> Step:
    """Return the step of the app's image; targets with the same compiler image share it."""
    project = plan.project
    wheel = _wheel_archive_step(plan, plan.project_source) if plan.project_source else None
    # a native wheel is for this target alone
    output_dir = plan.output_dir if wheel and "zig" in wheel.params else f"apps/{project.name}"
    inputs = [step for step in (wheel, plan.compiler_image) if step]
    return Step(
        product=f"{output_dir}/app-{plan.compiler_id}{plan.variant}.tar",
        action="app",
        version=11,
        run=lazy_import("pypack.project.app:run_app"),
        inputs=tuple(inputs),
        params={
            **plan.compiler,
            "files": plan.files,
            "metadata": app.metadata(project),
            "boot": app.boot_digest(),
            "startup": project.startup,
            "entry": asdict(project.entry),  # what it needs must compile
        },
        unhashed={"project": project},
    )


def _wheel_archive_step(plan: Plan, source: Source) -> Step:
    from pypack.deps.build import steps

    return steps.wheel_step(source, plan.builder, plan.target, plan.runtime)


def _wheel_step(plan: Plan, wheel: Step, output_dir: str, name: str, distribution: str) -> Step:
    rules = plan.rules(distribution)
    compiler_dir = f"{plan.compiler_id}{plan.variant}{rules.word}"
    return Step(
        product=f"{output_dir}/{compiler_dir}/{name.removesuffix('.whl')}.tar",
        action="wheel",
        version=3,
        run=lazy_import("pypack.deps.wheels:run_wheel"),
        inputs=(wheel, plan.compiler_image) if plan.compiler_image else (wheel,),
        params={**plan.compiler, **rules.params},
    )


def _layer_steps(plan: Plan, kind: str, image: Step) -> list[Step]:
    """Return the layer of ``image`` and its facts."""
    image = _sign_image(plan, kind, image)
    stem = image.product.removesuffix(".tar")
    at = plan.target.layout.at(plan.runtime.minor)
    sentinels = [at.python, *_encodings(at.stdlib, plan.runtime.minor, plan.project.optimize)]
    sentinels += [at.libpython] if plan.launch == "embed" else []
    sentinels += [plan.runtime.loader] if plan.runtime.loader else []
    profile = plan.project.profile
    return [
        Step(
            product=f"{stem}.{profile}.layer",
            action="layer",
            version=2,
            run=lazy_import("pypack.bundle.layer:run_layer"),
            inputs=(image,),
            params={"profile": profile, "zstandard": manifest.version("zstandard")},
        ),
        Step(
            product=f"{stem}.facts.json",
            action="facts",
            version=9,
            run=lazy_import("pypack.bundle.facts:run_facts"),
            inputs=(image,),
            params={
                "sentinels": sentinels if kind == "runtime" else [],
                "container": plan.target.container,
                "arch": plan.target.arch,
                "libc": plan.target.libc,
            },
        ),
    ]


def _encodings(stdlib: str, minor: str, optimize: int) -> list[str]:
    """Return the files that CPython reads before the bootstrap runs: if one is damaged, CPython aborts."""
    names = [f"{stdlib}/encodings/{name}" for name in ("__init__", "aliases", "utf_8")]
    return [f"{pyc.cache_path(f'{name}.py', minor, optimize)}|{name}.py|{name}.pyc" for name in names]
