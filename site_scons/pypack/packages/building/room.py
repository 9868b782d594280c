"""A private interpreter with a project's build requirements in it, in which the hooks of its backend are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack import folders
from pypack.errors import StepError
from pypack.images import image
from pypack.images.headers import EPOCH
from pypack.images.image import ImageBuilder
from pypack.packages import wheels
from pypack.packages.building import backend as backends
from pypack.packages.building import cross, toolchain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.packages.building.backend import Backend
    from pypack.packages.building.cross import Facts
    from pypack.packages.building.toolchain import Tools
    from pypack.pipeline import Context
    from pypack.targets import Layout

_TAIL_LINES = 25
_COMPILER = "a compiler, which none of its files showed the need of"
_KEPT = ("SYSTEMROOT", "COMSPEC", "PATHEXT")
"""What a program on Windows cannot do without."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where one project is built. ``root`` is a temporary folder; ``tree`` in it is the project's source."""

    context: Context
    label: str
    root: Path
    tree: Path
    python: Path
    backend: Backend
    tools: Tools
    env: dict[str, str]

    def call(self, hook: str, *arguments: object) -> Any:  # noqa: ANN401 - what the hook returns
        """Call a hook of the backend and return what it returns, None where the backend has none of that name."""
        asked, answer = self.root / "asked.json", self.root / "answer.json"
        answer.unlink(missing_ok=True)
        request = {"backend": self.backend.name, "path": self.backend.path, "hook": hook, "arguments": arguments,
                   "answer": str(answer)}  # fmt: skip
        asked.write_text(json.dumps(request), encoding="utf-8")
        worker = Path(backends.__file__).parents[2] / "boot" / "backend.py"
        done = subprocess.run(
            [self.python, "-B", "-s", worker, asked], cwd=self.tree, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
        self.context.note(done.stdout.rstrip())
        if done.returncode or not answer.is_file():
            raise self._failed(hook, done.stdout)
        return json.loads(answer.read_text(encoding="utf-8"))["result"]

    def _failed(self, hook: str, told: str) -> StepError:
        what = f"{self.label} cannot be built: {hook} of its backend {self.backend.name} failed"
        tail = "\n".join(f"    {line}" for line in told.replace(str(self.root), "…").splitlines()[-_TAIL_LINES:])
        lacking = [f"{name} ({toolchain.MISSING.get(name, _COMPILER)})" for name in self.tools.called()]
        do = backends.OTHER
        if lacking:
            what = f"{what}, having asked for {', '.join(lacking)}, which is not to be had in this build"
        elif "file not found" in told or "unable to find library" in told:
            do = f"it needs a library in C that is not at hand: {do}"
        return StepError(f"{what}:\n{tail}", do=do, see=backends.READ)


@contextmanager
def opened(
    context: Context,
    label: str,
    *,
    tree: Path,
    interpreter: Path,
    layout: Layout,
    requirements: Iterable[Path],
    target: dict[str, Any] | None = None,
) -> Iterator[Room]:
    """Set up a room from images: the source ``tree``, the build ``interpreter``; and the wheels of ``requirements``.

    ``target``: what is native is compiled for it; the arguments of :func:`cross.prepare`, and ``zig``, its name for
    the target. Without one, compilers are stand-ins that fail.
    """
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name:
        root = Path(name).resolve()
        image.unpack(tree, root / "tree")
        image.unpack(interpreter, root / "python")
        packages, python = root / "python" / layout.site_packages, root / "python" / layout.python
        tools = toolchain.stand_ins(root, compilers=target is None)
        _install(root, packages, requirements)
        toolchain.add_scripts(tools, root / "requirements" / "bin", python)
        env = {**_environment(root, tools), **(_prepared(root, packages, layout, tools, target) if target else {})}
        backend = backends.read(root / "tree", label)
        yield Room(context=context, label=label, root=root, tree=root / "tree", python=python, backend=backend,
                   tools=tools, env=env)  # fmt: skip


def _install(root: Path, packages: Path, requirements: Iterable[Path]) -> None:
    """Put wheels into the private interpreter itself, so that their ``.pth`` files and all child processes see them."""
    place = root / "requirements"
    with ImageBuilder("build requirements", folder=root) as builder:
        for path in requirements:
            wheels.unpack_wheel(builder, path)
        builder.write(root / "requirements.tar")
    image.unpack(root / "requirements.tar", place)
    packages.mkdir(parents=True, exist_ok=True)
    for path in (place / wheels.SITE).glob("*"):
        path.rename(packages / path.name)


def _prepared(root: Path, packages: Path, layout: Layout, tools: Tools, target: dict[str, Any]) -> dict[str, str]:
    deps = root / "deps"
    facts: Facts = cross.prepare(
        target["runtime"], target["dev"], deps, arch=target["arch"], stdlib=target["stdlib"], include=target["include"]
    )
    stdlib = root / "python" / layout.stdlib
    (stdlib / f"{cross.MODULE}.py").write_text(facts.module(), encoding="utf-8")
    shutil.copyfile(Path(backends.__file__).parents[2] / "boot" / "cross.py", packages / "_pypack_cross.py")
    (packages / "_pypack_cross.pth").write_text("import _pypack_cross\n", encoding="utf-8")
    toolchain.add_zig(tools, root, target=target["zig"], include=target["include"], deps=deps)
    return facts.environment()


def _environment(root: Path, tools: Tools) -> dict[str, str]:
    """Return the whole environment of a build: nothing of the caller's that could change it gets through."""
    work = root / "work"
    work.mkdir()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    folders.zig_cache().mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        **toolchain.environment(tools, root),
        "HOME": str(work), "USERPROFILE": str(work), "TMPDIR": str(work), "TEMP": str(work), "TMP": str(work),
        "LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(EPOCH),
        "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1",
        "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip
