"""The requirements of a project's build: ``[build-system] requires``, and those that its backend adds."""

from __future__ import annotations

import posixpath
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.deps import lock, tags, uv_settings
from pypack.deps.build import backend, folder
from pypack.deps.requirements import parsed as parse_requirement
from pypack.deps.secrets import without_secrets
from pypack.download import fetch
from pypack.errors import StepError
from pypack.formats import image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pypack.base.targets import Layout
    from pypack.deps.build.builder import Builder
    from pypack.steps.step import Context


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The requirements of a build: paths of wheels, and the chosen versions by name."""

    wheels: tuple[Path, ...]
    versions: dict[str, str]


def read_requirements(context: Context, tree: Path) -> tuple[str, ...]:
    """Return ``[build-system] requires`` of ``tree``, an image. Raises :class:`StepError` where it cannot be built.

    The context is that of :func:`pypack.deps.build.build.run`.
    """
    label, prefix = context.params["label"], context.params.get("prefix", "")
    with tempfile.TemporaryDirectory(prefix="pypack-wheel-") as name:
        files = [posixpath.join(prefix, name) for name in ("pyproject.toml", "setup.py", "PKG-INFO")]
        image.unpack(tree, Path(name), only=lambda member: member.path in files)
        is_folder = context.unhashed.get("project") is not None
        on_machine = bool(context.params.get("target", {}).get("on_machine"))
        backend.refuse(Path(name) / prefix, label, context.params["python"], is_folder=is_folder, on_machine=on_machine)
        requires = backend.read(Path(name) / prefix, label).requires
        if "files" in context.params["source"]:  # of this machine: uv heeds no sources of what an index has
            _refuse_sources(Path(name) / prefix / "pyproject.toml", label, requires)
    return requires


def _refuse_sources(pyproject: Path, label: str, requires: Iterable[str]) -> None:
    """Raise :class:`StepError` where ``[tool.uv.sources]`` names a source for what the build requires.

    The package of that name in the index would be another one.
    """
    sources = {canonicalize_name(name) for name in folder.uv_sources(pyproject)}
    parsed = filter(None, map(parse_requirement, requires))
    names = [requirement.name for requirement in parsed if canonicalize_name(requirement.name) in sources]
    if names:
        raise StepError(
            f"{label} is built with {', '.join(names)}, for which its [tool.uv.sources] names a source: build"
            " requirements are taken from an index only",
            hint="build a wheel of it and name its folder (UV_FIND_LINKS, [tool.uv] find-links); drop the source",
            docs=backend.READ,
        )


def backend_layout(context: Context) -> Layout:
    """Return the layout of the interpreter that builds."""
    builder: Builder = context.unhashed["builder"]
    return builder.target.layout.at(builder.runtime.minor)


def resolve_requirements(context: Context, requires: Iterable[str]) -> Requirements:
    """Resolve and fetch a list of requirements: wheels that the interpreter that builds can load."""
    requirements = sorted(set(requires))
    if not requirements:
        return Requirements(wheels=(), versions={})
    table = tomllib.loads(_lock(context, requirements))
    versions = {row["name"]: str(row.get("version", "")) for row in table.get("packages", [])}
    return Requirements(wheels=tuple(_fetch_wheels(context, table)), versions=versions)


def _lock(context: Context, requirements: Iterable[str]) -> str:
    """Return uv's lock of the requirements."""
    import uv

    builder: Builder = context.unhashed["builder"]
    constraints = "".join(f"{line}\n" for line in context.params.get("constraints", ()))
    limits = context.product.with_name(f"{context.product.name}.constraints.txt")
    command = [
        uv.find_uv_bin(), "pip", "compile", "-", "--quiet", "--no-progress", "--color", "never", "--format",
        "pylock.toml", "--no-header", "--no-annotate", "--only-binary", ":all:", "--python-platform",
        context.params["platform"], "--python-version", context.params["python"],
        *(("--constraint", str(limits)) if constraints else ()),
        *(("--no-index",) if uv_settings.of_pip(builder.folder).no_index else ()),
        *(("--offline",) if context.settings.offline else ()),
    ]  # fmt: skip
    environment = {**uv_settings.environment(builder.folder), **tags.uv_environment(builder.accepts)}
    limits.write_text(constraints, encoding="utf-8")
    try:
        done = subprocess.run(
            command, cwd=builder.folder, env=environment, input="".join(f"{line}\n" for line in requirements),
            capture_output=True, text=True, check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
    finally:
        limits.unlink()
    if done.returncode:
        details = "\n".join(f"  {line}" for line in without_secrets(done.stderr).strip().splitlines())
        raise StepError(
            f"what the build of {context.params['label']} needs ({', '.join(requirements)}) cannot be had:\n{details}",
            hint="build once without --offline" if context.settings.offline else backend.OTHER,
            docs=backend.READ,
        )
    return without_secrets(done.stdout)


def _fetch_wheels(context: Context, table: Mapping[str, Any]) -> Iterator[Path]:
    """Fetch the wheels of a lock and yield them."""
    builder: Builder = context.unhashed["builder"]
    try:
        chosen = lock.choose_wheels(
            table, builder.accepts, builder.runtime.minor, static=builder.runtime.static, base=builder.folder
        )
    except StepError as error:
        details = "\n".join(error.what.splitlines()[1:])
        raise StepError(
            f"{context.params['label']} cannot be built: the interpreter that builds it loads no native code, and of"
            f" these build requirements there are only native wheels:\n{details}"
            if context.params["static"]
            else f"{context.params['label']} cannot be built, because of its build requirements: {error.what}",
            hint=f"ask for the Python version of the build itself (--python), or {backend.OTHER}",
            docs=backend.READ,
        ) from error
    for wheel in chosen:
        yield fetch.fetch(replace(wheel.pin, login=builder.login), settings=context.settings)
