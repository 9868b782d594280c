"""Build examples/hello with this interpreter and nothing that was built before, and start the bundle."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pypack.base import folders

HELLO = Path(__file__).parents[1] / "examples" / "hello"


def main() -> int:
    """Return 0 when the bundle was built and greets."""
    with tempfile.TemporaryDirectory(prefix="pypack-fresh-") as name:
        folder = Path(name)
        cache = folder / "cache"
        cache.mkdir(mode=0o700)
        folders.downloads().mkdir(parents=True, exist_ok=True)
        (cache / "downloads").symlink_to(folders.downloads())
        env = {
            **os.environ, "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache()), "PYPACK_CACHE_DIR": str(cache),
        }  # fmt: skip
        bundle = folder / "hello"
        words = [sys.executable, "-m", "pypack", "build", str(HELLO), "-o", str(bundle)]
        subprocess.run(words, cwd=folder, env=env, check=True)
        done = subprocess.run([bundle, "Ada"], env=env, check=True, capture_output=True, text=True)
    print(done.stdout, end="")
    return 0 if "Ada" in done.stdout else 1


if __name__ == "__main__":
    sys.exit(main())
