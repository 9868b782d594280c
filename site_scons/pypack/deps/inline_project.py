"""Resolve a script's inline metadata with its ``[tool.uv]``: uv reads that of a project, so one is laid out for it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.deps import manifests, uv_settings
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pypack.deps.inputs import Dependencies

_READ = "docs/dependencies.md"
_NAME = "pypack-inline-script"
_PATHS = ("path", "url")
_LISTS = ("index", "find-links", "extra-index-url")
"""Settings of which uv adds a script's to those of the files around it; any other setting replaces theirs."""
_NOT_OF_SETTINGS = (
    "sources",
    "workspace",
    "package",
    "default-groups",
    "dependency-groups",
    "managed",
    "build-backend",
)


def has_settings(script: Path) -> bool:
    """Say whether a script's inline metadata has ``[tool.uv]``."""
    return bool(_settings(script))


def _settings(script: Path) -> dict[str, Any]:
    settings = (manifests.script_table(script) or {}).get("tool", {}).get("uv", {})
    if not isinstance(settings, dict):
        raise InputError(f"tool.uv in the inline metadata of {script} must be a table", hint="mend it", docs=_READ)
    return settings


@contextmanager
def lay_out(dependencies: Dependencies) -> Iterator[Path]:
    """Yield a temporary folder with a pyproject.toml that means what the script's metadata means to uv.

    Relative paths are made absolute. The settings of uv that hold in the script's folder count as with ``uv run``.
    """
    import tomlkit

    assert dependencies.manifest is not None  # the metadata was read before
    settings = absolute(_settings(dependencies.file), dependencies.base)
    around = next(uv_settings.found_tables(dependencies.base), None)
    if around:
        file, table = around
        settings = _joined(settings, absolute(table, file.parent))
    project: dict[str, Any] = {
        "name": _NAME, "version": "0", "dependencies": list(dependencies.manifest.dependencies),
        "requires-python": dependencies.manifest.requires_python or ">=3",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        text = tomlkit.dumps({"project": project, "tool": {"uv": settings}})
        (Path(folder) / "pyproject.toml").write_text(text, encoding="utf-8")
        yield Path(folder)


def _joined(script: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Return a script's settings with those around it, of which the script's come first."""
    others = {key: value for key, value in around.items() if key not in _NOT_OF_SETTINGS}
    lists = {key: [*script.get(key, []), *others.get(key, [])] for key in _LISTS if key in script or key in others}
    return {**others, **script, **lists}


def absolute(table: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return settings of uv whose relative paths count from ``base`` with absolute ones."""
    result = dict(table)
    for key, change in _CHANGES.items():
        if key in result:
            result[key] = change(result[key], base)
    return result


def _sources(sources: dict[str, Any], base: Path) -> dict[str, Any]:
    return {name: _rows(source, base) for name, source in sources.items()}


def _rows(value: Any, base: Path) -> Any:  # noqa: ANN401 - a table or a list of tables, as TOML has it
    if isinstance(value, list):
        return [_rows(row, base) for row in value]
    if not isinstance(value, dict):
        return value
    return {key: location(text, base) if key in _PATHS else text for key, text in value.items()}


def _locations(values: Any, base: Path) -> Any:  # noqa: ANN401 - a string or a list of them
    return [location(text, base) for text in values] if isinstance(values, list) else location(values, base)


def location(text: Any, base: Path) -> Any:  # noqa: ANN401 - what is no string is for uv to complain of
    """Return an address as it is, and a path as an absolute one."""
    return text if not isinstance(text, str) or "://" in text or text.startswith("file:") else str(base / text)


_CHANGES: dict[str, Callable[[Any, Path], Any]] = {
    "sources": _sources,
    "index": _rows,
    "find-links": _locations,
    "extra-index-url": _locations,
    "index-url": _locations,
    "cache-dir": _locations,
}
