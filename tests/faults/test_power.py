"""The power fails: a disk is copied as it is at that moment, and a program starts from the copy."""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_cache import need_root, root_of, run
from tests.support.bundles import File, bundle, write
from tests.support.launchers import by_gcc, environment, launcher, recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 64 << 20
NO_SYNC = "int syncfs(int folder);\nint syncfs(int folder)\n{\n    return (void)folder, 0;\n}\n"
LONG = float(os.environ.get("PYPACK_FAULTS") or 0) > 100
AFTER = 12.0 if LONG else 4.0
"""Seconds that a start is followed for: the journal is written each second, what is in files within thirty."""


def program(folder: Path, stub: bytes) -> Path:
    data = [File(path=f"data/{number:03}", data=random.Random(number).randbytes(20_000)) for number in range(300)]
    return write(folder / "hello", bundle(stub, recipe(runtime=[*data, *recipe().runtime])))


class Disk:
    """An ext4 in a file. What the kernel has handed to that file is what a disk would hold."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place, self.folder = folder / "disk", folder / "mounted", folder
        self.copies: list[tuple[float, Path]] = []
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        self.place.mkdir()
        if (
            not shutil.which("mkfs.ext4")
            or run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", self.image], None).returncode
        ):
            pytest.skip("no mkfs.ext4 here: a power cut was NOT tested")
        if not self.mount(self.image):
            pytest.skip("this kernel does not mount it: a power cut was NOT tested")

    def mount(self, image: Path) -> bool:
        return run(["mount", "-o", "loop,commit=1", image, self.place], None).returncode == 0

    def leave(self) -> None:
        until = time.monotonic() + 20  # what a start removes beside the program may still be at work there
        while (done := run(["umount", self.place], None)).returncode:
            assert time.monotonic() < until, done.stderr
            time.sleep(0.1)

    def copy(self, since: float) -> None:
        """Copy until two copies are the same: then nothing was written while it was done."""
        own = self.folder / f"copy{len(self.copies)}"
        for _ in range(10):
            now = time.monotonic() - since
            subprocess.run(["cp", "--sparse=always", self.image, own], check=True)
            if filecmp.cmp(self.image, own, shallow=False):
                self.copies.append((now, own))
                return
        own.unlink()

    def follow(self, words: list[Path], env: dict[str, str]) -> None:
        """Start a program; copy all the while, and for some time afterwards."""
        began = time.monotonic()
        process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            self.copy(began)
        assert process.returncode == 0
        until = time.monotonic() + AFTER
        while time.monotonic() < until or len(self.copies) <= 8:
            self.copy(began)
            time.sleep(0.25)
        self.leave()

    def after_each_cut(self, look: Callable[[], None]) -> list[str]:
        """Go on from each copy; return what went wrong."""
        wrong = []
        for moment, copy in self.copies:
            assert self.mount(copy), "ext4 itself does not survive the cut"
            try:
                look()
            except AssertionError as e:
                wrong.append(f"{moment:.2f} s: {e}")
            self.leave()
            copy.unlink()
        return wrong


@pytest.fixture
def disk(tmp_path):
    need_root("a disk of its own")
    made = Disk(tmp_path)
    yield made
    subprocess.run(["umount", "-q", "-l", made.place], check=False)


def follow(disk: Disk, hello: Path, *before: str) -> list[str]:
    """Start from a cache in the state that ``before`` leaves, cut the power, start again."""
    cache = disk.place / "cache"
    for word in before:
        assert run([hello], environment(cache, PYPACK_SELF=word)).returncode == 0
    if before:
        python = next(cache.glob("layers/*/bin/python3.13"))
        python.parent.chmod(0o755)
        python.unlink()
        os.sync()
    disk.follow([hello], environment(cache))

    def look() -> None:
        done = run([hello], environment(cache))
        assert root_of(done) == os.fspath(cache)
        done = run([hello], environment(cache, PYPACK_SELF="check"))
        assert done.returncode == 0, done.stderr

    return disk.after_each_cut(look)


@pytest.mark.parametrize("before", [(), ("extract",)], ids=["first start", "replacement"])
def test_the_next_start_is_right(tmp_path, disk, before):
    wrong = follow(disk, program(tmp_path, launcher()), *before)
    assert len(disk.copies) > 8
    assert not wrong


def test_without_syncing_this_would_be_seen(tmp_path, disk):
    """Else the other tests say nothing."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: it was NOT tested that the test of power cuts can fail")
    source = tmp_path / "no_sync.c"
    source.write_text(NO_SYNC)
    assert follow(disk, program(tmp_path, by_gcc("stub-no-sync", source).read_bytes()))
