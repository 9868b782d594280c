"""The steps that build one distribution to a wheel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag, cpython_tags

from pypack.base import hosts
from pypack.deps import tags
from pypack.deps.build import backend, build, cross, folder, toolchain
from pypack.deps.build.builder import word
from pypack.download import fetch
from pypack.errors import StepError
from pypack.formats import archive
from pypack.steps import zig
from pypack.steps.step import Context, Step

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.deps.build.builder import Builder
    from pypack.deps.build.source import Source
    from pypack.runtimes.base import Runtime


def wheel_step(source: Source, builder: Builder | None, target: Target, runtime: Runtime) -> Step:
    """Return the step that builds the wheel of ``source`` for a ``target`` with that ``runtime``.

    Its product is a wheel archive (:mod:`pypack.deps.build.wheel_archive`). A pure wheel is built once for all targets
    that share the builder.
    """
    if builder is None:
        raise StepError(
            f"{source.label} has to be built from source, and nothing here can build for Python {runtime.minor}",
            hint="run the build with that version of Python, or ask for another --python",
            docs=backend.READ,
        )
    if source.native and (reason := cross.unsupported_reason(target)):
        raise StepError(
            f"{source.label} has to be compiled from source: {reason}", hint=backend.OTHER, docs=backend.READ
        )
    project = source.project
    variant = _native(source, builder, target, runtime) if source.native else _pure(builder)
    return Step(
        product=f"built/{source.slug}/{variant.folder}/wheel.tar",
        action="build",
        version=2,
        run=build.run,
        inputs=(_tree(source), builder.runtime.image, *variant.images),
        params={
            "label": source.label,
            "distribution": source.distribution,
            "version": source.version,
            "source": {"file": source.pin.file, "sha256": source.digest} if source.pin else {"files": source.digest},
            "python": builder.runtime.version,
            "static": builder.runtime.static,
            "platform": tags.uv_platform(builder.accepts),
            "uv": _uv_version(),
            "index": builder.index,
            **({"prefix": project.prefix} if project and project.prefix else {}),
            **({"environment": dict(source.environment)} if source.environment else {}),
            **({"constraints": list(builder.constraints)} if builder.constraints else {}),
            **({"commit_version": source.version} if source.is_commit and source.version else {}),
            **variant.params,
        },
        unhashed={"builder": builder, "accepted": variant.accepted, "project": project},
    )


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """The part of a build step that depends on whether it is for all targets or for one.

    ``folder`` is where the products are, ``accepted`` the tags that the wheel may have.
    """

    folder: str
    params: dict[str, Any]
    accepted: set[Tag]
    images: tuple[Step, ...] = ()


def _pure(builder: Builder) -> _Variant:
    minor = builder.runtime.minor
    accepted = _accepted(builder.target, minor, pure=True)
    return _Variant(folder=builder.name, params={"for": f"any target with Python {minor}"}, accepted=accepted)


def _native(source: Source, builder: Builder, target: Target, runtime: Runtime) -> _Variant:
    if runtime.dev is None:
        raise StepError(
            f"{source.label} has to be compiled, and the runtime from {runtime.provider} comes without headers",
            hint="choose another --runtime, or a version of it that has a wheel",
            docs=backend.READ,
        )
    compiling = {
        "zig": _zig(target),
        "arch": target.wheel_arch,
        "stdlib": target.layout.at(runtime.minor).stdlib,
        "include": f"include/python{runtime.minor}",
        "on_machine": target.name == hosts.target_name() and not runtime.static,
    }
    return _Variant(
        folder=f"{word(runtime)}-by-{builder.name}",
        params={
            "for": target.name,
            "target": compiling,
            "zig": zig.version(),
            **({"rust": toolchain.rust_version()} if compiling["on_machine"] and source.may_have_rust else {}),
        },
        accepted=_accepted(target, runtime.minor, pure=runtime.static),
        images=(runtime.image, runtime.dev),
    )


def _accepted(target: Target, minor: str, *, pure: bool) -> set[Tag]:
    """Return the tags that a built wheel may have: the target's, and ``linux_…``, which promises no glibc version."""
    accepted = set(tags.supported(target, minor, pure=pure))
    if pure or target.system != "linux":
        return accepted
    version = tuple(int(part) for part in minor.split("."))
    interpreter = f"cp{minor.replace('.', '')}"
    return accepted | set(cpython_tags(version, [interpreter], [f"linux_{target.wheel_arch}"]))


def _zig(target: Target) -> str:
    """Return zig's name for a target with its floor, which may have been raised."""
    name, _, floor = target.runtime_zig.partition(".")
    return f"{name}.{target.floor}" if floor else name


def _tree(source: Source) -> Step:
    product = f"built/{source.slug}/tree.tar"
    if source.pin is None:
        return Step(product=product, action="gather", version=2, run=folder.run_gather, cached=False,
                    params={"digest": source.digest}, unhashed={"project": source.project})  # fmt: skip
    return Step(product=product, action="unpack", version=1, run=_unpack, inputs=(fetch.step(source.pin),),
                params={"inside": source.inside})  # fmt: skip


def _unpack(context: Context) -> None:
    """Step: sdist -> image of the project. Param ``inside``: the folder of the sdist that holds the project."""
    inside = context.params["inside"]
    strip = 1 + len([part for part in inside.split("/") if part])
    if not inside:
        archive.extract(context.inputs[0], context.product, strip=strip)
        return
    project = context.product.with_name(f"{context.product.name}.whole")
    try:
        archive.extract(context.inputs[0], project, strip=1)
        archive.extract(project, context.product, under=inside)
    finally:
        project.unlink(missing_ok=True)


def _uv_version() -> str:
    from importlib.metadata import version

    return version("uv")
