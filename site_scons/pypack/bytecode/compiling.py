"""Compiles Python sources to unchecked-hash bytecode, with an interpreter of the target's minor version.

Unchecked-hash bytecode (PEP 552) is valid whatever the times of the files are: nothing is compared at import, and the
same source gives the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.base import files, folders
from pypack.bytecode import pyc
from pypack.bytecode.compiler_image import interpreter
from pypack.errors import StepError
from pypack.formats import selection
from pypack.formats.image import ImageBuilder, Member

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

_END = b"\xff\xff\xff\xff"
_SUM = 32
"""Length of the SHA-256 before a kept output, in bytes."""
_GROUP_SIZE = 1 << 20
"""Size of the sources that one process compiles, in bytes: half a second of work."""


class GroupMemory:
    """What groups of sources were compiled to the last time, in a ``folder``; None: nothing is kept.

    Each folder serves one set of sources: what these no longer need is removed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._used: set[str] = set()

    def read(self, request: bytes) -> bytes | None:
        """Return the output for a request, None where it is not known."""
        path = self._path(request)
        with contextlib.suppress(OSError):
            content = path.read_bytes() if path else b""
            if content and content[:_SUM] == hashlib.sha256(content[_SUM:]).digest():
                return content[_SUM:]
        return None

    def write(self, request: bytes, output: bytes) -> None:
        """Keep an output. A folder that cannot be written is no matter."""
        path = self._path(request)
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replaced(path) as draft:
                draft.write_bytes(hashlib.sha256(output).digest() + output)

    def forget_others(self) -> None:
        """Remove all outputs that were not asked for."""
        if self._folder and self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in self._used:
                    path.unlink(missing_ok=True)

    def _path(self, request: bytes) -> Path | None:
        if self._folder is None:
            return None
        name = hashlib.sha256(request).hexdigest()
        self._used.add(name)
        return self._folder / name


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """The result for one source: ``bytecode``, or the text of the error."""

    path: str
    bytecode: bytes = b""
    error: str = ""


def compile_sources(
    python: Path, sources: Iterable[tuple[str, bytes]], *, optimize: int = 0, jobs: int = 1,
    groups: GroupMemory | None = None,
) -> Iterator[Compiled]:  # fmt: skip
    """Compile ``(path, source)`` pairs in order, ``jobs`` groups of them at a time; paths become ``co_filename``.

    Each group has its own process and a fixed order, and is cut by sizes alone, so that the output is reproducible:
    earlier sources can change how an interpreter writes shared constants.
    """
    groups = groups or GroupMemory(None)
    waiting: deque[Future[list[Compiled]]] = deque()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for group in _groups(sources):
            waiting.append(pool.submit(_compile_group, python, group, optimize, groups))
            if len(waiting) > jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    groups.forget_others()


