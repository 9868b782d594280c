"""From where a program names its packages to a lock with hashes (PEP 751): uv resolves, a lock at hand is taken."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pypack.errors import StepError
from pypack.packages import asking, cover, floors, indexes, lock, manifests, requirements, tags
from pypack.packages.asking import Asking, without_secrets
from pypack.packages.building import folder, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pypack.packages.inputs import Dependencies
    from pypack.pipeline import Context
    from pypack.targets import Target


def files(dependencies: Dependencies) -> tuple[Path, ...]:
    """Return the files whose whole content decides; of a pyproject.toml or a script only a part does (:func:`part`)."""
    match dependencies.kind:
        case "requirements":
            own = requirements.files(dependencies.file)
            own += folder.metadata_of_files(own)
        case "pyproject":
            local = [*dependencies.asked, *folder.uv_paths(dependencies.file)]
            own = folder.metadata(local, dependencies.base)
        case "setup" | "backend":
            own = manifests.settings_files(dependencies.base)
        case "pylock" | "uv-lock":
            own = [dependencies.file]
        case _:
            own = []
    return (*own, *dependencies.wheels)


def part(dependencies: Dependencies) -> str:
    """Return what of a pyproject.toml or a script decides about the packages, as text: the rest may change at will."""
    manifest = dependencies.manifest
    if dependencies.kind == "script":
        return manifests.script_block(dependencies.file)
    if manifest is None or dependencies.kind not in {"pyproject", "pylock", "uv-lock"}:
        return ""
    return json.dumps([manifest.requires_python, dependencies.asked])


def stamp(settings: Mapping[str, Any], watched: Iterable[Path]) -> str:
    """Return a hash over all that a lock is made from; it stands in the lock, so that an outdated one is known."""
    whole = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in watched:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


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
