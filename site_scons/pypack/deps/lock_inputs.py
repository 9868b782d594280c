"""The inputs of a program's lock: whole files, parts of files, and what folders of packages hold."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pypack.base import digests, folders
from pypack.deps import inline_project, manifests, requirements, uv_settings
from pypack.deps.build import folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pypack.deps.inputs import Dependencies

_OF_PACKAGES = (".whl", ".tar.gz", ".zip", ".html")
_LOCATION = re.compile(r"(?:-f|-i|--find-links|--index-url|--extra-index-url)[ =]+(\S+)")
_KEYS = ("index", "index-url", "extra-index-url", "find-links")
_VARIABLES = ("UV_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")


def files(dependencies: Dependencies) -> tuple[Path, ...]:
    """Return the files that are inputs as a whole; of a pyproject.toml or a script only a part is (:func:`part`)."""
    match dependencies.kind:
        case "requirements":
            paths = requirements.files(dependencies.file)
            paths += folder.metadata_of_files(paths)
        case "pyproject" | "backend" | "setup" | "script":
            paths = projects(dependencies)
        case "pylock" | "uv-lock" | "exported":
            paths = [dependencies.file]
        case _:
            paths = []
    return tuple(paths)


def projects(dependencies: Dependencies) -> list[Path]:
    """Return what says which packages local projects need that a pyproject.toml, a setup.py or a script leads to."""
    local = list(dependencies.requirements)
    if dependencies.kind == "script":
        local += folder.paths_of(inline_project.sources(dependencies.file))
        return folder.metadata(local, dependencies.base)
    if dependencies.file.name == "pyproject.toml":
        local += folder.uv_paths(dependencies.file)
    found = folder.metadata(local, dependencies.base)
    return [path for path in found if path != dependencies.file]  # of which a part counts


def refreshes(dependencies: Dependencies) -> bool:
    """Say whether only a build tells what a local project needs: uv remembers it by fewer files."""
    return any(
        path.name not in {"pyproject.toml", "setup.cfg"} and path.suffix != ".whl"
        for path in files(dependencies)
        if path != dependencies.file and path.parent != dependencies.base
    )


def packages(dependencies: Dependencies) -> str:
    """Return a hash over the local packages that may be chosen: wheels, and folders that stand for an index.

    ``""`` where there are none. Files are read again only when their time has changed.
    """
    base = dependencies.base
    paths = {path for location in _locations(dependencies) for path in _packages_at(location, base)}
    paths |= set(dependencies.wheels)
    if not paths:
        return ""
    memory = (
        folders.build_cache() / "packages" / f"{hashlib.sha256(str(base.absolute()).encode()).hexdigest()[:32]}.json"
    )
    return digests.whole(digests.contents(((str(path), path) for path in sorted(paths)), memory))


def _packages_at(location: str, base: Path) -> Iterator[Path]:
    """Yield the packages and pages in a folder; nothing for an address of another machine."""
    text = unquote(urlsplit(location).path) if location.startswith("file:") else location
    if "://" in text or not text:
        return
    top = base / text
    if top.is_file():
        yield top
    elif top.is_dir():
        yield from (path for path in top.rglob("*") if path.name.endswith(_OF_PACKAGES) and path.is_file())


def _locations(dependencies: Dependencies) -> Iterator[str]:
    """Yield the addresses and paths that the settings, and the requirements themselves, give for packages."""
    base = dependencies.base
    if dependencies.kind == "requirements":
        for file in requirements.files(dependencies.file):
            for line in requirements.lines_of(file.read_text(encoding="utf-8", errors="replace")):
                yield from _LOCATION.findall(line)
    variables = uv_settings.variables(base)
    for name in _VARIABLES:
        for word in re.split(r"[ ,]+", variables.get(name, "")):
            yield word.partition("=")[2] if re.match(r"[A-Za-z0-9_.-]+=", word) else word
    for file, table in uv_settings.found_tables(base):
        yield from _locations_in(inline_project.absolute(table, file.parent))
    for table in uv_settings.shared_tables():
        yield from _locations_in(table)
    if dependencies.kind == "script":
        yield from _locations_in(inline_project.settings(dependencies.file))


def _locations_in(table: dict[str, Any]) -> Iterable[str]:
    tables = [table, table["pip"]] if isinstance(table.get("pip"), dict) else [table]
    for value in (settings.get(key) for settings in tables for key in _KEYS):
        for row in value if isinstance(value, list) else [value]:
            location = row.get("url") if isinstance(row, dict) else row
            if isinstance(location, str):
                yield location


def part(dependencies: Dependencies) -> str:
    """Return the part of a pyproject.toml or a script that is an input of the lock, as text; ``""`` for other kinds."""
    manifest = dependencies.manifest
    if dependencies.kind == "script":
        return manifests.script_block(dependencies.file)
    if manifest is None or dependencies.kind in {"requirements", "venv", "wheels"}:
        return ""
    return json.dumps([manifest.requires_python, dependencies.requirements])
