"""The graph of one bundle as a readable list of steps. No SCons here: the bridge turns steps into nodes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pypack import app, fetch, hosts, pyc, stub, targets
from pypack.bundle import manifest
from pypack.packages import environment, indexes, lock, parts, selection, tags, uv_settings, watched
from pypack.pipeline import Hidden, Step, later

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.macho import identity
    from pypack.packages import venv
    from pypack.packages.building.source import Source
    from pypack.plans import Plan
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target

OPTIONS = ("-I", "-S", "-B")
"""How Python is started: isolated, without ``site``, and it never writes bytecode into a layer."""


def bundle(plan: Plan) -> Step:
    """Return the last step: the finished bundle, signed where an identity for it is configured."""
    made = _bundle(plan)
    sign = _sign(plan)
    if sign is None:
        return made
    from pypack.bundle import writer
    from pypack.macho import identity

    product = f"{plan.place}/signed/{plan.project.name}"
    return identity.sign_bundle_step(product, made, sign, identifier=writer.identifier(plan.project.name))


def _sign(plan: Plan) -> identity.Sign | None:
    return plan.project.sign if plan.target.container == "macho" else None


def _signed(plan: Plan, kind: str, image: Step) -> Step:
    """Return ``image`` with all native code in it signed: Apple's notary looks into all that a program brings."""
    sign = _sign(plan)
    if sign is None:
        return image
    from pypack.macho import identity

    return identity.sign_image_step(f"{plan.place}/{kind}.signed.tar", image, sign)


def _bundle(plan: Plan) -> Step:
    project, target, runtime = plan.project, plan.target, plan.runtime
    at = target.layout.at(runtime.minor)
    inputs: list[Step] = [
        _stub(plan),
        _signed(plan, "app", app_image(plan)),
        *_layer(plan, "runtime", compiled_runtime(plan)),
    ]
    if project.dependencies is not None:
        inputs += deps(plan)
    return Step(
        product=f"{plan.place}/{project.name}{target.suffix}",
        action="bundle",
        version=3,
        run=later("pypack.bundle.writer:run_bundle"),
        inputs=tuple(inputs),
        params={
            "name": project.name,
            "version": "" if project.package and not project.version.strip("0") else project.version,
            "target": target.name,
            "container": target.container,
            "mode": project.mode,
            "startup": project.startup,
            "launch": plan.launch,
            "python": at.python,
            "libpython": at.libpython if plan.launch == "embed" else "",
            "loader": runtime.loader,
            "site": at.site_packages,
            "self_commands": project.self_commands,
            "interpreter": project.interpreter,
            "scripts_on_path": project.scripts_on_path,
            "options": options(project.optimize),
            "optimize": project.optimize,
            "entry": asdict(project.entry),
            "sources": plan.sources,
            "runtime": {"provider": runtime.provider, "version": runtime.version, "static": runtime.static},
            "compiler": plan.by if plan.kit else "",
            "pins": [{"file": pin.file, "sha256": pin.sha256} for pin in runtime.pins],
            "tools": manifest.tool_versions(),
            "plan": Hidden(plan),
        },
        cached=False,
    )


def options(optimize: int) -> list[str]:
    """Return the options that Python is started with; ``-O`` and ``-OO`` also say which bytecode it looks for."""
    return [*OPTIONS, *([f"-{'O' * optimize}"] if optimize else [])]


def _stub(plan: Plan) -> Step:
    subsystem: stub.Subsystem = "console" if plan.project.console else "gui"
    own = None
    if plan.target.container == "pe":
        from pypack.windows import resources

        own = resources.step(plan.project, plan.target)
    return stub.steps(plan.target, subsystem=subsystem, resources=own, launch=plan.launch)


def join(project: Project, target: Target, parts: list[Step]) -> Step:
    """Return the step that joins the bundles of several processors in one file."""
    return Step(
        product=f"apps/{project.name}/{target.name}/{project.name}{target.suffix}",
        action="join",
        version=1,
        run=later("pypack.bundle.writer:run_join"),
        inputs=tuple(parts),
        params={"name": project.name, "target": target.name},
        cached=False,
    )


def kit(target: Target, runtime: Runtime) -> Step:
    """Return the step of the small image that compiles Python for ``runtime``'s minor version."""
    at = target.layout.at(runtime.minor)
    return Step(
        product=f"{runtime.place}/kit.tar",
        action="kit",
        version=3,
        run=later("pypack.bytecode:run_kit"),
        inputs=(runtime.image,),
        params={"members": list(pyc.kit_members(at))},
        kept=True,
    )


def can_compile(target: Target, runtime: Runtime) -> bool:
    """Say whether ``runtime`` itself can be started on this host: a shared musl one needs musl's loader."""
    return targets.starts_here(target) and (target.libc == hosts.libc() or runtime.static)


