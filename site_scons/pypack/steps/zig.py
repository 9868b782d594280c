"""Runs zig directly, with our own caches, so that its output does not depend on the caller's environment."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pypack.base import folders
from pypack.errors import StepError
from pypack.formats.headers import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pypack.steps.step import Context

_DOCS = "docs/source-runtime.md"

REPRODUCIBLE = ("-g0", "-fno-sanitize=undefined", "-ffunction-sections", "-fdata-sections")
"""Flags for all that we compile: ``-g0`` keeps the build path out of the output; zig enables UBSan by default."""


def binary() -> Path:
    """Return zig's own executable; calling it directly saves 30 ms a call over ``python -m ziglang``."""
    from pathlib import Path

    import ziglang

    folder = Path(ziglang.__file__).parent
    for name in ("zig", "zig.exe"):
        if (folder / name).is_file():
            return folder / name
    raise StepError(
        f"the package ziglang in {folder} holds no zig", hint="install it again: pip install -U ziglang", docs=_DOCS
    )


def version() -> str:
    """Return zig's version, a parameter of each step that runs it."""
    from importlib.metadata import version as version_of

    return version_of("ziglang")


@dataclass(frozen=True, kw_only=True)
class Zig:
    """zig for one target (``x86_64-linux-musl``), with its own work folder for sources and products."""

    target: str
    work: Path

    def cc(self, context: Context, arguments: Sequence[str | Path], *, hidden: Sequence[Path] = ()) -> None:
        """Run ``zig cc``. Paths of the work folder and of ``hidden`` folders become ``.`` in the output."""
        maps = [f"-ffile-prefix-map={folder}=." for folder in (self.work, *hidden)]
        self.run(context, ["cc", "-target", self.target, *REPRODUCIBLE, *maps, *arguments])

    def run(self, context: Context, arguments: Sequence[str | Path]) -> None:
        """Run another tool of zig (``rc``, ``dlltool``, ``ar``) in the work folder; the first argument names it."""
        context.run([binary(), *arguments], cwd=self.work, env=self._environment())

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        return {
            **inherited,
            "HOME": str(self.work),
            "LC_ALL": "C",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()),
            # objects of one step are of no use to another: they go with its folder
            "ZIG_LOCAL_CACHE_DIR": str(self.work / "zig-cache"),
        }


@contextmanager
def workshop(target: str) -> Iterator[Zig]:
    """Yield zig for ``target`` with a temporary work folder."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="pypack-") as name:
        yield Zig(target=target, work=Path(name).resolve())
