"""Run a worker with a project's build requirements, by uv, before anything is planned: to ask for metadata."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.deps import uv_settings
from pypack.deps.build import build_constraints, folder

if TYPE_CHECKING:
    from collections.abc import Iterable


def run_in_copy(
    project: Path, requires: Iterable[str], arguments: Iterable[str | Path]
) -> subprocess.CompletedProcess[str]:
    """Run Python with ``requires`` installed in a copy of a project's folder, which is dropped afterwards.

    ``arguments`` are those of Python. Paths of the copy in the output are those of the project. A project that has
    neither pyproject.toml nor setup.py is not copied.
    """
    import uv

    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pypack-")))
        is_project = any((project / name).is_file() for name in ("pyproject.toml", "setup.py"))
        tree = stack.enter_context(folder.lay_out(folder.read(project, None))) if is_project else project
        constraints = work / "constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in build_constraints.read(project)), encoding="utf-8")
        (work / "requirements.txt").write_text(
            "".join(f"{line}\n" for line in ("-c constraints.txt", *requires)), encoding="utf-8"
        )
        command = [
            uv.find_uv_bin(), "run", "--no-project", "--no-python-downloads", "--quiet", "--python", sys.executable,
            "--with-requirements", work / "requirements.txt", "python", "-B", *arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=tree, env=uv_settings.environment(project), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
        texts = [text.replace(str(tree), str(project)) for text in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess(done.args, done.returncode, *texts)
