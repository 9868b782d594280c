"""Provider ``embed``: python.org's embeddable packages for Windows, in the layout of an installed CPython."""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base.notes import Note
from pypack.base.version import minor_of
from pypack.download import fetch
from pypack.errors import ArchiveError
from pypack.formats import archive, image
from pypack.formats.image import ImageBuilder
from pypack.runtimes import import_library, tree
from pypack.runtimes.base import Runtime
from pypack.runtimes.cpython import table
from pypack.runtimes.pinned import PinnedProvider
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pypack.base.targets import Target
    from pypack.download.pins import Pin
    from pypack.runtimes.base import Request
    from pypack.steps.step import Context

MISSING_MODULES = ("_tkinter", "ensurepip", "idlelib", "lib2to3", "test", "tkinter", "turtle", "turtledemo", "venv")
"""Modules that the embeddable package lacks (CPython's ``PC/layout``) or that pypack removes from every runtime."""

MAGIC = {"3.8": 3413, "3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571}
"""The number that bytecode of a minor version begins with (``Lib/importlib/_bootstrap_external.py``)."""

_NOTES = (
    Note("runtime-sources", "this Python comes as bytecode: tracebacks show no source lines of the standard library"),
    Note("runtime-modules", "this Python comes without tkinter, turtle, idlelib, ensurepip and venv"),
)
_BESIDE = ("python.exe", "pythonw.exe", "python3.dll", "python{nodot}.dll")
_RUNTIME_DLLS = "vcruntime"
_MODULES = (".pyd", ".dll")
_DROPPED = (
    ".zip",
    ".cat",
    "._pth",
)  # the standard library, which is unpacked; a list of signatures; a file that would redirect sys.path


class EmbedProvider(PinnedProvider):
    """CPython from python.org's embeddable packages, pinned by hash."""

    name = "embed"

    def unsupported_reason(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if request.target.system != "windows":
            return "python.org's embeddable package is for Windows"
        return super().unsupported_reason(request)

    def runtime(self, request: Request) -> Runtime:
        """Return the runtime with the steps fetch, unpack, arrange and patch of the pinned archive."""
        runtime_pin, target = self._chosen(request), request.target
        output_dir = f"runtime/{target.name}/{self.name}-{runtime_pin.version}-{runtime_pin.pin.sha256[:8]}"
        unpacked = Step(
            product=f"{output_dir}/runtime.archive.tar",
            action="embed-unpack",
            version=1,
            run=_unpack,
            inputs=(fetch.step(runtime_pin.pin),),
            params={"inside": list(runtime_pin.inside)},
        )
        arranged = Step(
            product=f"{output_dir}/runtime.whole.tar",
            action="embed",
            version=1,
            run=_arrange,
            inputs=(unpacked,),
            params={"minor": _minor(runtime_pin.version)},
        )
        return Runtime(
            provider=self.name,
            version=runtime_pin.version,
            output_dir=output_dir,
            image=tree.patch(f"{output_dir}/runtime.tar", arranged, target, runtime_pin.version),
            dev=_dev_step(f"{output_dir}/runtime.dev.tar", arranged, target, runtime_pin.version),
            notes=_NOTES,
            pins=(runtime_pin.pin,),
            missing_modules=MISSING_MODULES,
        )


def _minor(version: str) -> str:
    return minor_of(version)


def _unpack(context: Context) -> None:
    """Step: the archive -> an image of the embeddable package itself. Params: ``inside``, see :class:`RuntimePin`."""
    *archives, folder = context.params["inside"] or ["."]
    with tempfile.TemporaryDirectory(prefix="pypack-", dir=context.product.parent) as work:
        path = context.inputs[0]
        for number, name in enumerate(archives):
            path = _inner(path, name, Path(work) / str(number))
        archive.extract(path, context.product, under="" if folder == "." else folder)


def _inner(outer: Path, name: str, folder: Path) -> Path:
    """Write the archive ``name`` that is in the archive ``outer`` into ``folder`` and return its path."""
    parent, base = posixpath.split(name)
    folder.mkdir()
    with ImageBuilder(outer.name, folder=folder) as builder:
        archive.fill(builder, outer, under=parent, limits=archive.Limits())
        if base not in builder or builder.member(base).kind != "file":
            raise ArchiveError(f"{outer.name} holds no {name}", hint="correct `inside` in the row of its pin")
        path = folder / "inner"
        path.write_bytes(builder.read(base))
    return path


def _arrange(context: Context) -> None:
    """Step: the embeddable package -> the layout of an installed CPython. Params: ``minor``."""
    minor = context.params["minor"]
    nodot = minor.replace(".", "")
    library = f"python{nodot}.zip"

    def run(builder: ImageBuilder) -> None:
        missing = [name for name in ("python.exe", f"python{nodot}.dll", library) if name not in builder]
        if missing:
            raise ArchiveError(
                f"this is no embeddable package of CPython {minor}: it has no {' and no '.join(missing)}",
                hint="correct the pin: its version, and where the package is inside of the archive",
                docs="docs/windows.md",
            )
        _add_library(builder, library, minor, context.product.parent)
        _sort_out(builder, {name.format(nodot=nodot) for name in _BESIDE})

    image.rewrite(context.inputs[0], context.product, run, name="the embeddable package")


def _sort_out(builder: ImageBuilder, beside: set[str]) -> None:
    """Move extension modules and the libraries that they need to ``DLLs``, as in an installed CPython."""
    for path in builder.paths():
        name = path.lower()
        if "/" in path or name in beside or name.startswith(_RUNTIME_DLLS):
            continue
        if name.endswith(_MODULES):
            builder.add_copy(f"DLLs/{path}", path)
        if name.endswith((*_MODULES, *_DROPPED)):
            builder.remove(path)


def _add_library(builder: ImageBuilder, library: str, minor: str, folder: Path) -> None:
    """Unpack the standard library's zip into ``Lib``, with bytecode in place of an installed CPython's sources."""
    with tempfile.TemporaryDirectory(prefix="pypack-", dir=folder) as work:
        path = Path(work) / library
        path.write_bytes(builder.read(library))
        with ImageBuilder(library, folder=Path(work)) as inner:
            archive.fill(inner, path, limits=archive.Limits())
            for name in inner.paths():
                if inner.member(name).kind != "file":
                    continue
                data = inner.read(name)
                if name.endswith(".pyc"):
                    _check_magic(f"{library}/{name}", data, minor)
                builder.add(f"Lib/{name}", data)


def _check_magic(path: str, data: bytes, minor: str) -> None:
    """Refuse bytecode that CPython ``minor`` would not load; for a version not in ``MAGIC``, anything but bytecode."""
    expected = MAGIC.get(minor)
    number = int.from_bytes(data[:2], "little")
    if len(data) < 16 or data[2:4] != b"\r\n" or expected not in {None, number}:
        want = f" (its number is {number}, not {expected})" if expected else ""
        raise ArchiveError(f"{path} is no bytecode of CPython {minor}{want}", hint="correct the version in the pin")


# --- headers and import libraries -------------------------------------------------------------------------------------


def _dev_step(product: str, arranged: Step, target: Target, version: str) -> Step | None:
    """Return the step of the dev image; None if no source archive of that minor version is pinned."""
    source = table.load().cpython
    if _minor(source.version) != _minor(version):
        return None
    pin: Pin = source.pin
    return Step(
        product=product,
        action="embed-dev",
        version=1,
        run=_dev,
        inputs=(arranged, fetch.step(pin)),
        params={"minor": _minor(version), "zig": zig.version(), "zig_target": target.stub_zig, "arch": target.arch},
    )


def _dev(context: Context) -> None:
    """Step: package and source archive -> ``include/`` and ``libs/``.

    Headers of another micro version are fine: the C API and ABI are fixed within a minor version.
    """
    runtime, sources = context.inputs
    nodot = context.params["minor"].replace(".", "")
    folder = context.product.parent
    with ImageBuilder("dev", folder=folder) as builder:
        with ImageBuilder(sources.name, folder=folder) as headers:
            archive.fill(headers, sources, strip=1, under="Include", limits=archive.Limits())
            for path in (path for path in headers.paths() if headers.member(path).kind == "file"):
                builder.add(f"include/{path}", headers.read(path))
        with ImageBuilder(sources.name, folder=folder) as files:
            archive.fill(files, sources, strip=1, under="PC", limits=archive.Limits())
            # unchanged, pyconfig.h.in is the usual build's pyconfig.h; before 3.13 the file is named pyconfig.h
            name = next((name for name in ("pyconfig.h.in", "pyconfig.h") if name in files), "")
            if not name:
                raise ArchiveError(
                    f"{sources.name} has no PC/pyconfig.h", hint="correct the pin in runtimes/sources.toml"
                )
            builder.add("include/pyconfig.h", files.read(name))
        dlls = _read_dlls(runtime, (f"python{nodot}.dll", "python3.dll"))
        for name, data in import_library.make(context, dlls).items():
            builder.add(f"libs/{name}", data)
        builder.write(context.product)


def _read_dlls(runtime: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    dlls = {
        member.path: stream.read()
        for member, stream in image.read_image(runtime)
        if stream is not None and member.path in names
    }
    return {name: dlls[name] for name in names if name in dlls}
