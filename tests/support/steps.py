"""Make the product of a real step through SCons and the shared build cache, so that a slow one is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from pypack.base import folders

if TYPE_CHECKING:
    from pathlib import Path

IMPORTS = """
from pypack.runtimes import cpython as sources
from pypack.base import targets
from pypack.runtimes.base import Request
from pypack.runtimes.host import HostProvider
"""
SCRIPT = """
import pypack
env = Environment(tools=[pypack.generate])
Default(env.PyStep({step}))
"""


def made(step: str, folder: Path) -> Path:
    """Return the product of ``step``, an expression of what ``IMPORTS`` names; ``folder`` is where SCons works."""
    (folder / "SConstruct").write_text(IMPORTS + SCRIPT.format(step=step))
    env = {**os.environ, "PYTHONPATH": os.fspath(folders.data("stubs").parent / "site_scons")}
    done = subprocess.run(
        [sys.executable, "-m", "SCons", "-Q"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = subprocess.run(
        [sys.executable, "-c", f"{IMPORTS}print({step}.product)"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return folder / ".pypack" / named.stdout.strip()
