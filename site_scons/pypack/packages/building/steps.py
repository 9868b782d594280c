"""The nodes that it takes to build one distribution to a wheel."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag, cpython_tags

from pypack import fetch, zig
from pypack.errors import StepError
from pypack.images import archive
from pypack.packages import lock, tags
from pypack.packages.building import backend, build, cross, folder, requires
from pypack.packages.building.builder import word
from pypack.pipeline import Context, Hidden, Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.packages.building.builder import Builder
    from pypack.packages.building.source import Source
    from pypack.providers.base import Runtime
    from pypack.targets import Target


def box(source: Source, builder: Builder | None, target: Target, runtime: Runtime) -> Step:
    """Return the step of the box (:mod:`boxes`) with the wheel of ``source``, for a ``target`` with that ``runtime``.

    What is pure is built once for all targets that have the builder in common.
    """
    if builder is None:
        raise StepError(
            f"{source.label} has to be built from source, and nothing here can build for Python {runtime.minor}",
            do="run the build with that version of Python, or ask for another --python",
            see=backend.READ,
        )
    if source.native and (why := cross.refusal(target)):
        raise StepError(f"{source.label} has to be compiled from source: {why}", do=backend.OTHER, see=backend.READ)
    tree = _tree(source)
    locked = _requires(source, tree, builder)

    def wheels(path: Path) -> tuple[Step, ...]:
        table = lock.read(path, stamp=locked.params["stamp"])
        chosen = requires.choose(table, builder.accepts, builder.runtime.minor, static=builder.runtime.static)
        return tuple(fetch.step(replace(each.pin, login=builder.login)) for each in chosen)

    form = _native(source, builder, target, runtime) if source.native else _pure(builder)
    return Step(
        product=f"built/{source.slug}/{form.place}/wheel.tar",
        action="build",
        version=1,
        run=build.run,
        inputs=(locked, tree, builder.runtime.image, *form.images),
        params={
            "label": source.label,
            "distribution": source.distribution,
            "version": source.version,
            "source": {"file": source.pin.file, "sha256": source.digest} if source.pin else {"files": source.digest},
            "layout": Hidden(builder.target.layout.at(builder.runtime.minor)),
            **form.params,
        },
        expand=wheels,
    )


@dataclass(frozen=True, kw_only=True)
class _Form:
    """What differs between a build for all targets and one for a single target. ``place`` is a folder of products."""

    place: str
    params: dict[str, Any]
    images: tuple[Step, ...] = ()


def _pure(builder: Builder) -> _Form:
    minor = builder.runtime.minor
    accepted = _accepted(builder.target, minor, pure=True)
    return _Form(place=builder.name, params={"for": f"any target with Python {minor}", "accepted": Hidden(accepted)})


def _native(source: Source, builder: Builder, target: Target, runtime: Runtime) -> _Form:
    if runtime.dev is None:
        raise StepError(
            f"{source.label} has to be compiled, and the runtime from {runtime.provider} comes without headers",
            do="choose another --runtime, or a version of it that has a wheel",
            see=backend.READ,
        )
    compiles = {
        "zig": _zig(target),
        "arch": target.wheel_arch,
        "stdlib": target.layout.at(runtime.minor).stdlib,
        "include": f"include/python{runtime.minor}",
    }
    accepted = Hidden(_accepted(target, runtime.minor, pure=runtime.static))
    return _Form(
        place=f"{word(runtime)}-by-{builder.name}",
        params={"for": target.name, "target": compiles, "zig": zig.version(), "accepted": accepted},
        images=(runtime.image, runtime.dev),
    )


def _accepted(target: Target, minor: str, *, pure: bool) -> set[Tag]:
    """Return the tags that a wheel from here may have: the target's, and plain ``linux_…``, which claims nothing."""
    found = set(tags.supported(target, minor, pure=pure))
    if pure or target.system != "linux":
        return found
    version = tuple(int(part) for part in minor.split("."))
    interpreter = f"cp{minor.replace('.', '')}"
    return found | set(cpython_tags(version, [interpreter], [f"linux_{target.wheel_arch}"]))


def _zig(target: Target) -> str:
    """Return zig's name for a target with its floor, which may have been raised."""
    name, _, floor = target.runtime_zig.partition(".")
    return f"{name}.{target.floor}" if floor else name


def _tree(source: Source) -> Step:
    product = f"built/{source.slug}/tree.tar"
    if source.pin is None:
        params = {"digest": source.digest, "folder": Hidden(source.folder)}
        return Step(product=product, action="gather", version=1, run=folder.run_gather, params=params)
    return Step(product=product, action="unpack", version=1, run=_unpack, inputs=(fetch.step(source.pin),),
                params={"inside": source.inside})  # fmt: skip


def _unpack(context: Context) -> None:
    """Step: sdist -> image of the project. Param ``inside``: the folder in it that the project is in."""
    inside = context.params["inside"]
    strip = 1 + len([part for part in inside.split("/") if part])
    if not inside:
        archive.extract(context.inputs[0], context.product, strip=strip)
        return
    whole = context.product.with_name(f"{context.product.name}.whole")
    try:
        archive.extract(context.inputs[0], whole, strip=1)
        archive.extract(whole, context.product, under=inside)
    finally:
        whole.unlink(missing_ok=True)


def _requires(source: Source, tree: Step, builder: Builder) -> Step:
    settings = {
        "label": source.label,
        "python": builder.runtime.version,
        "static": builder.runtime.static,
        "for": tags.uv_platform(builder.accepts),
        "uv": _uv_version(),
        "index": builder.index,
    }
    stamp = hashlib.sha256(json.dumps([source.slug, settings]).encode()).hexdigest()
    return Step(
        product=f"built/{source.slug}/{builder.name}/requires.pylock.toml",
        action="resolve",
        version=1,
        run=requires.run,
        inputs=(tree, builder.runtime.image),
        params={
            **settings,
            "stamp": stamp,
            "target": Hidden(builder.accepts),
            "layout": Hidden(builder.target.layout.at(builder.runtime.minor)),
            "folder": Hidden(builder.folder),
        },
    )


def _uv_version() -> str:
    from importlib.metadata import version

    return version("uv")
