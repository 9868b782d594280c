"""Compile Python sources to unchecked-hash bytecode, by an interpreter of the target's minor version.

Bytecode that carries a hash which nobody checks (PEP 552) is valid whatever the times of the files are: nothing is
compared at import, and the same source gives the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import subprocess
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import binaries, pyc
from pypack.errors import StepError
from pypack.images.image import ImageBuilder, Member, read_image, unpack
from pypack.packages import selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.pipeline import Context

_END = b"\xff\xff\xff\xff"
_GROUP = 1 << 20
"""Bytes of sources that one process compiles: half a second of work."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What became of one source: ``bytecode``, or the text of the error."""

    path: str
    bytecode: bytes = b""
    error: str = ""


def run_kit(context: Context) -> None:
    """Step: cut a runtime image down to what is needed to compile (the interpreter, its libraries, encodings).

    Input: the runtime image. Params: ``members``, beginnings of paths; the first is the interpreter.
    """
    wanted = tuple(context.params["members"])
    landmark = f"{next(posixpath.dirname(path) for path in wanted if path.endswith('/os.py'))}/lib-dynload"
    seen, has_landmark = binaries.Survey(), False
    with ImageBuilder("kit", folder=context.product.parent) as builder:
        for member, stream in read_image(context.inputs[0]):
            has_landmark |= member.path.startswith(landmark)
            if member.path.startswith(wanted):
                seen.see(member, stream)
                builder.add_member(member, stream)
        for path in _unneeded(seen, wanted[0], landmark):
            builder.remove(path)
        if has_landmark:
            builder.add_dir(landmark)  # CPython knows by it where it is
        builder.write(context.product)


def _unneeded(seen: binaries.Survey, python: str, modules: str) -> set[str]:
    """Return the ELF libraries (and links to them) that neither the interpreter nor what is in ``modules`` asks for."""
    elf = {native.path: native.binary for native in seen.natives if native.kind == "elf" and native.binary}
    links = {
        member.path: posixpath.normpath(posixpath.join(posixpath.dirname(member.path), member.link))
        for member in seen.members
        if member.kind == "link"
    }
    names = {posixpath.basename(path): path for path in (*elf, *links)}
    needed, waiting = set[str](), [python, *(path for path in elf if path.startswith(f"{modules}/"))]
    while waiting:
        path = waiting.pop()
        if path not in needed:
            needed.add(path)
            asked = [names[name] for name in elf[path].needed if name in names] if path in elf else []
            waiting += [links[path]] if path in links else asked
    return {path for path in (*elf, *links) if path not in needed and (path in elf or links[path] in elf)}


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


def compile_sources(
    python: Path, sources: Iterable[tuple[str, bytes]], *, optimize: int = 0, jobs: int = 1
) -> Iterator[Compiled]:
    """Compile ``(path, source)`` pairs in order, ``jobs`` groups of them at a time; paths become ``co_filename``.

    A process for each group, cut by the sizes alone, and a fixed order in it keep the bytes the same: what an
    interpreter has seen before can change how it writes shared constants.
    """
    waiting: deque[Future[list[Compiled]]] = deque()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for group in _groups(sources):
            waiting.append(pool.submit(_compiled, python, group, optimize))
            if len(waiting) > jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _groups(sources: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield sources some at a time; they are read here, and never while others are compiled."""
    group, size = [], 0
    for path, source in sources:
        group.append((path, source))
        size += len(source)
        if size >= _GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _compiled(python: Path, group: list[tuple[str, bytes]], optimize: int) -> list[Compiled]:
    worker = Path(__file__).with_name("boot") / "compiler.py"
    command = [str(python), "-s", "-S", "-B", "-X", "utf8", str(worker), str(optimize)]
    # up to 3.10 the order of a set among the constants depends on the seed of hashes, which -I would not let us set
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"PYTHONHASHSEED": "0"}
    asked = b"".join(map(_question, group)) + _END
    try:
        done = subprocess.run(command, input=asked, env=env, capture_output=True, check=False)
    except OSError as error:
        raise StepError(f"the interpreter that compiles cannot be started: {error}") from error
    answers, at = [], 0
    for path, _ in group:
        size = int.from_bytes(done.stdout[at + 1 : at + 5], "little")
        content = done.stdout[at + 5 : at + 5 + size]
        if len(done.stdout) < at + 5 or len(content) < size:
            told = done.stderr.decode("utf-8", "replace").strip()
            raise StepError(f"the interpreter that compiles died at {path}:\n{told}")
        failed = done.stdout[at]
        answers.append(
            Compiled(path=path, error=content.decode("utf-8", "replace"))
            if failed
            else Compiled(path=path, bytecode=content)
        )
        at += 5 + size
    return answers


def _question(pair: tuple[str, bytes]) -> bytes:
    path, source = pair
    name = path.encode("utf-8", "surrogateescape")
    return len(name).to_bytes(4, "little") + name + len(source).to_bytes(4, "little") + source


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
            jobs=context.settings.jobs,
        )
        for done in compile_sources(python, _there(builder, params.get("plain", ()))):
            builder.add(pyc.cache_path(done.path, params["minor"]), done.bytecode)
    for fault in failed:
        context.note(f"not compiled: {fault.error}")


def _there(builder: ImageBuilder, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    return ((path, builder.read(path)) for path in wanted if path in builder)


def add_bytecode(
    builder: ImageBuilder, python: Path, *, minor: str, keep_sources: bool, optimize: int = 0, below: str = "",
    jobs: int = 1,
) -> list[Compiled]:  # fmt: skip
    """Compile every ``.py`` of ``builder`` and add the result; return those that failed.

    Without sources the bytecode takes the place of the source (``x.pyc`` beside where ``x.py`` was), where the import
    system finds it. A source that failed is kept.
    """
    wanted = [path for path in builder.paths() if path.startswith(below) and _is_source(builder.member(path))]
    failed = []
    for done in compile_sources(python, _there(builder, wanted), optimize=optimize, jobs=jobs):
        if done.error:
            failed.append(done)
        elif keep_sources:
            builder.add(pyc.cache_path(done.path, minor, optimize), done.bytecode)
        else:
            builder.remove(done.path)
            builder.add(f"{done.path}c", done.bytecode)
    return failed


def _is_source(member: Member) -> bool:
    return member.kind == "file" and member.path.endswith(".py")
