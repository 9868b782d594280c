"""The inputs of a program's lock: whole files, and parts of files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pypack.deps import manifests, requirements
from pypack.deps.build import folder

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.deps.inputs import Dependencies


def files(dependencies: Dependencies) -> tuple[Path, ...]:
    """Return the files that are inputs as a whole; of a pyproject.toml or a script only a part is (:func:`part`)."""
    match dependencies.kind:
        case "requirements":
            paths = requirements.files(dependencies.file)
            paths += folder.metadata_of_files(paths)
        case "pyproject":
            local = [*dependencies.requirements, *folder.uv_paths(dependencies.file)]
            paths = folder.metadata(local, dependencies.base)
        case "pylock" | "uv-lock" | "exported":
            paths = [dependencies.file]
        case _:
            paths = []
    return (*paths, *dependencies.wheels)


def part(dependencies: Dependencies) -> str:
    """Return the part of a pyproject.toml or a script that is an input of the lock, as text; ``""`` for other kinds."""
    manifest = dependencies.manifest
    if dependencies.kind == "script":
        return manifests.script_block(dependencies.file)
    if manifest is None or dependencies.kind in {"requirements", "venv", "wheels"}:
        return ""
    return json.dumps([manifest.requires_python, dependencies.requirements])
