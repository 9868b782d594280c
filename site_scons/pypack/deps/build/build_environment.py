"""A private interpreter with a project's build requirements in it, in which the hooks of its backend are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import folders
from pypack.deps.build import backend as backends
from pypack.deps.build import cross, repository, toolchain
from pypack.deps.build import interpreter as build_interpreter
from pypack.deps.build.interpreter import Inputs
from pypack.errors import StepError
from pypack.formats import image
from pypack.formats.headers import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypack.base.targets import Layout
    from pypack.deps.build.backend import Backend
    from pypack.deps.build.cross import Facts
    from pypack.deps.build.folder import Folder
    from pypack.deps.build.toolchain import Tools
    from pypack.steps.step import Context

_TAIL_LINES = 25
_COMPILER = "a compiler, which none of its files showed the need of"
_VERSION_VARIABLES = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION")
"""Variables that tell backends the version that they would ask version control for; hatch-vcs heeds the first."""
_KEPT = ("SYSTEMROOT", "COMSPEC", "PATHEXT")
"""Environment variables that programs on Windows need."""


@dataclass(frozen=True, kw_only=True)
class BuildEnvironment:
    """The folder and settings of one build. ``root`` is a temporary folder; ``tree`` in it is the project's source."""

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
        request_file, answer = self.root / "asked.json", self.root / "answer.json"
        answer.unlink(missing_ok=True)
        request = {"backend": self.backend.name, "path": self.backend.path, "hook": hook, "arguments": arguments,
                   "answer": str(answer)}  # fmt: skip
        request_file.write_text(json.dumps(request), encoding="utf-8")
        worker = folders.bootstrap() / "backend.py"
        done = subprocess.run(
            [self.python, "-s", worker, request_file], cwd=self.tree, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
        self.context.note(done.stdout.rstrip())
        if done.returncode or not answer.is_file():
            raise self._failed(hook, done.stdout)
        return json.loads(answer.read_text(encoding="utf-8"))["result"]

    def _failed(self, hook: str, output: str) -> StepError:
        message = f"{self.label} cannot be built: {hook} of its backend {self.backend.name} failed"
        tail = "\n".join(f"    {line}" for line in output.replace(str(self.root), "…").splitlines()[-_TAIL_LINES:])
        missing = [f"{name} ({toolchain.MISSING.get(name, _COMPILER)})" for name in self.tools.called()]
        is_folder = self.context.unhashed.get("project") is not None
        hint = backends.advice(output) or (backends.OWN if is_folder else backends.OTHER)
        if missing:
            message = f"{message}, having asked for {', '.join(missing)}, which is not to be had in this build"
        elif "file not found" in output or "unable to find library" in output:
            hint = f"it needs a library in C that is not at hand: {hint}"
        return StepError(f"{message}:\n{tail}", hint=hint, docs=backends.READ)


@contextmanager
def open_environment(
    context: Context,
    label: str,
    *,
    tree: Path,
    interpreter: Path,
    layout: Layout,
    requirements: Iterable[Path],
    target: dict[str, Any] | None = None,
) -> Iterator[BuildEnvironment]:
    """Yield a build environment of images (source ``tree``, build ``interpreter``) and wheels (``requirements``).

    ``target``: native code is compiled for it; the arguments of :func:`cross.prepare`, and ``zig``, its name for
    the target. Without one, compilers are stand-ins that fail.
    """
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name, ExitStack() as stack:
        root = Path(name).resolve()
        image.unpack(tree, root / "tree")
        project: Folder | None = context.unhashed.get("project")
        if project and project.repository:
            repository.write_copy(project.repository, root / "tree")
        source = root / "tree" / context.params.get("prefix", "")
        inputs = Inputs(image=interpreter, layout=layout, requirements=tuple(requirements))
        if target is None and context.memory:
            kept = build_interpreter.provide(context.memory, inputs)
            prefix, bytecode = kept / "python", stack.enter_context(build_interpreter.bytecode(kept, root))
        else:  # it is changed for the target
            prefix, bytecode = build_interpreter.install(root, inputs), {"PYTHONDONTWRITEBYTECODE": "1"}
        packages, python = prefix / layout.site_packages, prefix / layout.python
        tools = toolchain.stand_ins(root, compilers=target is None)
        env = {
            **_environment(root, tools, python.parent),
            **bytecode,
            **context.params.get("environment", {}),
            **(_prepare_cross_build(root, packages, layout, tools, target) if target else {}),
        }
        if target and target["on_machine"]:
            toolchain.prefer_installed(tools, python.parent)
            shutil.copytree(root / "deps" / "include", root / "python" / "include", dirs_exist_ok=True)
        if context.params.get("rust"):
            env |= toolchain.add_rust(tools, root, offline=context.settings.offline)
        if version := context.params.get("commit_version"):  # there is no repository to ask here
            env |= dict.fromkeys(_VERSION_VARIABLES, version)
        backend = backends.read(source, label)
        yield BuildEnvironment(
            context=context, label=label, root=root, tree=source, python=python, backend=backend, tools=tools,
            env=env,
        )  # fmt: skip


def _prepare_cross_build(
    root: Path, packages: Path, layout: Layout, tools: Tools, target: dict[str, Any]
) -> dict[str, str]:
    deps = root / "deps"
    facts: Facts = cross.prepare(
        target["runtime"], target["dev"], deps, arch=target["arch"], stdlib=target["stdlib"], include=target["include"]
    )
    stdlib = root / "python" / layout.stdlib
    (stdlib / f"{cross.MODULE}.py").write_text(facts.module(), encoding="utf-8")
    shutil.copyfile(folders.bootstrap() / "cross.py", packages / "_pypack_cross.py")
    (packages / "_pypack_cross.pth").write_text("import _pypack_cross\n", encoding="utf-8")
    toolchain.add_zig(tools, root, target=target["zig"], include=target["include"], deps=deps)
    return facts.environment()


def _environment(root: Path, tools: Tools, scripts: Path) -> dict[str, str]:
    """Return the whole environment of a build, without the caller's variables, which could change its result."""
    work = root / "work"
    work.mkdir()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    folders.zig_cache().mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        **toolchain.environment(tools, root, scripts),
        "HOME": str(work), "USERPROFILE": str(work), "TMPDIR": str(work), "TEMP": str(work), "TMP": str(work),
        "LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(EPOCH),
        "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1",
        "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip
