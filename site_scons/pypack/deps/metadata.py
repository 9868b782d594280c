"""Ask a program's build backend (PEP 517) for what its files leave to it: packages, commands, name."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import folders
from pypack.deps import manifests, metadata_cache, uv_settings
from pypack.deps.build import backend as backends
from pypack.errors import InputError

if TYPE_CHECKING:
    from pypack.deps.build.backend import Backend
    from pypack.deps.manifests import Manifest

_READ = "docs/dependencies.md"
_SHOWN_LINES = 12
_FIELDS = {
    "dependencies": "dependencies",
    "optional-dependencies": "extras",
    "scripts": "scripts",
    "gui-scripts": "gui_scripts",
    "requires-python": "requires_python",
}
"""Fields of ``[project]`` that may be dynamic and that a build depends on, and how a manifest calls them."""


def complete(manifest: Manifest, memory: Path | None = None) -> Manifest:
    """Return a pyproject.toml's manifest with what only its build backend can tell.

    A file without ``[project]`` (``[tool.poetry]`` before Poetry 2, Flit's old table) leaves everything to it.
    ``memory`` is the JSON file that keeps the answer until a file that the backend read changes.
    """
    if not manifest.built:
        return manifest
    dynamic = [field for key, field in _FIELDS.items() if key in manifest.dynamic]
    if manifest.name and not dynamic:
        return manifest
    folder = manifest.file.parent
    backend = backends.read(folder, str(manifest.file))
    wheel = manifests.of_metadata(manifest.file, **metadata_cache.recall(memory, folder, lambda: _ask(folder, backend)))
    if manifest.name:
        return replace(manifest, **{field: getattr(wheel, field) for field in dynamic})
    poetry = manifests.read_toml(manifest.file).get("tool", {}).get("poetry", {})
    # a version from version control is the build's to find, since no file says when it changes
    version = wheel.version if isinstance(poetry, dict) and poetry.get("version", "0.0.0") != "0.0.0" else ""
    return replace(wheel, built=True, version=version, groups=manifest.groups, dynamic=("dependencies",))


def _ask(folder: Path, backend: Backend) -> tuple[dict[str, Any], list[str]]:
    """Return METADATA and entry_points.txt of a project, and the files that its backend opened."""
    with tempfile.TemporaryDirectory(prefix="pypack-") as name:
        out = Path(name)
        eggs = set(folder.glob("**/*.egg-info")) if "setuptools" in backend.name else set()
        more, read_before = _call(folder, backend, out, "get_requires_for_build_wheel", None)
        whole = replace(backend, requires=(*backend.requires, *(more or ())))
        made, opened = _call(folder, whole, out, "prepare_metadata_for_build_wheel", str(out), None)
        if made is None:
            made, opened = _call(folder, whole, out, "build_wheel", str(out), None, None)
            facts = manifests.packed_metadata(out / str(made))
        else:
            points = out / str(made) / "entry_points.txt"
            facts = {
                "metadata": (out / str(made) / "METADATA").read_text(encoding="utf-8"),
                "points": points.read_text(encoding="utf-8") if points.is_file() else "",
            }
        for path in (set(folder.glob("**/*.egg-info")) - eggs) if "setuptools" in backend.name else ():
            _remove(path)  # old setuptools leaves it in the user's folder
    return facts, [*read_before, *opened]


def _remove(path: Path) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def _call(
    folder: Path, backend: Backend, out: Path, hook: str, *arguments: str | None
) -> tuple[list[str] | str | None, list[str]]:
    """Call a hook in an environment with the build requirements; return its result and the files it opened."""
    import uv

    request, answer, opened = out / "asked.json", out / "answer.json", out / "opened.json"
    request.write_text(
        json.dumps({
            "backend": backend.name, "path": backend.path, "hook": hook, "arguments": arguments,
            "answer": str(answer), "opened": str(opened),
        }), encoding="utf-8",
    )  # fmt: skip
    answer.unlink(missing_ok=True)
    command = [
        uv.find_uv_bin(), "run", "--no-project", "--no-python-downloads", "--quiet", "--python", sys.executable,
        *(argument for requirement in backend.requires for argument in ("--with", requirement)),
        "python", "-B", "-s", str(folders.bootstrap() / "backend.py"), str(request),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=uv_settings.environment(folder), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode or not answer.is_file():
        tail = "".join(f"\n  {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-_SHOWN_LINES:])
        raise InputError(
            f"{folder / 'pyproject.toml'} leaves its packages or commands to {backend.name}, which fails:{tail}",
            hint="mend the file, or name what the build backend requires", docs=_READ,
        )  # fmt: skip
    return json.loads(answer.read_text(encoding="utf-8"))["result"], json.loads(opened.read_text(encoding="utf-8"))
