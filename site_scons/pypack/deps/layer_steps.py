"""The steps from the images of wheels to one layer; contents and frames of each wheel are cached separately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.bundle import manifest
from pypack.steps.step import Step, lazy_import

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypack.base.targets import Target


def contents_step(image: Step, target: Target) -> Step:
    """Return the step that lists the contents of a wheel's image for a target."""
    system = "-".join(part for part in (target.container, target.arch, target.libc) if part)
    return Step(
        product=f"{image.product.removesuffix('.tar')}.{system}.json",
        action="contents",
        version=6,
        run=lazy_import("pypack.deps.contents:run_contents"),
        inputs=(image,),
        params={"container": target.container, "arch": target.arch, "libc": target.libc},
    )


def packed_step(image: Step, profile: str) -> Step:
    """Return the step that packs the image of a wheel into frames, a part of a layer."""
    return Step(
        product=f"{image.product.removesuffix('.tar')}.{profile}.part",
        action="pack",
        version=2,
        run=lazy_import("pypack.bundle.layer:run_layer"),
        inputs=(image,),
        params={"profile": profile, "part": True, "zstandard": manifest.version("zstandard")},
    )


def facts_step(
    stem: str,
    runtime: Step,
    images: Sequence[Step],
    target: Target,
    *,
    suffixes: Sequence[str],
    exclude: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Step:
    """Return the step that merges and checks the facts of all packages.

    ``images`` are those of the wheels; products begin with ``stem``. ``runtime`` is the step of the facts of the
    Python that imports them, ``suffixes`` what it calls extension modules. ``exclude`` are patterns of
    :mod:`pypack.formats.selection` that must mean a package of the lock, of which ``names`` are the packages.
    """
    return Step(
        product=f"{stem}.facts.json",
        action="facts",
        version=10,
        run=lazy_import("pypack.deps.merge_wheels:run_facts"),
        inputs=(runtime, *(contents_step(image, target) for image in images)),
        params={
            "container": target.container,
            "arch": target.arch,
            "libc": target.libc,
            "suffixes": list(suffixes),
            "exclude": list(exclude),
            "names": sorted(names) if exclude else [],
        },
        unhashed={"target": target},
    )


def layer_step(stem: str, facts: Step, images: Sequence[Step], profile: str) -> Step:
    """Return the step of the layer of all packages; ``images`` are those of :func:`facts_step`, signed or not."""
    return Step(
        product=f"{stem}.{profile}.layer",
        action="layer",
        version=2,
        run=lazy_import("pypack.deps.merge_wheels:run_layer"),
        inputs=(facts, *(packed_step(image, profile) for image in images)),
        params={"profile": profile, "joined": True, "zstandard": manifest.version("zstandard")},
    )
