"""What decides about a program's lock: files, parts of files, settings, and one hash over all of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pypack.packages import manifests, requirements
from pypack.packages.building import folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pypack.packages.inputs import Dependencies


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
