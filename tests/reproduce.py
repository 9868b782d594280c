"""Build the same bundles twice with nothing shared but the downloads, and compare: ``reproduce.py TARGET…``.

Two folders, two zig caches, two build caches; everything is made anew, CPython from source too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pypack.base import folders

HERE = Path(__file__).parents[1]
PARTS = ("SConstruct", "site_scons", "runtimes", "stubs", "examples")
PLACES = ("one", "another/much deeper and with spaces")


def main() -> int:
    """Return 0 when every bundle is the same to the byte."""
    names = sys.argv[1:] or ["linux-gnu-x86_64", "linux-musl-x86_64", "linux-musl-aarch64", "windows-x86_64"]
    with tempfile.TemporaryDirectory(prefix="pypack-reproduce-") as work:
        sums = [build(Path(work) / place, names) for place in PLACES]
    for name, (first, second) in ((name, (sums[0][name], sums[1][name])) for name in sums[0]):
        print(f"{'same' if first == second else 'DIFFERENT'}  {name}  {first}{'' if first == second else f' {second}'}")
    return 0 if sums[0] == sums[1] else 1


def build(place: Path, names: list[str]) -> dict[str, str]:
    """Build hello and greet for each target in a folder of its own and return their hashes."""
    cache = place / "cache"
    cache.mkdir(parents=True)
    folders.downloads().mkdir(parents=True, exist_ok=True)
    (cache / "downloads").symlink_to(folders.downloads())
    tree = place / "checkout"
    for part in PARTS:
        if (HERE / part).is_dir():
            shutil.copytree(HERE / part, tree / part)
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HERE / part, tree / part)
    env = {key: value for key, value in os.environ.items() if key != "ZIG_GLOBAL_CACHE_DIR"}
    env["PYPACK_CACHE_DIR"] = str(cache)
    began = time.monotonic()
    for app in ("hello", "greet"):
        words = [sys.executable, "-m", "SCons", "-Q", f"app=examples/{app}", f"target={','.join(names)}"]
        subprocess.run(words, cwd=tree, env=env, check=True)
    print(f"built in {place.name!r}: {time.monotonic() - began:.0f} s", flush=True)
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((tree / "dist").rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    sys.exit(main())