def _groups(sources: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield sources in groups of about ``_GROUP_SIZE``; they are read here, in one thread."""
    group, size = [], 0
    for path, source in sources:
        group.append((path, source))
        size += len(source)
        if size >= _GROUP_SIZE:
            yield group
            group, size = [], 0
    if group:
        yield group


def _compile_group(
    python: Path, group: list[tuple[str, bytes]], optimize: int, groups: GroupMemory
) -> list[Compiled]:  # fmt: skip
    request = b"".join(map(_encode_source, group)) + _END
    known = groups.read(request)
    if known is not None:
        return _read_answers(group, known, "")
    worker = folders.bootstrap() / "compiler.py"
    command = [str(python), "-s", "-S", "-B", "-X", "utf8", str(worker), str(optimize)]
    # up to 3.10 the order of a set constant depends on the hash seed, which -I would ignore
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"PYTHONHASHSEED": "0"}
    try:
        process = subprocess.run(command, input=request, env=env, capture_output=True, check=False)
    except OSError as error:
        raise StepError(
            f"the interpreter that compiles cannot be started: {error}",
            hint="choose another runtime (--runtime)",
            docs=_DOCS,
        ) from error
    answers = _read_answers(group, process.stdout, process.stderr.decode("utf-8", "replace").strip())
    groups.write(request, process.stdout)
    return answers


def _read_answers(group: list[tuple[str, bytes]], output: bytes, message: str) -> list[Compiled]:
    """Return what the process has written about each source of a group; ``message`` is what it said besides."""
    answers, offset = [], 0
    for path, _ in group:
        size = int.from_bytes(output[offset + 1 : offset + 5], "little")
        content = output[offset + 5 : offset + 5 + size]
        if len(output) < offset + 5 or len(content) < size:
            raise StepError(
                f"the interpreter that compiles died at {path}:\n{message}",
                hint="leave that file out (--exclude), or choose another runtime",
                docs=_DOCS,
            )
        failed = output[offset]
        answers.append(
            Compiled(path=path, error=content.decode("utf-8", "replace"))
            if failed
            else Compiled(path=path, bytecode=content)
        )
        offset += 5 + size
    return answers


def _encode_source(pair: tuple[str, bytes]) -> bytes:
    path, source = pair
    name = path.encode("utf-8", "surrogateescape")
    return len(name).to_bytes(4, "little") + name + len(source).to_bytes(4, "little") + source


def run_compile(context: Context) -> None:
    """Step: add bytecode to an image.

    Inputs: the image, and optionally the compiler image (nothing is compiled without it). Params: ``minor``, ``python``
    (path in it), ``sources`` (keep them), ``optimize``, ``below`` (only what starts with this path is compiled),
    ``plain`` (sources whose bytecode without ``optimize`` is added too), ``drop`` and ``tests``
    (:mod:`pypack.formats.selection`). A file that does not compile stays as it is: packages carry templates and code
    for other versions.
    """
    below = context.params["below"]
    with ImageBuilder("compiled", folder=context.product.parent) as builder:
        builder.add_image(context.inputs[0])
        selection.apply(builder, context.params, base=below.rstrip("/"))
        if len(context.inputs) > 1:
            compile_image(context, builder, context.inputs[1], below=below)
        builder.write(context.product)


def compile_image(context: Context, builder: ImageBuilder, compiler: Path, *, below: str) -> None:
    """Add bytecode to a step's image by its params; files that do not compile are noted and stay as they are."""
    params = context.params
    with interpreter(compiler, params["python"]) as python:
        failed = add_bytecode(
            builder,
            python,
            minor=params["minor"],
            keep_sources=params["sources"],
            optimize=params["optimize"],
            below=below,
            jobs=context.settings.jobs,
        )
        for compiled in compile_sources(python, _existing_sources(builder, params.get("plain", ()))):
            builder.add(pyc.cache_path(compiled.path, params["minor"]), compiled.bytecode)
    for fault in failed:
        context.note(f"not compiled: {fault.error}")


def _existing_sources(builder: ImageBuilder, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    return ((path, builder.read(path)) for path in paths if path in builder)


def add_bytecode(
    builder: ImageBuilder, python: Path, *, minor: str, keep_sources: bool, optimize: int = 0, below: str = "",
    jobs: int = 1, groups: GroupMemory | None = None,
) -> list[Compiled]:  # fmt: skip
    """Compile every ``.py`` of ``builder`` and add the result; return those that failed.

    Without ``keep_sources`` the bytecode replaces the source (``x.pyc`` in the folder of ``x.py``), where the import
    system finds it. A source that failed is kept.
    """
    paths = [path for path in builder.paths() if path.startswith(below) and _is_source(builder.member(path))]
    failed = []
    sources = _existing_sources(builder, paths)
    for compiled in compile_sources(python, sources, optimize=optimize, jobs=jobs, groups=groups):
        if compiled.error:
            failed.append(compiled)
        elif keep_sources:
            builder.add(pyc.cache_path(compiled.path, minor, optimize), compiled.bytecode)
        else:
            builder.remove(compiled.path)
            builder.add(f"{compiled.path}c", compiled.bytecode)
    return failed


def _is_source(member: Member) -> bool:
    return member.kind == "file" and member.path.endswith(".py")
