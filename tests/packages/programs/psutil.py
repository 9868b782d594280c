"""What psutil says of its own process and of a child, and of this machine."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

DISTRIBUTIONS = ["psutil"]
CHILD = "import sys; print('ready', flush=True); sys.stdin.readline()"


def work():
    """Look at ourselves, then at a child that waits for us."""
    own = psutil.Process()
    assert own.pid == os.getpid()
    assert own.is_running()
    assert os.path.samefile(own.cwd(), os.getcwd())  # noqa: PTH109, PTH121 - the same words on each side
    before = own.memory_info().rss
    ballast = bytearray(64 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    grown = own.memory_info().rss - before
    assert grown > 48 << 20, grown
    yield f"process {Path(own.cmdline()[0]).name}, {before >> 20} MiB and {grown >> 20} more after 64 were taken"
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert own.num_threads() >= 2
    done.set()
    thread.join()
    assert psutil.virtual_memory().total > before
    assert psutil.disk_usage(".").total > 0
    assert psutil.cpu_count() >= 1
    yield f"{psutil.cpu_count()} processors, {psutil.virtual_memory().total >> 30} GiB"
    yield from _child(own)


def _child(own):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout.readline().strip() == "ready"
        children = {each.pid: each for each in own.children(recursive=True)}
        assert started.pid in children, (started.pid, list(children))
        child = children[started.pid]
        assert child.ppid() == own.pid
        assert child.cmdline()[-2:] == ["-c", CHILD], child.cmdline()
        yield f"a child, {child.status()}"
        started.stdin.write("\n")
    assert not child.is_running()
