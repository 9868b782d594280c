"""The C library and loader of a shared musl runtime: built from musl's source and added to a runtime image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.formats import binaries
from pypack.formats.image import ImageBuilder, read_image
from pypack.runtimes.cpython import source_build
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target
    from pypack.runtimes.cpython.source_build import SourceBuild
    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

_NAMES = frozenset({"dlopen", "exp", "malloc", "memcpy", "pthread_create", "statx", "strlen"})
"""Some symbols that a loader must export: of the C library, and some that the compiler has built-ins for."""


def path(target: Target) -> str:
    """Return the path of the loader in a runtime image, e.g. ``lib/ld-musl-x86_64.so.1``."""
    return f"lib/ld-musl-{target.arch}.so.1"


def links(target: Target) -> tuple[str, ...]:
    """Return the names below ``lib/`` by which programs load the same file as their C library.

    ``libc.so`` is the name that musl and zig use, ``libc.musl-ARCH.so.1`` that of Alpine Linux and of wheels for it.
    The loader resolves both to itself without a file; other programs look for the file.
    """
    return "libc.so", f"libc.musl-{target.arch}.so.1"


def build(context: Context) -> None:
    """Step: build musl by its recipe -> an image of the loader and its links."""
    params, recipe = context.params, context.params["recipe"]
    with context.timed(f"musl {params['version']}"), source_build.opened(context) as build:
        _make_builtins(build)
        for command in recipe["commands"]:
            build.run([build.fill_in(word) for word in command])
        (library,) = recipe["libraries"]
        _check_loader(build.tree / library, params["target"])
        loader_path = str(params["loader"])
        with ImageBuilder("loader", folder=context.product.parent) as builder:
            builder.add(loader_path, (build.tree / library).read_bytes(), executable=True)
            for name in params["links"]:
                builder.add_link(f"lib/{name}", loader_path.rsplit("/", 1)[-1])
            build.licences(builder)
            builder.write(context.product)


def _make_builtins(build: SourceBuild) -> None:
    """Make ``libbuiltins.a`` in the tree: functions that the compiler calls (arithmetic of ``long double``, mostly).

    They come from zig's own library, whose functions are weak and hidden. A hidden one also hides another of its name,
    so it is compiled as for a shared library, where they are not.
    """
    source = zig.binary().parent / "lib" / "compiler_rt.zig"
    flags = ["-dynamic", "-fPIC", "-fstrip", "-O", "ReleaseSmall", "-target", build.params["zig_target"]]
    build.run([zig.binary(), "build-obj", *flags, "--name", "builtins", source])
    build.run(["ar", "rcs", "libbuiltins.a", "builtins.o"])


def _check_loader(file: Path, target: str) -> None:
    """Raise :class:`StepError` unless ``file`` is a complete loader, rather than another library of that name."""
    binary = binaries.read_file(file)
    usable = binary is not None and binary.container == "elf" and target.endswith(binary.machines) and not binary.needed
    if not usable or not _exported_names(file) >= _NAMES:
        raise StepError(
            f"musl: its build made no loader for {target}, but {binary or 'no shared library'}",
            hint="look at how lib/libc.so is linked; -vv shows every command",
            docs=_DOCS,
        )


def _exported_names(file: Path) -> set[str]:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with file.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        if not isinstance(symbols, SymbolTableSection):
            return set()
        return {symbol.name for symbol in symbols.iter_symbols() if symbol.entry.st_shndx != "SHN_UNDEF"}


def joined(image: Step, loader: Step, *more: Step) -> Step:
    """Return the step that adds ``loader`` to a runtime ``image``, replacing one that it has.

    Files of the images ``more`` are added as well.
    """
    return Step(
        product=f"{image.product.removesuffix('.tar')}.loader.tar",
        action="join",
        version=1,
        run=_join,
        inputs=(image, loader, *more),
    )


def _join(context: Context) -> None:
    runtime, *others = context.inputs
    with ImageBuilder("runtime", folder=context.product.parent) as builder:
        for other in others:
            builder.add_image(other)
        ours = set(builder.paths())
        for member, stream in read_image(runtime):
            if member.path not in ours:
                builder.add_member(member, stream)
        builder.write(context.product)
