"""Guess from a project's files whether its build asks version control, or reads files above its folder."""

from __future__ import annotations

import json
import os
import re
import tomllib
from typing import TYPE_CHECKING, Any

from pypack.deps.build import native

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_ALONE = frozenset({
    "cffi", "cmake", "cython", "flit-core", "hatch-fancy-pypi-readme", "hatch-mypyc", "hatch-requirements-txt",
    "hatchling", "maturin", "meson-python", "mypy", "mypyc", "nanobind", "ninja", "numpy", "oldest-supported-numpy",
    "packaging", "pdm-backend", "pip", "poetry-core", "pybind11", "scikit-build", "scikit-build-core", "setuptools",
    "setuptools-rust", "tomli", "toml", "uv-build", "wheel",
})  # fmt: skip
"""Build requirements that read the project's own files only; any other may ask git."""
_ASKS = re.compile(
    rb"\bgit\b|\bhg\b|scm\b|\bvcs|versioneer|dunamai|\.\./|\bpardir\b|\.parent\.parent|\.parents\[|dirname\([^\n]*dirname"
)
_ABOVE = re.compile(r'"\.\.[/"\\]')
_HOOK = re.compile(r'"(?:path|script)": "[^"]*/[^"]*\.py"')
_RUN_NO_CODE = {"hatchling", "poetry-core", "uv-build"}
"""Backends that run none of a project's code, unless its settings name some."""
_NAMES_CODE = re.compile(r'"(?:hooks|custom|script|build-script|source)":|"build": "')
_TABLES = ("hatch", "setuptools", "flit", "pdm", "poetry")
VERSIONS = re.compile(
    r"\w*_PRETEND_VERSION\w*|SETUPTOOLS_SCM_\w+|VCS_VERSIONING_\w+|PDM_BUILD_\w+|POETRY_DYNAMIC_VERSIONING_\w+|PBR_VERSION"
    r"|HATCH_BUILD_\w+"
)
"""Variables of the environment that build backends and their plugins take versions and switches from."""
_GIVEN = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS")
"""Variables that give the version of a program to what would ask version control."""


def is_asked(files: Iterable[tuple[str, Path]]) -> bool:
    """Say whether a project's build may ask git for its version or read files above the project's folder."""
    paths = dict(files)
    pyproject = paths["pyproject.toml"].read_bytes() if "pyproject.toml" in paths else b""
    if _pyproject_asks(pyproject):
        return True
    if "setup.py" not in paths and _runs_no_code(pyproject):
        return False
    for name, path in paths.items():
        folder, _, base = name.rpartition("/")
        is_code = name == "setup.cfg" or (base.endswith(".py") and (not folder or "version" in base))
        if is_code and _ASKS.search(path.read_bytes()):
            return True
    return False


def variables(version: str = "") -> dict[str, str]:
    """Return the variables for a build: those of the caller, and a ``version`` that is set for it ("0": none)."""
    given = dict.fromkeys(_GIVEN, version) if version.strip("0") else {}
    return {**given, **{name: value for name, value in sorted(os.environ.items()) if VERSIONS.fullmatch(name)}}


def _runs_no_code(pyproject: bytes) -> bool:
    """Say whether nothing of the project itself is run to build it."""
    requirements = native.requirements(pyproject)
    try:
        tools = tomllib.loads(pyproject.decode("utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    settings = json.dumps([tools.get(name) for name in ("hatch", "poetry", "uv")], default=str)
    return bool(requirements) and requirements <= _RUN_NO_CODE and not _NAMES_CODE.search(settings)


def _pyproject_asks(text: bytes) -> bool:
    if native.requirements(text) - _ALONE:
        return True
    try:
        table = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    tools: Mapping[str, Any] = table.get("tool", {})
    version = tools.get("pdm", {}).get("version", {})
    if isinstance(version, dict) and version.get("source") == "scm":
        return True
    hooks = json.dumps([tools.get("hatch", {}).get("build"), tools.get("poetry", {}).get("build")], default=str)
    if "backend-path" in table.get("build-system", {}) or _HOOK.search(hooks):
        return True
    settings = [table.get("project"), table.get("build-system"), *(tools.get(name) for name in _TABLES)]
    return bool(_ABOVE.search(json.dumps(settings, default=str)))
