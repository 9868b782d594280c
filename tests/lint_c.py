"""Compile the launcher's sources with every compiler that is here; each warning is an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import folders, targets
from pypack.download import fetch
from pypack.formats import archive, image
from pypack.launcher import stub
from pypack.steps import zig
from pypack.steps.step import Settings

if TYPE_CHECKING:
    from pypack.base.targets import Target


def main() -> int:
    """Return 0 when no compiler has anything to say."""
    clean = True
    with tempfile.TemporaryDirectory() as name:
        headers = zstd_headers(Path(name))
        env = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()), "ZIG_LOCAL_CACHE_DIR": f"{name}/zig"}
        for compiler, target in compilers():
            own = stub.FORMATS[target.container].compiling
            include = (f"-I{folders.data('stubs')}", "-isystem", headers)
            flags = [*own, *stub.C_FLAGS, *include, "-o", f"{name}/object", "-c"]
            both = {path for launch in ("exec", "embed") for path in stub.c_files(target, launch)}
            sources = sorted(path for path in both if path.suffix == ".c")
            failed = [
                path for path in sources if subprocess.run([*compiler, *flags, path], check=False, env=env).returncode
            ]
            print(
                f"{' '.join(map(os.fspath, compiler))}: {len(sources)} files, {len(failed)} with warnings", flush=True
            )
            clean = clean and not failed
    return 0 if clean else 1


def compilers() -> list[tuple[list[str | Path], Target]]:
    """Return the product's compiler for each kind of launcher, and the second opinions that this machine has."""
    launchers = {target.stub_zig: target for target in targets.load().values()}
    found: list[tuple[list[str | Path], Target]] = [
        ([zig.binary(), "cc", "-target", name, *zig.REPRODUCIBLE], target) for name, target in launchers.items()
    ]
    own = launchers[f"{os.uname().machine}-linux-musl"]
    second: list[tuple[list[str | Path], Target]] = [
        ([path], own) for name in ("gcc", "clang") if (path := shutil.which(name))
    ]
    if not second:
        print("no gcc and no clang here: the sources were NOT checked by a second compiler", file=sys.stderr)
    return found + second


def zstd_headers(folder: Path) -> Path:
    """Fetch the pinned zstd sources and give the folder of ``zstd.h``."""
    pinned = stub.sources()
    archive.extract(
        fetch.fetch(pinned.pin, settings=Settings()), folder / "zstd.tar", strip=pinned.strip, under=pinned.under
    )
    image.unpack(folder / "zstd.tar", folder / "zstd")
    return folder / "zstd"


if __name__ == "__main__":
    sys.exit(main())
