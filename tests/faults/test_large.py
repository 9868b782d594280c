"""A bundle of two gigabytes: what the launcher takes of memory, and how fast it unpacks. Not in every run."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pypack.bundle import layer
from pypack.formats.image import ImageBuilder
from tests.support.bundles import bundle_around, write
from tests.support.launchers import environment, launcher, recipe, stand_in

SIZE = int(os.environ.get("PYPACK_LARGE", "2048")) << 20
PART = 8 << 20


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """A layer of half noise and half text, in files of all sizes."""
    if not os.environ.get("PYPACK_FAULTS"):
        pytest.skip("it takes minutes and 7 GB of disk: nox -s faults does it; memory and rate were NOT measured")
    folder = tmp_path_factory.mktemp("large")
    noise = random.Random(1).randbytes(PART // 2)
    text = b"".join(b"line %d of some text that packs well\n" % number for number in range(PART // 60))
    with ImageBuilder("large", folder=folder) as builder:
        builder.add("bin/python3.13", stand_in(), executable=True)
        builder.add_link("bin/python3", "python3.13")
        for number in range(SIZE // PART):
            part = number.to_bytes(8) + noise + text[: PART // 2]
            size = (1 << 12) << number % 9  # 4 KiB to 1 MiB
            for at in range(0, len(part), size):
                builder.add(f"data/{number:04}/{at:08}", part[at : at + size])
        builder.write(folder / "large.tar")
    layer.write_layer(folder / "large.tar", folder / "large.layer", level=3)
    return folder / "large.layer"


def measured(words: list, env: dict[str, str] | None = None) -> tuple[float, int]:
    """Return how long a command takes, in seconds, and its peak memory in bytes (0 where the system does not tell).

    What ``wait4`` tells would count the memory of the process that it was forked from.
    """
    began, most = time.monotonic(), 0
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        told = status.read_text() if status.exists() else ""
        most = max([most, *(int(kilobytes) << 10 for kilobytes in re.findall(r"VmHWM:\s+(\d+) kB", told))])
        time.sleep(0.02)
    assert process.returncode == 0
    return time.monotonic() - began, most


def test_two_gigabytes(packed, tmp_path, capsys):
    program = write(tmp_path / "large", launcher())
    bundle_around(program, packed, recipe(runtime=[], deps=[], name="large"))
    if not (shutil.which("zstd") and shutil.which("tar")):
        pytest.skip("zstd or tar is not here: the rate was NOT compared")
    ours, theirs, most = [], [], 0
    for number in range(3):
        plain = tmp_path / f"plain{number}"
        plain.mkdir()
        theirs.append(measured(["sh", "-c", f"zstd -q -d -c '{packed}' | tar -x -C '{plain}'"])[0])
        shutil.rmtree(plain)
        seconds, memory = measured([program], environment(tmp_path / "cache", PYPACK_SELF="extract"))
        ours.append(seconds)
        most = max(most, memory)
        shutil.rmtree(tmp_path / "cache")
    rate = sorted(theirs)[1] / sorted(ours)[1]
    with capsys.disabled():
        print(
            f"\n  {SIZE >> 20} MB: memory {most >> 20} MB, {SIZE / sorted(ours)[1] / 1e6:.0f} MB/s, "
            f"{rate:.2f} x zstd -d | tar -x ({os.cpu_count()} cores)"
        )
    assert 0 < most <= 64 << 20
    assert rate >= 0.8
