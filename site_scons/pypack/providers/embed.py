"""Provider ``embed``: python.org's embeddable packages for Windows, made into a runtime of the usual shape."""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import fetch, zig
from pypack.errors import ArchiveError
from pypack.images import archive, image
from pypack.images.image import ImageBuilder
from pypack.pipeline import Step
from pypack.providers import tree
from pypack.providers.base import Runtime
from pypack.providers.pinned import PinnedProvider
from pypack.sources import table
from pypack.windows import import_library

if TYPE_CHECKING:
    from pypack.pins import Pin
    from pypack.pipeline import Context
    from pypack.providers.base import Request
    from pypack.targets import Target

LACKS = ("_tkinter", "ensurepip", "idlelib", "lib2to3", "test", "tkinter", "turtle", "turtledemo", "venv")
"""What python.org leaves out of the embeddable package (CPython's ``PC/layout``), and pypack of any runtime."""

MAGIC = {"3.8": 3413, "3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571}
"""The number that bytecode of a minor version begins with (``Lib/importlib/_bootstrap_external.py``)."""

_NOTES = (
    "this Python comes as bytecode: tracebacks show no source lines of the standard library",
    "this Python comes without tkinter, turtle, idlelib, ensurepip and venv",
)
_BESIDE = ("python.exe", "pythonw.exe", "python3.dll", "python{nodot}.dll")
_RUNTIME_DLLS = "vcruntime"
_MODULES = (".pyd", ".dll")
_DROPPED = (".zip", ".cat", "._pth")  # the library, unpacked by us; a list of signatures; what would redirect sys.path


class EmbedProvider(PinnedProvider):
    """CPython out of python.org's embeddable packages, pinned by hash."""

    name = "embed"

    def refusal(self, request: Request) -> str:
        """Return why no pin serves ``request``, in one clause, or ``""``."""
        if request.target.system != "windows":
            return "python.org's embeddable package is for Windows"
        return super().refusal(request)

    def runtime(self, request: Request) -> Runtime:
        """Describe fetch, unpack, arrange and patch of the pinned archive."""
        found, target = self._chosen(request), request.target
        place = f"runtime/{target.name}/{self.name}-{found.version}-{found.pin.sha256[:8]}"
        unpacked = Step(
            product=f"{place}/runtime.archive.tar",
            action="embed-unpack",
            version=1,
            run=_unpack,
            inputs=(fetch.step(found.pin),),
            params={"inside": list(found.inside)},
        )
        arranged = Step(
            product=f"{place}/runtime.whole.tar",
            action="embed",
            version=1,
            run=_arrange,
            inputs=(unpacked,),
            params={"minor": _minor(found.version)},
        )
        return Runtime(
            provider=self.name,
            version=found.version,
            place=place,
            image=tree.patch(f"{place}/runtime.tar", arranged, target, found.version),
            dev=_dev_step(f"{place}/runtime.dev.tar", arranged, target, found.version),
            notes=_NOTES,
            pins=(found.pin,),
            lacks=LACKS,
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


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
            raise ArchiveError(f"{outer.name} holds no {name}", do="correct `inside` in the row of its pin")
        path = folder / "inner"
        path.write_bytes(builder.read(base))
    return path


def _arrange(context: Context) -> None:
    """Step: the embeddable package -> the shape of an installed CPython. Params: ``minor``."""
    minor = context.params["minor"]
    nodot = minor.replace(".", "")
    library = f"python{nodot}.zip"

    def run(builder: ImageBuilder) -> None:
        missing = [name for name in ("python.exe", f"python{nodot}.dll", library) if name not in builder]
        if missing:
            raise ArchiveError(
                f"this is no embeddable package of CPython {minor}: it has no {' and no '.join(missing)}",
                do="correct the pin: its version, and where the package is inside of the archive",
                see="docs/windows.md",
            )
        _add_library(builder, library, minor, context.product.parent)
        _sort_out(builder, {name.format(nodot=nodot) for name in _BESIDE})

    image.rewrite(context.inputs[0], context.product, run, name="the embeddable package")


def _sort_out(builder: ImageBuilder, beside: set[str]) -> None:
    """Put modules and the libraries that they need into ``DLLs``, as an installed CPython has them."""
    for path in builder.paths():
        name = path.lower()
        if "/" in path or name in beside or name.startswith(_RUNTIME_DLLS):
            continue
        if name.endswith(_MODULES):
            builder.add_copy(f"DLLs/{path}", path)
        if name.endswith((*_MODULES, *_DROPPED)):
            builder.remove(path)


def _add_library(builder: ImageBuilder, library: str, minor: str, folder: Path) -> None:
    """Unpack the standard library's zip into ``Lib``: bytecode stands there where an installed CPython has sources."""
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
    """Refuse bytecode that CPython ``minor`` would not load; where its number is not known, what is no bytecode."""
    expected = MAGIC.get(minor)
    number = int.from_bytes(data[:2], "little")
    if len(data) < 16 or data[2:4] != b"\r\n" or expected not in {None, number}:
        want = f" (its number is {number}, not {expected})" if expected else ""
        raise ArchiveError(f"{path} is no bytecode of CPython {minor}{want}", do="correct the version in the pin")


# --- headers and import libraries -------------------------------------------------------------------------------------


def _dev_step(product: str, arranged: Step, target: Target, version: str) -> Step | None:
    """Return the step of the dev image, or None where no source archive of that minor version is pinned."""
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

    Headers of another micro version serve: the C API and ABI are fixed within a minor version.
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
            # as it stands pyconfig.h.in is the usual build's pyconfig.h; before 3.13 it bears that name at once
            name = next((name for name in ("pyconfig.h.in", "pyconfig.h") if name in files), "")
            if not name:
                raise ArchiveError(
                    f"{sources.name} has no PC/pyconfig.h", do="correct the pin in runtimes/sources.toml"
                )
            builder.add("include/pyconfig.h", files.read(name))
        dlls = _read_dlls(runtime, (f"python{nodot}.dll", "python3.dll"))
        for name, data in import_library.make(context, dlls).items():
            builder.add(f"libs/{name}", data)
        builder.write(context.product)


def _read_dlls(runtime: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    found = {
        member.path: stream.read()
        for member, stream in image.read_image(runtime)
        if stream is not None and member.path in names
    }
    return {name: found[name] for name in names if name in found}
