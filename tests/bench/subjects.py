"""What is measured: bundles, the runtime inside of them, and a virtual environment of that very runtime."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import uv

from pypack.base import hosts
from pypack.bundle import verify
from tests.bench.measuring import FRESH, Side

HERE = Path(__file__).parents[2]
EXAMPLES = HERE / "examples"
BUNDLES = {"hello": ("hello", "normal"), "greet": ("greet", "normal"), "greet-fast": ("greet", "fast")}
"""Name of the file: example, startup."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All that the sides are made of. ``work`` is the folder of the benchmarks, kept from run to run."""

    work: Path

    @property
    def cache(self) -> Path:
        """What the bundles unpack to."""
        return self.work / "cache"

    def bundle(self, name: str) -> Path:
        return self.work / "bundles" / name

    @property
    def python(self) -> Path:
        """The interpreter inside the bundles, unpacked."""
        found = verify.read(self.bundle("hello"))
        return self.cache / "layers" / found.layers[0].sha256[:32] / found.launch["python"][0]

    @property
    def venv(self) -> Path:
        return self.work / "venv/bin/python"


def prepare(work: Path, runtime: str) -> Bench:
    """Build the bundles as they are shipped (profile release), unpack them, and make the environment."""
    bench = Bench(work=work)
    shutil.rmtree(bench.cache, ignore_errors=True)
    for name, (example, startup) in BUNDLES.items():
        words = ["build", EXAMPLES / example, "-o", bench.bundle(name), "--runtime", runtime, "--startup", startup]
        _run([sys.executable, "-m", "pypack", *words])
        env = {**os.environ, "PYPACK_CACHE_DIR": str(bench.cache), "PYPACK_SELF": "extract"}
        _run([bench.bundle(name)], env=env)
    shutil.rmtree(work / "venv", ignore_errors=True)
    _run([uv.find_uv_bin(), "venv", "-q", "--python", bench.python, work / "venv"])
    lock = lock_of_greet()
    install = ["pip", "install", "-q", "--compile-bytecode", "--python", bench.venv, "-r", lock]
    _run([uv.find_uv_bin(), *install])
    return bench


def lock_of_greet() -> Path:
    """Return the lock that the bundle of greet for this machine was made with."""
    return HERE / ".pypack/apps/greet" / hosts.target_name() / "pylock.toml"


def hello(bench: Bench) -> list[Side]:
    """The smallest program: against the same interpreter with nothing around it."""
    script = str(EXAMPLES / "hello/hello.py")
    return [
        _side("python -I -S", bench, str(bench.python), "-I", "-S", script),
        _side("python in a venv", bench, str(bench.venv), script),
        _side("pypack", bench, str(bench.bundle("hello"))),
        _behind_the_launcher(bench, "hello"),
    ]


def greet(bench: Bench) -> list[Side]:
    """A program with click, rich and httpx: against the same interpreter in a virtual environment."""
    folder = EXAMPLES / "greet"
    return [
        _side("python -m in a venv", bench, str(bench.venv), "-m", "greet", folder=folder),
        _side("pypack", bench, str(bench.bundle("greet")), folder=folder),
        _side('pypack, startup = "fast"', bench, str(bench.bundle("greet-fast")), folder=folder),
    ]


def first_start(bench: Bench) -> list[Side]:
    """From an empty cache to the program's end, against tar that unpacks the same runtime to the same disk.

    Both end when everything is on the disk: the launcher sees to that before it gives a layer its name.
    Folders are left until the next run: ext4 is slow to make files while it has just removed some.
    """
    packed, folders = bench.work / "runtime.tar.zst", bench.work / "first"
    layer = verify.read(bench.bundle("hello")).layers[0]
    with bench.bundle("hello").open("rb") as source:
        source.seek(layer.offset)
        packed.write_bytes(source.read(layer.size))
    shutil.rmtree(folders, ignore_errors=True)
    folders.mkdir()
    time.sleep(6)  # as long as ext4 looks back

    def fresh() -> Path:
        return Path(tempfile.mkdtemp(dir=folders))

    tar = ("sh", "-c", f"tar --zstd -xf '{packed}' -C '{FRESH}' && sync -f '{FRESH}'")
    own = (str(bench.bundle("hello")),)
    return [
        Side(name="tar --zstd -x; sync -f", words=tar, folder=bench.work, env={}, fresh=fresh),
        Side(name="pypack", words=own, folder=bench.work, env={"PYPACK_CACHE_DIR": FRESH}, fresh=fresh),
    ]


def unpacked_size(bench: Bench) -> int:
    """Bytes of the runtime, unpacked."""
    return verify.read(bench.bundle("hello")).layers[0].unpacked


def _behind_the_launcher(bench: Bench, name: str) -> Side:
    """Return what the launcher becomes, as its dry run tells it: the runtime's Python with the bootstrap on its path.

    The dry run names the shim that children see as ``sys.executable``; the launcher starts what is behind that.
    """
    env = {**os.environ, "PYPACK_CACHE_DIR": str(bench.cache), "PYPACK_DRYRUN": "1"}
    told = subprocess.run([bench.bundle(name)], env=env, capture_output=True, text=True, check=True).stdout
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines()}
    shim, *words = rows["exec"]
    python = Path(shim).parents[1] / "python" / Path(shim).name
    side = _side("pypack without its launcher", bench, str(python), *words)
    return replace(side, env={**side.env, "PYTHONPATH": str(Path(rows["app"][0], "boot"))})


def _side(name: str, bench: Bench, *words: str, folder: Path = HERE) -> Side:
    return Side(name=name, words=words, folder=folder, env={"PYPACK_CACHE_DIR": str(bench.cache)})


def _run(words: list[str | Path], **more: dict[str, str]) -> None:
    subprocess.run(words, check=True, cwd=HERE, stdout=subprocess.DEVNULL, **more)
