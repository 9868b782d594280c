"""The steps from the images of wheels to one layer: of each its contents and its frames, kept by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pypack.bundle import manifest
from pypack.pipeline import Hidden, Step, later

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.targets import Target

_T = TypeVar("_T")


def contents_step(image: Step, target: Target) -> Step:
    """Return the step that tells what the image of a wheel brings to a target."""
    system = "-".join(word for word in (target.container, target.arch, target.libc) if word)
    return Step(
        product=f"{image.product.removesuffix('.tar')}.{system}.json",
        action="contents",
        version=4,
        run=later("pypack.packages.contents:run_contents"),
        inputs=(image,),
        params={"container": target.container, "arch": target.arch, "libc": target.libc, "target": Hidden(target)},
    )


def contents_steps(
    images: Callable[[Path], tuple[Step, ...]], target: Target
) -> Callable[[Path], tuple[Step, ...]]:  # fmt: skip
    """Return what reads a lock and returns the steps of :func:`contents_step`."""
    return lambda path: tuple(contents_step(image, target) for image in images(path))


def packed_step(image: Step, profile: str) -> Step:
    """Return the step that packs the image of a wheel into frames, a part of a layer."""
    return Step(
        product=f"{image.product.removesuffix('.tar')}.{profile}.part",
        action="pack",
        version=1,
        run=later("pypack.bundle.layer:run_layer"),
        inputs=(image,),
        params={"profile": profile, "part": True, "zstandard": manifest.version("zstandard")},
    )


def facts_step(
    stem: str,
    locked: Step,
    images: Callable[[Path], tuple[Step, ...]],
    target: Target,
    exclude: tuple[str, ...] = (),
) -> Step:
    """Return the step of the facts of all packages: what the bundle says of them, and what is wrong with them.

    ``images`` reads a lock and returns the images of the wheels that it names; products begin with ``stem``.
    ``exclude`` are patterns of :mod:`pypack.packages.selection` that must mean a package of the lock.
    """
    return Step(
        product=f"{stem}.facts.json",
        action="facts",
        version=6,
        run=later("pypack.packages.joining:run_facts"),
        inputs=(locked,),
        params={
            "container": target.container,
            "arch": target.arch,
            "libc": target.libc,
            "exclude": list(exclude),
            "target": Hidden(target),
        },
        expand=contents_steps(images, target),
    )


def layer_step(
    stem: str, locked: Step, facts: Step, images: Callable[[Path], tuple[Step, ...]], profile: str
) -> Step:  # fmt: skip
    """Return the step of the layer of all packages; ``images`` are those of :func:`facts_step`, signed or not."""
    return Step(
        product=f"{stem}.{profile}.layer",
        action="layer",
        version=1,
        run=later("pypack.packages.joining:run_layer"),
        inputs=(locked, facts),
        params={"profile": profile, "joined": True, "zstandard": manifest.version("zstandard")},
        expand=lambda path: tuple(packed_step(image, profile) for image in images(path)),
    )


def kept(read: Callable[[Path], _T]) -> Callable[[Path], _T]:
    """Return ``read`` with a memory of its last answer, which holds as long as the file does not change."""
    known: dict[tuple[int, int, int], _T] = {}

    def answer(path: Path) -> _T:
        info = path.stat()
        mark = (info.st_mtime_ns, info.st_size, info.st_ino)
        if mark not in known:
            known.clear()
            known[mark] = read(path)
        return known[mark]

    return answer
