"""Compile Python sources to unchecked-hash bytecode, by an interpreter of the target's minor version.

Bytecode that carries a hash which nobody checks (PEP 552) is valid whatever the times of the files are: nothing is
compared at import, and the same source gives the same bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pypack.errors import StepError
from pypack.images.image import ImageBuilder, Member, unpack
from pypack.packages import selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.pipeline import Context
    from pypack.targets import Layout

_END = b"\xff\xff\xff\xff"
_BATCH = 4 << 20  # bytes of sources in memory at once
_START = ("__init__", "aliases", "ascii", "cp1252", "latin_1", "mbcs", "utf_8")


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What became of one source: ``bytecode``, or the text of the error."""

    path: str
    bytecode: bytes = b""
    error: str = ""


def tag(minor: str) -> str:
    """Return CPython's cache tag for a minor version: ``cpython-313`` for ``3.13``."""
    return f"cpython-{minor.replace('.', '')}"


def cache_path(source: str, minor: str, optimize: int = 0) -> str:
    """Return where the import system looks for the bytecode of ``source`` (PEP 3147, PEP 488)."""
    folder, name = posixpath.split(source)
    level = f".opt-{optimize}" if optimize else ""
    return posixpath.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{tag(minor)}{level}.pyc")


_FROZEN_SINCE_3_11 = (
    "stat.py", "posixpath.py", "ntpath.py", "genericpath.py", "_collections_abc.py", "site.py", "_sitebuiltins.py",
)  # fmt: skip
"""What CPython imports from files at each start before 3.11."""


def before_site(stdlib: str) -> Iterator[str]:
    """Yield the sources that Python imports from files before ``site`` runs, or may.

    A child of a program that was built with ``optimize`` is started without it; it must find bytecode for these, since
    only ``site`` tells it to write none into the layer.
    """
    yield from (f"{stdlib}/encodings/{name}.py" for name in _START)
    yield from (f"{stdlib}/{name}.py" for name in ("abc", "codecs", "io", "os"))
    yield from (f"{stdlib}/{name}" for name in _FROZEN_SINCE_3_11)


def kit_members(layout: Layout) -> Iterable[str]:
    """Return the beginnings of the paths that an interpreter needs in order to start and compile."""
    stdlib = layout.stdlib
    return (
        layout.python,
        posixpath.dirname(layout.libpython) + "/lib" if "/" in layout.libpython else layout.libpython,
        f"{stdlib}/encodings/",
        *(f"{stdlib}/{name}" for name in _FROZEN_SINCE_3_11),
        f"{stdlib}/os.py",
        f"{stdlib}/codecs.py",
        f"{stdlib}/io.py",
        f"{stdlib}/abc.py",
        f"{stdlib}/lib-dynload",
        *(() if "/" in layout.libpython else ("vcruntime",)),  # Windows: what python3XX.dll itself needs
    )


def run_kit(context: Context) -> None:
    """Step: cut a runtime image down to what is needed to compile (the interpreter, its libraries, encodings).

    Input: the runtime image. Params: ``members``, beginnings of paths.
    """
    wanted = tuple(context.params["members"])
    from pypack.images.image import read_image

    with ImageBuilder("kit", folder=context.product.parent) as builder:
        for member, stream in read_image(context.inputs[0]):
            if member.path.startswith(wanted):
                builder.add_member(member, stream)
        builder.write(context.product)


@contextmanager
def interpreter(kit: Path, python: str) -> Iterator[Path]:
    """Give the path of a kit's interpreter for a ``with`` block.

    The kit is unpacked beside itself, once for as long as it stays the same (a product's time stands for its content):
    each wheel of a build and each change of an app would else wait for it again.
    """
    info = kit.stat()
    place = kit.with_name(f"{kit.stem}-{info.st_size:x}-{info.st_mtime_ns:x}")
    if not place.is_dir():
        _unpack_kit(kit, place)
    yield place / python


def _unpack_kit(kit: Path, place: Path) -> None:
    """Unpack a kit in one step; another thread or process may do the same meanwhile."""
    work = Path(tempfile.mkdtemp(prefix=f"{kit.stem}.", dir=kit.parent))
    try:
        unpack(kit, work / "kit")
        with contextlib.suppress(OSError):  # the other one was quicker
            (work / "kit").rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if not place.is_dir():
        raise StepError(f"{place} cannot be made", do="check that the folder can be written")


def compile_sources(python: Path, sources: Iterable[tuple[str, bytes]], *, optimize: int = 0) -> Iterator[Compiled]:
    """Compile ``(path, source)`` pairs in order, in one process; paths become ``co_filename``.

    One process and a fixed order keep the bytes the same: what an interpreter has seen
    before can change how it writes shared constants.
    """
    waiting = iter(sources)
    first = next(waiting, None)
    if first is None:
        return
    worker = Path(__file__).with_name("boot") / "compiler.py"
    command = [str(python), "-I", "-S", "-B", "-X", "utf8", str(worker), str(optimize)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise StepError(f"the interpreter that compiles cannot be started: {error}") from error
    assert process.stdin and process.stdout and process.stderr
    with process:
        try:
            for batch in _batches(itertools.chain([first], waiting)):
                yield from _answers(process, batch)
            process.stdin.write(_END)
        except BaseException:
            process.kill()
            with contextlib.suppress(OSError):  # something may wait to be written
                process.stdin.close()
            raise


def _batches(sources: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield sources some at a time; they are read here, and never while others are compiled."""
    batch, size = [], 0
    for path, source in sources:
        batch.append((path, source))
        size += len(source)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _answers(process: subprocess.Popen[bytes], pairs: list[tuple[str, bytes]]) -> Iterator[Compiled]:
    assert process.stdin and process.stdout and process.stderr
    feeder = threading.Thread(target=_feed, args=(process.stdin, pairs), daemon=True)
    feeder.start()
    try:
        for path, _ in pairs:
            head = process.stdout.read(5)
            if len(head) < 5:
                told = process.stderr.read().decode("utf-8", "replace").strip()
                raise StepError(f"the interpreter that compiles died at {path}:\n{told}")
            content = process.stdout.read(int.from_bytes(head[1:], "little"))
            if head[0]:
                yield Compiled(path=path, error=content.decode("utf-8", "replace"))
            else:
                yield Compiled(path=path, bytecode=content)
    except BaseException:
        process.kill()  # else the feeder could wait for a reader that is gone
        raise
    finally:
        feeder.join()  # before the pipe is closed, which two threads cannot do at once


def run_compile(context: Context) -> None:
    """Step: add bytecode to an image.

    Inputs: the image, the kit (without one nothing is compiled). Params: ``minor``, ``python`` (path in the kit),
    ``sources`` (keep them), ``optimize``, ``below`` (only what starts with this path is compiled), ``plain`` (sources
    whose bytecode without ``optimize`` is added too), ``drop`` and ``tests`` (:mod:`pypack.packages.selection`).
    A file that does not compile stays as it is: packages carry templates and code for other versions.
    """
    below = context.params["below"]
    with ImageBuilder("compiled", folder=context.product.parent) as builder:
        builder.add_image(context.inputs[0])
        selection.apply(builder, context.params, base=below.rstrip("/"))
        if len(context.inputs) > 1:
            compile_image(context, builder, context.inputs[1], below=below)
        builder.write(context.product)


def compile_image(context: Context, builder: ImageBuilder, kit: Path, *, below: str) -> None:
    """Add bytecode to a step's image, as its params say; what does not compile is noted and stays as it is."""
    params = context.params
    with interpreter(kit, params["python"]) as python:
        failed = add_bytecode(
            builder,
            python,
            minor=params["minor"],
            keep_sources=params["sources"],
            optimize=params["optimize"],
            below=below,
        )
        for done in compile_sources(python, _there(builder, params.get("plain", ()))):
            builder.add(cache_path(done.path, params["minor"]), done.bytecode)
    for fault in failed:
        context.note(f"not compiled: {fault.error}")


def _there(builder: ImageBuilder, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    return ((path, builder.read(path)) for path in wanted if path in builder)


def add_bytecode(
    builder: ImageBuilder, python: Path, *, minor: str, keep_sources: bool, optimize: int = 0, below: str = ""
) -> list[Compiled]:
    """Compile every ``.py`` of ``builder`` and add the result; return those that failed.

    Without sources the bytecode takes the place of the source (``x.pyc`` beside where ``x.py`` was), where the import
    system finds it. A source that failed is kept.
    """
    wanted = [path for path in builder.paths() if path.startswith(below) and _is_source(builder.member(path))]
    failed = []
    for done in compile_sources(python, ((path, builder.read(path)) for path in wanted), optimize=optimize):
        if done.error:
            failed.append(done)
        elif keep_sources:
            builder.add(cache_path(done.path, minor, optimize), done.bytecode)
        else:
            builder.remove(done.path)
            builder.add(f"{done.path}c", done.bytecode)
    return failed


def _is_source(member: Member) -> bool:
    return member.kind == "file" and member.path.endswith(".py")


def _feed(stream: IO[bytes], pairs: list[tuple[str, bytes]]) -> None:
    try:
        for path, source in pairs:
            name = path.encode("utf-8", "surrogateescape")
            stream.write(len(name).to_bytes(4, "little") + name + len(source).to_bytes(4, "little") + source)
        stream.flush()
    except OSError:
        pass  # the reader sees that the process died, and says so with its last words
