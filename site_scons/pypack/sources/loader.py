"""The C library and loader of a shared musl runtime: built from musl's own source, joined to a runtime image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypack import binaries, zig
from pypack.errors import StepError
from pypack.images.image import ImageBuilder, read_image
from pypack.pipeline import Step
from pypack.sources import workshop

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.pipeline import Context
    from pypack.sources.workshop import Workshop
    from pypack.targets import Target

_NAMES = frozenset({"dlopen", "exp", "malloc", "memcpy", "pthread_create", "statx", "strlen"})
"""Some of what a loader must export: the C library's own, and what a compiler may bring one of its own for."""


def path(target: Target) -> str:
    """Return where the loader stands in a runtime image, e.g. ``lib/ld-musl-x86_64.so.1``."""
    return f"lib/ld-musl-{target.arch}.so.1"


def links(target: Target) -> tuple[str, ...]:
    """Return the names below ``lib/`` under which programs ask for the same file as their C library.

    ``libc.so`` is musl's own name for it and that of what zig links, ``libc.musl-ARCH.so.1`` the one of Alpine Linux
    and of wheels for it. The loader takes either for itself without looking for a file; others do look.
    """
    return "libc.so", f"libc.musl-{target.arch}.so.1"


def build(context: Context) -> None:
    """The step's function: follow the recipe and put the loader under its names."""
    params, recipe = context.params, context.params["recipe"]
    with context.timed(f"musl {params['version']}"), workshop.opened(context) as shop:
        _builtins(shop)
        for command in recipe["commands"]:
            shop.run([shop.fill_in(word) for word in command])
        (made,) = recipe["libraries"]
        _check(shop.tree / made, params["target"])
        place = str(params["loader"])
        with ImageBuilder("loader", folder=context.product.parent) as builder:
            builder.add(place, (shop.tree / made).read_bytes(), executable=True)
            for name in params["links"]:
                builder.add_link(f"lib/{name}", place.rsplit("/", 1)[-1])
            shop.licences(builder)
            builder.write(context.product)


def _builtins(shop: Workshop) -> None:
    """Make ``libbuiltins.a`` in the tree: functions that the compiler calls (arithmetic of ``long double``, mostly).

    They come from zig's own library, whose functions are weak and hidden. A hidden one also hides another of its name,
    so it is compiled as for a shared library, where they are not.
    """
    source = zig.binary().parent / "lib" / "compiler_rt.zig"
    flags = ["-dynamic", "-fPIC", "-fstrip", "-O", "ReleaseSmall", "-target", shop.params["zig_target"]]
    shop.run([zig.binary(), "build-obj", *flags, "--name", "builtins", source])
    shop.run(["ar", "rcs", "libbuiltins.a", "builtins.o"])


def _check(file: Path, target: str) -> None:
    """Raise unless ``file`` is a whole loader: a linker may well have made something else of the same name."""
    binary = binaries.read_file(file)
    usable = binary is not None and binary.container == "elf" and target.endswith(binary.machines) and not binary.needed
    if not usable or not _exported(file) >= _NAMES:
        raise StepError(
            f"musl: its build made no loader for {target}, but {binary or 'no shared library'}",
            do="look at how lib/libc.so is linked; verbose=1 shows every command",
        )


def _exported(file: Path) -> set[str]:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with file.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        if not isinstance(symbols, SymbolTableSection):
            return set()
        return {symbol.name for symbol in symbols.iter_symbols() if symbol.entry.st_shndx != "SHN_UNDEF"}


def joined(image: Step, loader: Step, *more: Step) -> Step:
    """Return the step of a runtime ``image`` with the ``loader`` in it, in the place of one that it has already.

    ``more`` are images whose files come in like the loader's.
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
