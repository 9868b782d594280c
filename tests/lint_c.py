"""Compile the launcher's sources with every compiler that is here; each warning is an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pypack import fetch, folders, stub, zig
from pypack.images import archive, image
from pypack.pipeline import Settings

TARGETS = ("x86_64-linux-musl", "aarch64-linux-musl")


def main() -> int:
    """Return 0 when no compiler has anything to say."""
    sources = [path for path in stub.c_files() if path.suffix == ".c"]
    clean = True
    with tempfile.TemporaryDirectory() as name:
        headers = zstd_headers(Path(name))
        env = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()), "ZIG_LOCAL_CACHE_DIR": f"{name}/zig"}
        for compiler in compilers():
            flags = [*stub.STANDARD, *stub.WARNINGS, "-O2", "-isystem", headers, "-o", f"{name}/object", "-c"]
            failed = [
                path for path in sources if subprocess.run([*compiler, *flags, path], check=False, env=env).returncode
            ]
            print(
                f"{' '.join(map(os.fspath, compiler))}: {len(sources)} files, {len(failed)} with warnings", flush=True
            )
            clean = clean and not failed
    return 0 if clean else 1


def compilers() -> list[list[str | Path]]:
    """Return the product's compiler for each target, and the second opinions that this machine has."""
    found: list[list[str | Path]] = [[zig.binary(), "cc", "-target", target] for target in TARGETS]
    found += [[path] for name in ("gcc", "clang") if (path := shutil.which(name))]
    if len(found) == len(TARGETS):
        print("no gcc and no clang here: the sources were NOT checked by a second compiler", file=sys.stderr)
    return found


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
