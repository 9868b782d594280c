"""Read how a source tree is built (PEP 517, PEP 518), and refuse trees that cannot be built here."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.deps.build import native, toolchain
from pypack.errors import StepError

if TYPE_CHECKING:
    from pathlib import Path

READ = "docs/dependencies.md"
OTHER = (
    "ask for a version that has a wheel, raise the floor ([tool.pypack] floors) so that newer wheels fit, build for "
    "another target, or name a wheel of your own in the requirements"
)
_LEGACY = "setuptools.build_meta:__legacy__"
_FOREIGN = {
    "maturin": "Rust (cargo)",
    "setuptools-rust": "Rust (cargo)",
    "scikit-build-core": "CMake",
    "scikit-build": "CMake",
    "meson-python": "Meson",
    "sip": "qmake",
}
"""Build requirements that compile with another tool than the ``CC`` of the build environment."""
_FROM_INDEX = {"CMake", "Meson"}
"""Tools that build requirements bring along as wheels."""

OWN_WHEEL = (
    "make its wheel where that tool is (pip wheel --no-deps .), and name the wheel: pypack build NAME.whl, or in the"
    " requirements"
)
OWN = "read what its backend says above, and mend the project"
_ADVICE = (
    (r"No module named '?pkg_resources", 'setuptools 82 has no pkg_resources any more: take an older one, by '
     '[tool.uv] build-constraint-dependencies = ["setuptools<81"] or UV_BUILD_CONSTRAINT=FILE'),
    (r"No module named '?distutils", "Python 3.12 has no distutils: name setuptools in [build-system] requires"),
    (r"POETRY_DYNAMIC_VERSIONING|poetry.dynamic.versioning", "set POETRY_DYNAMIC_VERSIONING_BYPASS=VERSION"),
    (r"PDM_BUILD_SCM_VERSION", "build where its repository and git are, or set PDM_BUILD_SCM_VERSION=VERSION, or"
     " version in [tool.pypack]"),
    (r"PRETEND_VERSION|setuptools.scm|vcs.versioning|versioning from VCS", "build where its repository, its tags and"
     " git are, or set SETUPTOOLS_SCM_PRETEND_VERSION=VERSION, or version in [tool.pypack]"),
    (r"not a git repository|No such file or directory: 'git'|dubious ownership|no git repository", "build where its"
     " repository and git are; git config --global --add safe.directory FOLDER where they belong to somebody else"),
    (r"No module named", "name what it imports in [build-system] requires"),
)  # fmt: skip
"""What backends say, as regular expressions, and what to do then; the first that is found counts."""


def advice(output: str) -> str:
    """Return what to do about a failed build, by what its backend says; "" where nothing fits."""
    return next((text for pattern, text in _ADVICE if re.search(pattern, output, re.IGNORECASE)), "")


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A build backend: ``name`` is ``module`` or ``module:object``, ``path`` folders of the tree to import it from."""

    name: str
    requires: tuple[str, ...]
    path: tuple[str, ...] = ()


def read(tree: Path, label: str) -> Backend:
    """Return the backend of an unpacked tree; without one in ``pyproject.toml`` it is setuptools, as PEP 517 says."""
    file = tree / "pyproject.toml"
    if not file.is_file():
        if not (tree / "setup.py").is_file():
            raise StepError(
                f"{label} is no Python project: it has neither pyproject.toml nor setup.py", hint=OTHER, docs=READ
            )
        return Backend(name=_LEGACY, requires=("setuptools>=40.8.0",))
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StepError(
            f"the pyproject.toml of {label} cannot be read: {error}", hint="mend it, or tell its authors", docs=READ
        ) from error
    system = table.get("build-system", {"requires": ["setuptools>=40.8.0"]})
    requires = system.get("requires") if isinstance(system, dict) else None
    name, path = (
        (system.get("build-backend", _LEGACY), system.get("backend-path", [])) if requires is not None else ("", [])
    )
    if not _is_list_of_strings(requires) or not _is_list_of_strings(path) or not isinstance(name, str) or not name:
        raise StepError(
            f"[build-system] of {label} is not as PEP 517 wants it", hint="mend it, or tell its authors", docs=READ
        )
    if any(part.startswith("/") or ".." in re.split(r"[/\\]", part) for part in path):
        raise StepError(f"the backend-path of {label} leaves its tree", hint="mend it, or tell its authors", docs=READ)
    return Backend(name=name, requires=tuple(requires or ()), path=tuple(path))


def refuse(tree: Path, label: str, python: str, *, is_folder: bool = False, on_machine: bool = False) -> None:
    """Raise :class:`StepError` for a tree that needs a tool that pypack has not, or another Python than ``python``.

    ``is_folder``: it is a project of the user's own, not a package of an index. ``on_machine``: it is built for this
    machine itself, so that its Rust can be used, and CMake and Meson compile for the right system.
    """
    file = tree / "pyproject.toml"
    requirements = native.requirements(file.read_bytes()) if file.is_file() else set()
    for name in sorted(requirements & _FOREIGN.keys()):
        is_rust = _FOREIGN[name].startswith("Rust")
        if on_machine and (_FOREIGN[name] in _FROM_INDEX or (is_rust and toolchain.rust_version())):
            continue
        install = "install Rust, so that cargo and rustc are on PATH (https://rustup.rs), or " if is_rust else ""
        raise StepError(
            f"{label} has to be built from source, and {name}, which does that, takes {_FOREIGN[name]}"
            + (", which is not on this machine" if on_machine else ", which compiles for this machine only"),
            hint=(install if on_machine else "") + (OWN_WHEEL if is_folder else OTHER),
            docs=READ,
        )
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    needed = _requires_python(tree)
    try:
        fits = SpecifierSet(needed).contains(python, prereleases=True)
    except InvalidSpecifier:
        return  # what is no specifier is left to the backend
    if not fits:
        raise StepError(
            f"{label} needs Python {needed}, and this is built for {python}",
            hint="ask for another --python or version",
            docs=READ,
        )


def _requires_python(tree: Path) -> str:
    file, pkg_info = tree / "pyproject.toml", tree / "PKG-INFO"
    project: Any = {}
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    value = project.get("requires-python") if isinstance(project, dict) else None
    if value is None and pkg_info.is_file():
        from packaging.metadata import parse_email

        value = parse_email(pkg_info.read_bytes())[0].get("requires_python")
    return str(value or "")


def _is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
