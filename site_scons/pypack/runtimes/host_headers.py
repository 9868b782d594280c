"""The dev image of provider ``host``: this machine's CPython headers, for compiling packages."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.steps.step import Step

if TYPE_CHECKING:
    from pypack.runtimes.host_interpreter import Interpreter
    from pypack.steps.step import Context


def step(interpreter: Interpreter, output_dir: str, fingerprint: str) -> Step | None:
    """Return the step of the image; None if the headers are not installed (Debian: python3-dev).

    ``fingerprint`` is the interpreter's: headers change with it.
    """
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        return None
    info = header.stat()
    return Step(
        product=f"{output_dir}/dev.tar",
        action="headers",
        version=1,
        run=_run,
        params={"version": interpreter.version, "fingerprint": f"{fingerprint} {info.st_size} {info.st_mtime_ns}"},
    )


def _run(context: Context) -> None:
    """Step: the headers -> ``include/pythonX.Y/…``, and Debian's own part of them where that include looks for it."""
    from pypack.formats.image import ImageBuilder
    from pypack.runtimes import host_interpreter

    with ImageBuilder("headers", folder=context.product.parent) as builder:
        for inside, path in _headers(host_interpreter.running()).items():
            builder.add(inside, path.read_bytes())
        builder.write(context.product)


def _headers(interpreter: Interpreter) -> dict[str, Path]:
    name = f"python{interpreter.minor}"
    folders = {f"include/{name}": sysconfig.get_path("include")}
    if interpreter.multiarch:
        beside = Path(sysconfig.get_path("include")).parent / interpreter.multiarch / name
        folders[f"include/{interpreter.multiarch}/{name}"] = str(beside)
    return {
        f"{under}/{path.relative_to(folder).as_posix()}": path
        for under, folder in folders.items()
        for path in sorted(Path(folder).rglob("*.h"))
        if path.is_file()
    }