def compiled_runtime(plan: Plan) -> Step:
    """Return the step that takes out of the runtime image what is not wanted, and adds bytecode."""
    at, runtime = plan.target.layout.at(plan.runtime.minor), plan.runtime
    rules = plan.rules(selection.STDLIB)
    if plan.kit is None and not rules.params:
        return runtime.image
    # compiled by a kit of another origin it is another image
    own = "" if plan.kit and plan.kit.product.startswith(f"{runtime.place}/") else f"-by-{plan.by}"
    plain = {"plain": list(pyc.before_site(at.stdlib))} if plan.project.optimize and plan.sources else {}
    return Step(
        product=f"{runtime.place}/compiled{own}{plan.flavour}{rules.word}.tar",
        action="compile",
        version=2,
        run=later("pypack.bytecode:run_compile"),
        inputs=(runtime.image, plan.kit) if plan.kit else (runtime.image,),
        params={**plan.compiler, "below": f"{at.stdlib}/", **plain, **rules.params},
    )


def resolve(project: Project, target: Target, version: str, build: Path) -> Step:
    """Return the step that locks a project's packages for one target and one version of CPython.

    For musl the lock also decides which Python is taken, so it may have been made already when the graph was: the step
    then hands that one on, and an older one of the build cache is of no use.
    """
    dependencies = project.dependencies
    assert dependencies is not None  # the caller asks only then
    files = watched.files(dependencies)
    settings = {
        "target": target.name,
        "platform": tags.uv_platform(target),
        "environment": tags.uv_environment(target),
        "python": version,
        "uv": manifest.version("uv"),
        "index": uv_settings.fingerprint(dependencies.base),
        "kind": dependencies.kind,
        "extras": list(dependencies.extras),
        "groups": list(dependencies.groups),
        "no_binary": sorted(project.no_binary),
        "build": not project.no_build,
        "part": _installed_part(project, build) if dependencies.kind == "venv" else watched.part(dependencies),
    }
    place = f"apps/{project.name}/{target.name}"
    planned = build / place / "planned.pylock.toml"
    hidden = {"planned": Hidden(planned), "dependencies": Hidden(dependencies), "target": Hidden(target)}
    return Step(
        product=f"{place}/pylock.toml",
        action="resolve",
        version=4,
        run=later("pypack.packages.resolve:run_resolve"),
        inputs=files,
        params={**settings, "stamp": watched.stamp(settings, files), **hidden},
        cached=target.libc != "musl" and not dependencies.wheels,  # a lock of given wheels holds their paths
    )


def deps(plan: Plan) -> list[Step]:
    """Return the steps of the packages' layer and of its facts.

    Each wheel is unpacked, compiled and packed by itself, and its frames are joined as they are. Targets whose bytecode
    is made by the same kit share what is made of a wheel.
    """
    locked, images = packages(plan)
    dependencies = plan.project.dependencies
    exclude = plan.project.exclude_packages if dependencies and dependencies.kind != "venv" else ()
    facts = parts.facts_step(f"{plan.place}/deps{plan.flavour}", locked, images, plan.target, exclude)

    def signed(path: Path) -> tuple[Step, ...]:
        return tuple(_signed(plan, image.product.removesuffix(".tar"), image) for image in images(path))

    stem = f"{plan.place}/deps{plan.flavour}{'.signed' if _sign(plan) else ''}"
    return [parts.layer_step(stem, locked, facts, signed, plan.project.profile), facts]


def packages(plan: Plan) -> tuple[Step, Callable[[Path], tuple[Step, ...]]]:
    """Return the step of the lock, and what returns the images of the wheels that a lock names."""
    project, target, runtime = plan.project, plan.target, plan.runtime
    dependencies = project.dependencies
    assert dependencies is not None  # the caller asks only then
    locked, login = resolve(project, target, runtime.version, plan.build), indexes.logins(dependencies)
    if dependencies.kind == "venv":
        from pypack.packages import venv

        venv.check(dependencies.file, _installed(project), target, runtime.minor, static=runtime.static)

    def wheel_steps(path: Path) -> tuple[Step, ...]:
        if dependencies.kind == "venv":
            return _installed_steps(plan)
        table = environment.narrowed(
            lock.read(path, stamp=locked.params["stamp"]), target, runtime.version,
            extras=dependencies.extras, groups=dependencies.groups,
        )  # fmt: skip
        table = selection.without(table, project.exclude_packages)
        chosen, sources = lock.choose(
            table, target, runtime.minor, static=runtime.static, base=dependencies.base, memory=plan.build / "apps",
            build=not project.no_build, login=login,
        )  # fmt: skip
        if plan.offline:
            lock.check_offline([*chosen, *sources])
        boxes = [(each.distribution, _box(plan, each)) for each in sources]
        return (
            *(
                _wheel(plan, fetch.step(each.pin), f"wheels/{each.pin.sha256[:16]}", each.pin.file, each.distribution)
                for each in chosen
            ),
            *(_wheel(plan, box, box.product.removesuffix("/wheel.tar"), name, name) for name, box in boxes),
        )

    return locked, parts.kept(wheel_steps)


