"""Compile the harnesses: for libFuzzer by clang, or all of them into one program that replays files."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pypack.base import folders, hosts, targets
from pypack.launcher import stub
from tests.support.launchers import MUSL, SANITIZED, zstd_folder

HERE = Path(__file__).parent
SHARED = ("harness", "mend")
HARNESSES = tuple(
    sorted(path.stem for path in HERE.glob("*.c") if path.stem not in {*SHARED, "replay"})
)  # each is one reader
READS = {
    "bundle": "format/trailer.c", "frames": "format/frames.c", "launch_block": "format/launch_block.c",
    "layer": "unpack/unpack.c", "macho": "os/macos/macho.c", "pe": "os/windows/pe.c", "tar": "format/tar.c",
    "trailer": "format/trailer.c", "tree": "unpack/sink_write.c", "zip": "format/zip.c",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """How the launcher's sources are compiled for a run: ``flags`` for them, ``zstd`` for zstd's."""

    name: str
    flags: tuple[str, ...]
    zstd: tuple[str, ...] = ("-O1",)


FUZZER = Compiler(
    name="clang",
    flags=(*SANITIZED, "-fsanitize=fuzzer-no-link", "-fno-omit-frame-pointer"),
    zstd=("-O1", "-fsanitize=address"),  # zstd's own ways are not what is looked for
)
COVERAGE = Compiler(
    name="clang", flags=("-DMEMORY_ARENA=0", "-DREPLAY", "-fprofile-instr-generate", "-fcoverage-mapping")
)
REPLAY = Compiler(name="gcc", flags=(*SANITIZED, "-DREPLAY"))


def fuzzers(work: Path) -> dict[str, Path]:
    """Make one fuzzer for each harness below ``work``."""
    common = _objects(FUZZER, [*_launcher(), *(HERE / f"{name}.c" for name in SHARED)], work / "fuzzer")
    found = {}
    for name in HARNESSES:
        own = _objects(FUZZER, [HERE / f"{name}.c"], work / "fuzzer" / "harnesses")
        found[name] = work / "fuzzer" / name
        _link([*FUZZER.flags, "-fsanitize=fuzzer"], FUZZER, [*common, *own], found[name])
    return found


def replayer(compiler: Compiler, work: Path, zstd: Path | None = None) -> Path:
    """Make the program that gives files to any harness; ``zstd`` is an object file of it that is there already."""
    launcher = _objects(compiler, _launcher(), work / "launcher", zstd)
    own = _objects(compiler, [HERE / f"{name}.c" for name in (*SHARED, *HARNESSES, "replay")], work / "harnesses", zstd)
    product = work / "replay"
    _link(list(compiler.flags), compiler, [*launcher, *own], product)
    return product


def _launcher() -> list[Path]:
    """The launcher's sources for this system without its main function, and the readers for other systems."""
    own = [path for path in stub.c_files(targets.load()[MUSL]) if path.suffix == ".c"]
    foreign = [folders.data("stubs") / name for name in ("os/macos/macho.c", "os/windows/pe.c")]
    return [path for path in own if path.name != "main.c" and path.parent.name != "zig"] + foreign


def _objects(compiler: Compiler, sources: list[Path], work: Path, zstd: Path | None = None) -> list[Path]:
    """Compile; the object of zstd goes with the launcher's own."""
    work.mkdir(parents=True, exist_ok=True)
    flags = [*stub.STANDARD, *stub.WARNINGS, "-g", "-O1", *compiler.flags]
    include = [f"-I{folders.data('stubs')}", f"-I{HERE}", "-isystem", zstd_folder()]
    jobs = {
        work / f"{path.parent.name}-{path.stem}.o": [compiler.name, *flags, *include, "-c", path] for path in sources
    }
    made = list(jobs)
    if any(path.stem == "unpack" for path in sources) and zstd is None:
        zstd = work / "zstd-decoder.o"
        if not zstd.exists():  # it takes longer than all the rest, and does not change
            jobs[zstd] = [compiler.name, "-w", *compiler.zstd, "-c", zstd_folder() / "zstd.c"]
        made.append(zstd)
    elif any(path.stem == "unpack" for path in sources):
        made.append(zstd)
    with ThreadPoolExecutor(hosts.cores()) as pool:
        list(pool.map(lambda job: subprocess.run([*job[1], "-o", job[0]], check=True), jobs.items()))
    return made


def _link(flags: list[str], compiler: Compiler, objects: list[Path], product: Path) -> None:
    subprocess.run([compiler.name, *flags, *objects, "-lpthread", "-o", product], check=True)
