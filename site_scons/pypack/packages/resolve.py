"""From where a program names its packages to a lock with hashes (PEP 751): uv resolves, a lock at hand is taken."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from pypack.errors import StepError
from pypack.packages import asking, cover, floors, indexes, lock, tags
from pypack.packages.asking import Asking
from pypack.packages.building import need
from pypack.packages.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pypack.packages.inputs import Dependencies
    from pypack.pipeline import Context
    from pypack.targets import Target


def run_resolve(context: Context) -> None:
    """Step: the lock of a program's packages for one target and version.

    A lock that was made while the graph was made (``planned``) is taken as it is. Params: ``dependencies``,
    ``platform`` (uv's name), ``environment`` (variables for uv), ``python`` (full version), ``target``, ``stamp``,
    ``no_binary`` (names to be taken from source), ``build`` (whether others may be).
    """
    planned: Path = context.params["planned"].value
    if planned != context.product and lock.is_current(planned, context.params["stamp"]):
        shutil.copyfile(planned, context.product)
        return
    dependencies: Dependencies = context.params["dependencies"].value
    text = without_secrets(_WAYS[dependencies.kind](context, dependencies))
    if dependencies.kind in {"pylock", "uv-lock"}:
        target, python = context.params["target"], context.params["python"]
        cover.check(tomllib.loads(text), dependencies, target=target.value, python=python)
    text = need.describe(text, dependencies.base, context.settings, indexes.logins(dependencies))
    context.product.write_text(f"{lock.STAMP}{context.params['stamp']}\n{text}", encoding="utf-8", newline="\n")


def _taken(context: Context, dependencies: Dependencies) -> str:
    del context
    lock.read(dependencies.file)
    return dependencies.file.read_text(encoding="utf-8")


def _listed(context: Context, dependencies: Dependencies) -> str:
    """Write down what is installed in a virtual environment, in the form of a lock."""
    del dependencies
    rows = (info.removesuffix(".dist-info").rpartition("-") for info, _ in json.loads(context.params["part"]))
    told = "".join(f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, _, version in rows)
    return f'lock-version = "1.0"\ncreated-by = "pypack"\n{told}'


def _exported(context: Context, dependencies: Dependencies) -> str:
    """Let uv write its own lock in the standard form; it needs no interpreter and no index for that."""
    words = ["export", "--frozen", "--no-emit-project", "--format", "pylock.toml", "--no-header", "--no-default-groups"]
    words += asking.chosen(dependencies)
    return asking.ask(words, dependencies, f"{dependencies.file} cannot be read", Asking(settings=context.settings))


def _compiled(context: Context, dependencies: Dependencies) -> str:
    """Let uv resolve; where there is no wheel for the floor, the error names a floor for which there is one."""

    def attempt(target: Target) -> str:
        platform = {"platform": tags.uv_platform(target), "environment": tags.uv_environment(target)}
        return _solved(replace(context, params={**context.params, **platform}), dependencies)

    target: Target = context.params["target"].value
    try:
        return attempt(target)
    except StepError as error:
        helps = "" if context.settings.offline else floors.that_helps(error.what, target, attempt)
        if not helps:
            raise
        do = f"ask for a newer system, for which there are wheels: [tool.pypack] floors = {{ {helps} }}"
        raise StepError(error.what, do=f"{do}; or for another version, or target", see=error.see) from None


def _solved(context: Context, dependencies: Dependencies) -> str:
    params = context.params
    return asking.compiled(
        dependencies,
        f"cannot be resolved for {params['target'].value.name}, Python {params['python']}",
        ("--python-platform", params["platform"], "--python-version", params["python"]),
        Asking(
            settings=context.settings, environment=params["environment"], no_binary=tuple(params["no_binary"]),
            build=params["build"],
        ),
    )  # fmt: skip


_WAYS: dict[str, Callable[[Context, Dependencies], str]] = {
    "pylock": _taken,
    "uv-lock": _exported,
    "venv": _listed,
    **dict.fromkeys(("requirements", "pyproject", "backend", "setup", "script", "wheels"), _compiled),
}