def _installed(project: Project) -> list[venv.Installed]:
    from pypack.packages import venv

    assert project.dependencies is not None  # the caller asks only then
    found = venv.installed(project.dependencies.file, own=project.manifest.name if project.manifest else "")
    return [each for each in found if not selection.is_out(each.name, project.exclude_packages)]


def _installed_part(project: Project, build: Path) -> str:
    """Return what decides about the packages of a virtual environment: the files of all that is installed there."""
    memory = app.memory(project, build).with_suffix(".venv")
    rows = ((each.info, each.digest(memory / f"{each.info}.json")) for each in _installed(project))
    return json.dumps(list(rows))


def _installed_steps(plan: Plan) -> tuple[Step, ...]:
    """Return the steps that make an image of each distribution of a virtual environment."""

    found = _installed(plan.project)
    memory = app.memory(plan.project, plan.build).with_suffix(".venv")
    images = []
    for each in found:
        rules = plan.rules(each.name)
        by = f"{plan.by}{plan.flavour}{rules.word}"
        digest = each.digest(memory / f"{each.info}.json")
        images.append(
            Step(
                product=f"venv/{digest[:16]}/{by}/{each.info.removesuffix('.dist-info')}.tar",
                action="installed",
                version=2,
                run=later("pypack.packages.venv:run_installed"),
                inputs=(plan.kit,) if plan.kit else (),
                params={**plan.compiler, **rules.params, "digest": digest, "installed": Hidden(each)},
            )
        )
    return tuple(images)


def app_image(plan: Plan) -> Step:
    """Return the step of the app's own image; targets that share an interpreter to compile with share it."""
    project = plan.project
    wheel = _own_wheel(plan) if project.package else None
    place = plan.place if wheel and "zig" in wheel.params else f"apps/{project.name}"  # native: for this target alone
    inputs = [step for step in (wheel, plan.kit) if step]
    return Step(
        product=f"{place}/app-{plan.by}{plan.flavour}.tar",
        action="app",
        version=6,
        run=later("pypack.app:run_app"),
        inputs=tuple(inputs),
        params={
            **plan.compiler,
            "project": Hidden(project),
            "files": plan.files,
            "metadata": app.metadata(project),
            "boot": app.boot_digest(),
        },
    )


def _own_wheel(plan: Plan) -> Step:
    """Return the step that builds the program itself, which is a distribution, to a wheel."""
    from pypack.packages.building import folder, native, source

    project, memory = plan.project, plan.build / "apps"
    assert project.manifest is not None  # that it is a distribution is known from it
    found = folder.read(project.folder, memory)
    own = source.Source(
        distribution=project.manifest.name or project.name,
        version=project.manifest.version,
        native=native.of_folder(found),
        digest=found.digest,
        folder=project.folder,
    )
    return _box(plan, own)


def _box(plan: Plan, made_from: Source) -> Step:
    from pypack.packages.building import steps

    return steps.box(made_from, plan.builder, plan.target, plan.runtime)


def _wheel(plan: Plan, wheel: Step, place: str, name: str, distribution: str) -> Step:
    rules = plan.rules(distribution)
    by = f"{plan.by}{plan.flavour}{rules.word}"
    return Step(
        product=f"{place}/{by}/{name.removesuffix('.whl')}.tar",
        action="wheel",
        version=2,
        run=later("pypack.packages.wheels:run_wheel"),
        inputs=(wheel, plan.kit) if plan.kit else (wheel,),
        params={**plan.compiler, **rules.params},
    )


def _layer(plan: Plan, kind: str, image: Step) -> list[Step]:
    """Return the layer of ``image`` and its facts."""
    image = _signed(plan, kind, image)
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
            version=1,
            run=later("pypack.bundle.layer:run_layer"),
            inputs=(image,),
            params={"profile": profile, "zstandard": manifest.version("zstandard")},
            kept=True,
        ),
        Step(
            product=f"{stem}.facts.json",
            action="facts",
            version=7,
            run=later("pypack.bundle.facts:run_facts"),
            inputs=(image,),
            params={
                "sentinels": sentinels if kind == "runtime" else [],
                "container": plan.target.container,
                "arch": plan.target.arch,
                "libc": plan.target.libc,
            },
            kept=True,
        ),
    ]


def _encodings(stdlib: str, minor: str, optimize: int) -> list[str]:
    """Return what CPython reads before the bootstrap runs: damage of it would end in a fatal error of its own."""
    names = [f"{stdlib}/encodings/{name}" for name in ("__init__", "aliases", "utf_8")]
    cached = [pyc.cache_path(f"{name}.py", minor, optimize) for name in names]
    return [f"{name}.py|{name}.pyc" for name in names] + [f"{path}|" for path in cached]
