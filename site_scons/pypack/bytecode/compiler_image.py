"""The compiler image: the part of a runtime that is needed to start Python and compile bytecode."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import hosts, targets
from pypack.bytecode.pyc import FROZEN_SINCE_3_11
from pypack.errors import StepError
from pypack.formats import binaries, paths
from pypack.formats.image import ImageBuilder, read_image, unpack
from pypack.steps.step import Step, file_digest, lazy_import

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.base.targets import Layout, Target
    from pypack.runtimes.base import Runtime
    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

PRODUCT = "compiler.tar"

_MODULES = ("unicodedata", "_multibytecodec", "_codecs_")
"""Extension modules that compiling may need: for names beyond ASCII, and for sources in East Asian encodings."""


def members(layout: Layout) -> Iterable[str]:
    """Return prefixes of the paths that an interpreter needs to start and compile."""
    stdlib = layout.stdlib
    return (
        layout.python,
        posixpath.dirname(layout.libpython) + "/lib" if "/" in layout.libpython else layout.libpython,
        f"{stdlib}/encodings/",
        *(f"{stdlib}/{name}" for name in FROZEN_SINCE_3_11),
        f"{stdlib}/os.py",
        f"{stdlib}/codecs.py",
        f"{stdlib}/io.py",
        f"{stdlib}/abc.py",
        *(f"{stdlib}/lib-dynload/{name}" for name in _MODULES),
        # Windows: dependencies of python3XX.dll, and the folder of extension modules
        *(() if "/" in layout.libpython else ("vcruntime", *(f"DLLs/{name}" for name in _MODULES))),
    )


def step(target: Target, runtime: Runtime) -> Step:
    """Return the step of the compiler image for ``runtime``'s minor version."""
    return Step(
        product=f"{runtime.output_dir}/{PRODUCT}",
        action="compiler",
        version=1,
        run=lazy_import("pypack.bytecode.compiler_image:run"),
        inputs=(runtime.image,),
        params={"members": list(members(target.layout.at(runtime.minor)))},
    )


def can_compile(target: Target, runtime: Runtime) -> bool:
    """Say whether ``runtime`` runs on this host: a shared one for musl needs musl's loader."""
    return targets.starts_here(target) and (target.libc == hosts.libc() or runtime.static)


def run(context: Context) -> None:
    """Step: runtime image -> compiler image (the interpreter, its libraries, encodings).

    Input: the runtime image. Params: ``members``, prefixes of paths; the first is the interpreter.
    """
    prefixes = tuple(context.params["members"])
    landmark = f"{next(posixpath.dirname(path) for path in prefixes if path.endswith('/os.py'))}/lib-dynload"
    survey, has_landmark = binaries.Survey(), False
    with ImageBuilder("compiler", folder=context.product.parent) as builder:
        for member, stream in read_image(context.inputs[0]):
            has_landmark |= member.path.startswith(landmark)
            if member.path.startswith(prefixes):
                survey.read_member(member, stream)
                builder.add_member(member, stream)
        for path in _unneeded_libraries(survey, prefixes[0], landmark):
            builder.remove(path)
        if has_landmark:
            builder.add_dir(landmark)  # CPython finds its prefix by it
        builder.write(context.product)


def _unneeded_libraries(survey: binaries.Survey, python: str, modules: str) -> set[str]:
    """Return the ELF libraries (and links to them) that neither the interpreter nor a file in ``modules`` needs."""
    elf = {native.path: native.binary for native in survey.natives if native.kind == "elf" and native.binary}
    links = {member.path: paths.linked(member.path, member.link) for member in survey.members if member.kind == "link"}
    names = {posixpath.basename(path): path for path in (*elf, *links)}
    needed, pending = set[str](), [python, *(path for path in elf if path.startswith(f"{modules}/"))]
    while pending:
        path = pending.pop()
        if path not in needed:
            needed.add(path)
            dependencies = [names[name] for name in elf[path].needed if name in names] if path in elf else []
            pending += [links[path]] if path in links else dependencies
    return {path for path in (*elf, *links) if path not in needed and (path in elf or links[path] in elf)}


@contextmanager
def interpreter(image: Path, python: str) -> Iterator[Path]:
    """Yield the path of an image's interpreter; ``python`` is its path in the image.

    The image is unpacked beside itself, into a folder named by its hash, so that later steps and builds reuse it.
    """
    folder = image.with_name(f"{image.stem}-{file_digest(image)[:16]}")
    if not folder.is_dir():
        _unpack(image, folder)
    yield folder / python


def _unpack(image: Path, folder: Path) -> None:
    """Unpack an image atomically; another thread or process may do the same at the same time."""
    work = Path(tempfile.mkdtemp(prefix=f"{image.stem}.", dir=image.parent))
    try:
        unpack(image, work / "whole")
        with contextlib.suppress(OSError):  # the other one was first
            (work / "whole").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if not folder.is_dir():
        raise StepError(f"{folder} cannot be made", hint="check that the folder can be written", docs=_DOCS)
