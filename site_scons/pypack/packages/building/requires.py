"""The lock of what a project's build needs: ``[build-system] requires``, and what its backend asks for besides."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import fetch
from pypack.errors import StepError
from pypack.images import image
from pypack.packages import lock, tags
from pypack.packages.building import backend, room
from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pypack.packages.lock import Wheel
    from pypack.pipeline import Context
    from pypack.targets import Target

_NOTHING = 'lock-version = "1.0"\ncreated-by = "pypack"\npackages = []\n'


def run(context: Context) -> None:
    """Step: tree and build interpreter -> lock of the build requirements, all of them wheels with hashes.

    Params: ``label``, ``python`` (the interpreter's version), ``static``, ``target`` and ``layout`` (its own),
    ``folder`` (where uv looks for its settings), ``stamp``.
    """
    tree, interpreter = context.inputs
    label, layout = context.params["label"], context.params["layout"].value
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name:
        wanted = ("pyproject.toml", "setup.py", "PKG-INFO")
        image.unpack(tree, Path(name), only=lambda member: member.path in wanted)
        backend.refuse(Path(name), label, context.params["python"])
        requires = backend.read(Path(name), label).requires
    text = _resolved(context, requires)
    with room.opened(
        context, label, tree=tree, interpreter=interpreter, layout=layout, requirements=_fetched(context, text)
    ) as here:
        more = here.call("get_requires_for_build_wheel", None) or ()
    if set(more) - set(requires):
        text = _resolved(context, [*requires, *more])
        _fetched(context, text)
    context.product.write_text(f"{lock.STAMP}{context.params['stamp']}\n{text}", encoding="utf-8", newline="\n")


def choose(table: Mapping[str, object], target: Target, minor: str, *, static: bool) -> list[Wheel]:
    """Return the wheels of a lock of build requirements."""
    return lock.choose_wheels(table, target, minor, static=static)


def _resolved(context: Context, requires: Iterable[str]) -> str:
    import uv

    wanted = sorted(set(requires))
    if not wanted:
        return _NOTHING
    target: Target = context.params["target"].value
    command = [
        uv.find_uv_bin(), "pip", "compile", "-", "--quiet", "--no-progress", "--color", "never", "--format",
        "pylock.toml", "--no-header", "--no-annotate", "--only-binary", ":all:", "--python-platform",
        tags.uv_platform(target), "--python-version", context.params["python"],
        *(("--offline",) if context.settings.offline else ()),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=context.params["folder"].value, env={**os.environ, **tags.uv_environment(target)},
        input="".join(f"{each}\n" for each in wanted), capture_output=True, text=True, check=False, encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        told = "\n".join(f"  {line}" for line in without_secrets(done.stderr).strip().splitlines())
        raise StepError(
            f"what the build of {context.params['label']} needs ({', '.join(wanted)}) cannot be had:\n{told}",
            do="build once without --offline" if context.settings.offline else backend.OTHER,
            see=backend.READ,
        )
    return without_secrets(done.stdout)


def _fetched(context: Context, text: str) -> list[Path]:
    """Return the wheels of a lock, fetched."""
    import tomllib

    target, minor = context.params["target"].value, ".".join(context.params["python"].split(".")[:2])
    try:
        chosen = choose(tomllib.loads(text), target, minor, static=context.params["static"])
    except StepError as error:
        why = "\n".join(error.what.splitlines()[1:])
        raise StepError(
            f"{context.params['label']} cannot be built: the interpreter that builds it loads no native code, and of"
            f" these build requirements there are only native wheels:\n{why}"
            if context.params["static"]
            else f"{context.params['label']} cannot be built, because of its build requirements: {error.what}",
            do=f"ask for the Python version of the build itself (--python), or {backend.OTHER}",
            see=backend.READ,
        ) from error
    return [fetch.fetch(each.pin, settings=context.settings) for each in chosen]
