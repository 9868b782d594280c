"""How zig is called: directly, with caches of ours, so that nothing of the caller gets into what it makes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack import folders
from pypack.errors import StepError
from pypack.images.headers import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pypack.pipeline import Context

REPRODUCIBLE = ("-g0", "-fno-sanitize=undefined", "-ffunction-sections", "-fdata-sections")
"""Flags of all that we compile: without ``-g0`` the build folder is in the bytes; zig turns UBSan on by itself."""


def binary() -> Path:
    """Return zig's own executable; calling it directly saves 30 ms a call over ``python -m ziglang``."""
    from pathlib import Path

    import ziglang

    folder = Path(ziglang.__file__).parent
    for name in ("zig", "zig.exe"):
        if (folder / name).is_file():
            return folder / name
    raise StepError(f"the package ziglang in {folder} holds no zig", do="install it again: pip install -U ziglang")


def version() -> str:
    """Return zig's version, which belongs into the signature of each step that calls it."""
    from importlib.metadata import version as version_of

    return version_of("ziglang")


@dataclass(frozen=True, kw_only=True)
class Zig:
    """zig for one target (``x86_64-linux-musl``), with a work folder of its own that may hold sources and products."""

    target: str
    work: Path

    def cc(self, context: Context, words: Sequence[str | Path], *, hidden: Sequence[Path] = ()) -> None:
        """Run ``zig cc``. The work folder and the ``hidden`` ones are spelled ``.`` in all that is compiled."""
        maps = [f"-ffile-prefix-map={folder}=." for folder in (self.work, *hidden)]
        self.run(context, ["cc", "-target", self.target, *REPRODUCIBLE, *maps, *words])

    def run(self, context: Context, words: Sequence[str | Path]) -> None:
        """Run one of zig's other tools (``rc``, ``dlltool``, ``ar``) in the work folder; the first word names it."""
        context.run([binary(), *words], cwd=self.work, env=self._environment())

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.work),
            "LC_ALL": "C",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()),
            # objects of one step are of no use to another: they go with its folder
            "ZIG_LOCAL_CACHE_DIR": str(self.work / "zig-cache"),
        }


@contextmanager
def workshop(target: str) -> Iterator[Zig]:
    """Give zig for ``target`` with a temporary work folder."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="pypack-") as name:
        yield Zig(target=target, work=Path(name).resolve())
