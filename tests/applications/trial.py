"""One application, from its archive to a row of the table."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pypack.base import folders
from tests.applications import processes, sides, sources, work
from tests.cases.conftest import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.applications.table import Application


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of an application: times in seconds, ``size`` in bytes, None where not measured; what is wrong."""

    name: str
    kind: str
    version: str
    built: bool = False
    works: bool = False
    install: float | None = None
    """Seconds of ``uv venv`` and ``uv pip install``'s."""
    first: float | None = None
    again: float | None = None
    """Seconds of a build with nothing changed."""
    edited: float | None = None
    """Seconds of a build after a change of one file."""
    size: int | None = None
    steps: int = 0
    """How many results were compared."""
    fault: str = ""

    def as_json(self) -> Mapping[str, Any]:
        return asdict(self)


def prepare_cache(cache: Path) -> None:
    """Empty the step cache and build a small program: runtime and launcher belong to no application.

    Downloads stay, and are those of the person who runs this: the times are of building, not of a network.
    """
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(mode=0o700, parents=True)
    for name in ("downloads", "zig"):
        (folders.cache_root() / name).mkdir(exist_ok=True)
        (cache / name).symlink_to(folders.cache_root() / name)
    hello = cache.with_name("hello")
    shutil.rmtree(hello, ignore_errors=True)
    shutil.copytree(HERE / "examples" / "hello", hello)
    words = [sys.executable, "-m", "pypack", "build", ".", "--runtime", "host"]
    env = {**os.environ, "PYPACK_CACHE_DIR": str(cache)}
    done = processes.run(words, cwd=hello, env=env, limit=sides.BUILD_SECONDS)
    if done.code:
        raise RuntimeError(f"examples/hello was not built:\n{done.text}")


def run(application: Application, room: Path, cache: Path, origin: str) -> Row:
    """Install, build, work, compare and build again, in an empty ``room``."""
    shutil.rmtree(room, ignore_errors=True)
    (room / "bundle").mkdir(parents=True)
    row = Row(name=application.name, kind=application.kind, version=application.version)
    source = sources.prepare(application, room)
    installed, venv = sides.make_venv(application, source, room)
    if installed.code:
        return replace(row, fault=f"uv does not install it:\n{installed.text}")
    row = replace(row, install=installed.seconds)
    first = sides.build(application, source, room, cache)
    (room / "build.log").write_text(first.text, encoding="utf-8")
    if first.code != 0:
        return replace(row, fault=f"it was not built (exit code {first.code}):\n{_last_lines(first.text)}")
    row = replace(row, built=True, first=first.seconds, size=sides.bundle(room).stat().st_size)
    again = sides.build(application, source, room, cache)
    row = replace(row, again=again.seconds if again.code == 0 else None)
    of_venv = work.do(application, venv, room, origin)
    of_bundle = work.do(application, sides.of_bundle(application, room), room, origin)
    for name, results in (("venv", of_venv), ("bundle", of_bundle)):
        text = "\n".join(f"=== {each.step}\n{each.text}" for each in results)
        (room / f"work-of-{name}.txt").write_text(text, encoding="utf-8")
    fault = work.differences(of_venv, of_bundle) + "".join(
        f"\nnot as applications.toml says, in the virtual environment:\n{each.step}\n{each.text}"
        for each in of_venv
        if not each.expected
    )
    row = replace(row, works=not fault, fault=fault, steps=len(of_venv))
    if application.is_wheel:
        return row
    return _edited(application, source, room, cache, row)


def _edited(application: Application, source: Path, room: Path, cache: Path, row: Row) -> Row:
    """Build after a change, and see that the change is in the bundle: another one was written."""
    before = sides.bundle(room).read_bytes()[-4096:]
    sources.edit(application, source)
    edited = sides.build(application, source, room, cache)
    if edited.code != 0:
        return replace(row, fault=f"{row.fault}\nnot built after an edit:\n{_last_lines(edited.text)}")
    if sides.bundle(room).read_bytes()[-4096:] == before:
        return replace(row, fault=f"{row.fault}\nthe bundle is the same after an edit of {application.edit}")
    return replace(row, edited=edited.seconds)


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-25:])
