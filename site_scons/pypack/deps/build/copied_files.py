"""Make the wheel of a project again from the one before, where only files have changed that its backend copies.

The wheel that comes out has the bytes of a full build. Whatever may make a difference leads to a full build: another
backend than those that copy, hooks, a version from code or version control, native code, files that come or go, and
files that the project's settings name. In CI (the variable ``CI``) and with ``upgrade`` every build is a full one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tomllib
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any

from pypack.base import digests, files, records
from pypack.deps.build import native, wheel_archive
from pypack.formats import image
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.deps.build.folder import Folder
    from pypack.steps.step import Context

_BACKENDS = {
    "setuptools.build_meta", "hatchling.build", "flit_core.buildapi", "poetry.core.masonry.api", "pdm.backend",
    "uv_build",
}  # fmt: skip
_REQUIREMENTS = {"setuptools", "wheel", "hatchling", "flit-core", "poetry-core", "pdm-backend", "uv-build"}
_HOOK_FILES = {"setup.py", "hatch_build.py", "pdm_build.py", "build.py"}
_HOOKS = re.compile(r'"(?:hooks|custom-hook|build-script|script|custom|cmdclass|plugins)"|"build": "')
_SETTINGS = ("pyproject.toml", "setup.cfg", "MANIFEST.in")
_NEVER = re.compile(r"(?i)(?:readme|licen[cs]e|copying|notice|authors)")


def take_over(context: Context) -> bool:
    """Write the step's product from the wheel before, and say whether that was possible."""
    project: Folder | None = context.unhashed.get("project")
    if project is None or context.memory is None or os.environ.get("CI") or context.settings.upgrade:
        return False
    record, archive = _paths(context.memory, project)
    row = records.read(record)
    if not archive.is_file() or row.get("identity") != _identity(context) or row.get("sum") != file_digest(archive):
        return False
    was, now = row["contents"], project.contents
    changed = [name for name in now if was.get(name) != now[name]]
    if was.keys() != now.keys() or not all(_is_same_mode(was[name], now[name]) for name in changed):
        return False
    if not _may_copy(project, changed) or not row["members"].keys() >= set(changed):
        return False
    contents = _read(context.inputs[0], changed)
    with wheel_archive.open_wheel(archive) as wheel:
        replaced = {row["members"][name]: contents[name] for name in changed}
        wheel_archive.pack(wheel, context.product, _build_record(wheel, context), replaced)
    remember(context)
    return True


def remember(context: Context) -> None:
    """Keep the wheel that was built for :func:`take_over`, where its backend is one that copies files."""
    project: Folder | None = context.unhashed.get("project")
    if project is None or context.memory is None or not _may_copy(project, ()):
        return
    record, archive = _paths(context.memory, project)
    context.memory.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)
    with files.replaced(archive) as path:
        shutil.copyfile(context.product, path)
    records.write(record, {
        "identity": _identity(context), "contents": dict(project.contents), "members": _members(project, archive),
        "sum": file_digest(archive),
    })  # fmt: skip


def _is_same_mode(was: str, now: str) -> bool:
    return digests.is_executable(was) == digests.is_executable(now)


def _build_record(wheel: Path, context: Context) -> dict[str, bytes]:
    """Return the record of the build before in a wheel, with the source of this one."""
    with zipfile.ZipFile(wheel) as packed:
        (path,) = (name for name in packed.namelist() if name.endswith(f".dist-info/{wheel_archive.BUILD_RECORD}"))
        record = json.loads(packed.read(path))
    return {wheel_archive.BUILD_RECORD: wheel_archive.build_record({**record, "source": context.params["source"]})}


def _paths(memory: Path, project: Folder) -> tuple[Path, Path]:
    name = hashlib.sha256(str(project.path.absolute()).encode()).hexdigest()[:16]
    return memory / f"{name}.wheel.json", memory / f"{name}.wheel.tar"


def _identity(context: Context) -> str:
    """Return all that a wheel depends on besides the project's files, as text."""
    return json.dumps({key: value for key, value in context.params.items() if key != "source"}, sort_keys=True)


def _members(project: Folder, archive: Path) -> dict[str, str]:
    """Return which file of the project is which member of its wheel, for those that are so beyond doubt."""
    with wheel_archive.open_wheel(archive) as wheel, zipfile.ZipFile(wheel) as packed:
        sums = {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
    fitting: dict[str, list[str]] = {}
    for name, digest in project.contents.items():
        content = digest.partition("\0")[2]
        fitting[name] = [path for path, other in sums.items() if other == content and f"/{name}".endswith(f"/{path}")]
    explained = {path for paths in fitting.values() for path in paths}
    copies = {content for path, content in sums.items() if path not in explained}  # made of who knows which file
    counts = Counter(path for paths in fitting.values() for path in paths)
    return {
        name: paths[0]
        for name, paths in fitting.items()
        if len(paths) == 1 and counts[paths[0]] == 1 and sums[paths[0]] not in copies
    }


def _may_copy(project: Folder, changed: Iterable[str]) -> bool:
    """Say whether the project's backend copies its files, and reads none of ``changed`` for anything else."""
    paths = dict(project.files)
    if project.repository or project.prefix or _HOOK_FILES & paths.keys() or "pyproject.toml" not in paths:
        return False
    text = paths["pyproject.toml"].read_text(encoding="utf-8")
    try:
        table: dict[str, Any] = tomllib.loads(text)
        system = table["build-system"]
        tools = {name: tool for name, tool in table.get("tool", {}).items() if name != "pypack"}
    except (tomllib.TOMLDecodeError, KeyError, AttributeError):
        return False
    names = native.requirements(text.encode())
    if system.get("build-backend") not in _BACKENDS or "backend-path" in system or not names <= _REQUIREMENTS:
        return False
    if _HOOKS.search(json.dumps(tools, default=str)) or native.of_folder(project):
        return False
    dynamic = "name" not in table.get("project", {}) or bool(table["project"].get("dynamic"))
    settings = "".join(paths[name].read_text(encoding="utf-8") for name in _SETTINGS if name in paths)
    return "cmdclass" not in settings and not any(_is_read(name, settings, dynamic=dynamic) for name in changed)


def _is_read(name: str, settings: str, *, dynamic: bool) -> bool:
    """Say whether a backend may read a file for more than to copy it."""
    base = name.rpartition("/")[2]
    stem = base.partition(".")[0]
    if _NEVER.match(base) or base in settings or base in {*_SETTINGS, ".gitignore"}:
        return True
    if not dynamic:
        return False
    if stem in {"__init__", "__main__"} or "about" in stem or "version" in stem:
        return True
    return re.search(rf"\b{re.escape(stem)}\b", settings) is not None


def _read(tree: Path, names: Iterable[str]) -> dict[str, bytes]:
    wanted = set(names)
    found = ((member.path, stream) for member, stream in image.read_image(tree) if member.path in wanted)
    return {path: stream.read() for path, stream in found if stream is not None}
