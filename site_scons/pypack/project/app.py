"""The app's own files: finds them by one walk, hashes them with a cache, packs them into an image."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import digests, folders
from pypack.base.notes import Note
from pypack.base.walk import walk_project
from pypack.bundle import starting
from pypack.bytecode import compiler_image
from pypack.errors import InputError, StepError
from pypack.project import import_graph
from pypack.steps.step import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypack.bytecode import compiling
    from pypack.formats.image import ImageBuilder
    from pypack.project.entries import Entry
    from pypack.project.program import Project
    from pypack.steps.step import Context

_DOCS = "docs/settings.md"

_TOOL_FILES = (
    "SConstruct", "noxfile.py", "pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "uv.lock",
    "pylock.toml", "pylock.*.toml",
)  # fmt: skip
"""Files at the top of a program's folder that are for tools."""
_SHOWN = 8
BOOTSTRAP = "boot/encodings"
"""Path of the bootstrap in the app layer, without suffix: the first module that CPython imports from a file."""


@dataclass(frozen=True, kw_only=True)
class AppFile:
    """A file of the app: ``inside`` is its path below ``app/``, ``path`` where it is on the disk."""

    inside: str
    path: Path


def files(project: Project) -> list[AppFile]:
    """Return the files of the app; for a distribution, only those that are not in its wheel."""
    if project.bare:
        return []
    if not project.package:
        return sources(project)
    scripts = {project.entry.name} if project.entry.kind == "script" else set()
    included = {inside for inside, _ in _included_files(project)} | scripts
    return [file for file in sources(project) if file.inside in included]


def sources(project: Project) -> list[AppFile]:
    """Return the files that belong to the app, sorted, without hidden files, caches, virtual environments and outputs.

    Signing keys are left out too, under any name or link.
    """
    if project.bare:
        return []
    private = _private_files(project)
    paths = {
        inside: path
        for inside, path in (*_walk_folder(project), *_included_files(project))
        if not private or _file_id(path) not in private
    }
    if not paths:
        raise InputError(
            f"{project.root} holds no file that could be bundled", hint="name the folder of a program", docs=_DOCS
        )
    listed = [AppFile(inside=_app_path(project.under, inside), path=path) for inside, path in paths.items()]
    return sorted(listed, key=lambda file: file.inside.encode())


def _private_files(project: Project) -> set[tuple[int, int]]:
    if project.sign is None:
        return set()
    from pypack.bundle import identity

    return {_file_id(path) for path in identity.private(project.sign)}


def digest(project: Project, memory: Path | None) -> str:
    """Return a hash over the paths, modes and contents of the app's files. ``memory``: :func:`digests.contents`."""
    return digests.whole(digests.contents(((file.inside, file.path) for file in files(project)), memory))


def memory(project: Project, build: Path) -> Path:
    """Return the path below ``build`` of the cache of file hashes, for :func:`digest`."""
    return build / "apps" / f"{hashlib.sha256(str(project.root).encode()).hexdigest()[:16]}.files.json"


def run_app(context: Context) -> None:
    """Step: the app's image: ``app/…`` with bytecode, the bootstrap's own files and ``__main__.py``.

    Inputs: the box with the program's own wheel, where it is a distribution; the compiler image (of the same minor
    version), without which (``minor`` is ``""``) nothing is compiled. Params:
    ``files`` (their digest), ``minor``, ``python``, ``sources``, ``optimize``, ``metadata`` (text by path). Unhashed:
    ``project``.
    """
    from pypack.formats.image import ImageBuilder

    project: Project = context.unhashed["project"]
    project_wheel = context.inputs[:1] if project.package else ()
    image = context.inputs[-1] if context.params["minor"] else None
    with ImageBuilder("app", folder=context.product.parent) as builder:
        for wheel in project_wheel:
            _add_wheel(builder, wheel)
        for file in files(project):
            if f"app/{file.inside}" not in builder:
                builder.add_file(f"app/{file.inside}", file.path)
        for name, path in project.entry.script_files:
            if f"bin/{name}" not in builder:
                builder.add_file(f"bin/{name}", project.root / path)
        bootstrap_sources = own_sources(project.startup)
        if image:
            _add_bytecode(context, builder, image, bootstrap_sources)
        else:
            for name, source in bootstrap_sources.items():
                builder.add(f"{name}.py", source)
        builder.add("__main__.py", (folders.bootstrap() / "zip_main.py").read_bytes())
        for path, text in context.params["metadata"].items():
            if path not in builder:
                builder.add(path, text.encode())
        if digest(project, None) != context.params["files"]:
            raise InputError(f"{project.root} changed while it was being built", hint="build again", docs=_DOCS)
        builder.write(context.product)


def _add_wheel(builder: ImageBuilder, wheel_archive_file: Path) -> None:
    """Add the modules, metadata, data (share/, etc/, …) and command files of the program's own wheel.

    Its entry points are left out: what CPython runs for them is made with the bundle.
    """
    from pypack.deps import wheels
    from pypack.deps.build import wheel_archive
    from pypack.formats.image import ImageBuilder

    below = f"{wheels.SITE}/"
    with (
        wheel_archive.open_wheel(wheel_archive_file) as wheel,
        ImageBuilder(wheel.name, folder=wheel_archive_file.parent) as wheel_builder,
    ):
        made = wheels.unpack_wheel(wheel_builder, wheel)
        for path in wheel_builder.paths():
            if path.startswith(below):
                builder.add(f"{starting.OWN_SITE}/{path.removeprefix(below)}", wheel_builder.read(path))
            elif path.startswith("data/") or (path.startswith("bin/") and path not in made):
                builder.add(path, wheel_builder.read(path), executable=wheel_builder.member(path).executable)


def _add_bytecode(context: Context, builder: ImageBuilder, image: Path, bootstrap_sources: dict[str, bytes]) -> None:
    from pypack.bytecode import compiling

    minor, sources, optimize = (context.params[key] for key in ("minor", "sources", "optimize"))
    with compiler_image.interpreter(image, context.params["python"]) as python:
        texts = {} if sources else {path: builder.read(path) for path in builder.paths() if path.endswith(".py")}
        failed = compiling.add_bytecode(
            builder, python, minor=minor, keep_sources=sources, optimize=optimize, below="app/",
            jobs=context.settings.jobs, groups=_group_memory(context, image),
        )  # fmt: skip
        if failed:
            texts = texts or {path: builder.read(path) for path in builder.paths() if path.endswith(".py")}
            _report_failed(context, texts, failed)
        compiled = list(
            compiling.compile_sources(python, [("<pypack>", source) for source in bootstrap_sources.values()])
        )
    for name, result in zip(bootstrap_sources, compiled, strict=True):
        if result.error:
            raise StepError(
                f"the bootstrap does not compile for Python {minor}: {result.error}", hint="report this bug", docs=_DOCS
            )
        builder.add(f"{name}.pyc", result.bytecode)


def _group_memory(context: Context, compiler: Path) -> compiling.GroupMemory:
    from pypack.bytecode import compiling

    if context.memory is None:
        return compiling.GroupMemory(None)
    project: Project = context.unhashed["project"]
    worker = folders.bootstrap() / "compiler.py"
    way = [str(project.root), file_digest(compiler), file_digest(worker), context.params["optimize"]]
    name = hashlib.sha256(json.dumps(way).encode()).hexdigest()[:16]
    return compiling.GroupMemory(context.memory / "bytecode" / name)


def metadata(project: Project) -> dict[str, str]:
    """Return the ``.dist-info`` files of the program itself, as an installer would write them, by path."""
    manifest = project.manifest
    if manifest is None or not manifest.name or project.bare or project.package:
        return {}
    lines = [f"Metadata-Version: 2.1\nName: {manifest.name}\nVersion: {project.version}"]
    lines += [f"Summary: {' '.join(manifest.description.split())}"] if manifest.description else []
    lines += [f"Requires-Python: {manifest.requires_python}"] if manifest.requires_python else []
    lines += [f"Requires-Dist: {line}" for line in manifest.dependencies]
    points = {"console_scripts": manifest.scripts, "gui_scripts": manifest.gui_scripts}
    entry_points = "\n".join(
        "\n".join([f"[{kind}]", *(f"{name} = {point}" for name, point in sorted(scripts.items())), ""])
        for kind, scripts in points.items()
        if scripts
    )
    folder = f"app/{re.sub(r'[-_.]+', '_', manifest.name)}-{project.version}.dist-info"
    files = {f"{folder}/METADATA": "\n".join(lines) + "\n", f"{folder}/INSTALLER": "pypack\n"}
    return {**files, f"{folder}/entry_points.txt": entry_points} if entry_points else files


def reasons(project: Project) -> dict[str, str]:
    """Return why each file belongs to the app, by its path below ``app/``."""
    reasons_by_path: dict[str, str] = {}
    if project.bare:
        return reasons_by_path
    for pattern in project.include:
        for inside, _ in _included_files(replace(project, include=(pattern,))):
            reasons_by_path[inside] = f"include: {pattern}"
    if not project.package:
        reasons_by_path.update({inside: "it is in the program's folder" for inside, _ in _walk_folder(project)})
    return {_app_path(project.under, inside): why for inside, why in reasons_by_path.items()}


def bootstrap(startup: str) -> bytes:
    """Return the source of the bootstrap, joined to one file, since each file costs time at every start."""
    return _read_joined("finder.py", *(("fast.py",) if startup == "fast" else ()), "start.py")


def _read_joined(*names: str) -> bytes:
    return b"\n\n".join((folders.bootstrap() / name).read_bytes() for name in names)


def own_sources(startup: str = "fast") -> dict[str, bytes]:
    """Return the sources that run before a program, in its child processes, and when it fails, by module path."""
    others = {name: _read_joined(f"{name}.py") for name in ("run", "child")}
    return {BOOTSTRAP: bootstrap(startup), **others, "failure": _read_joined("damage.py", "failure.py")}


def boot_digest() -> str:
    """Return a hash over the bootstrap's own sources."""
    return hashlib.sha256(
        b"".join(own_sources().values()) + (folders.bootstrap() / "zip_main.py").read_bytes()
    ).hexdigest()


def _inside(path: str) -> str:
    """Return the path of a file of the program, as its project or its wheel has it."""
    return path.removeprefix("app/").removeprefix("site-packages/")


def _report_failed(context: Context, texts: dict[str, bytes], failed: list[compiling.Compiled]) -> None:
    """Refuse a program that cannot start since its modules do not compile; name the other files, which are data."""
    faults = {_inside(compiled.path): compiled for compiled in failed}
    sources = {_inside(path): text for path, text in texts.items()}
    entry: Entry = context.unhashed["project"].entry
    mains = import_graph.main_files(entry, sources)

    def read(inside: str) -> list[import_graph.Import]:
        package = import_graph.package_of(inside)
        return import_graph.imports(sources[inside], package, None, is_main=inside in mains) or []

    needed = import_graph.needed_files(entry, sources, read)
    if broken := [faults[inside] for inside in needed if inside in faults]:
        raise _syntax_error(broken)
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    context.say(
        Note("not-python", f"not Python of this version, so bundled as data: {', '.join([*faults][:_SHOWN])}{more}")
    )


def _syntax_error(failed: list[compiling.Compiled]) -> StepError:
    errors = (compiled.error.replace(f"{starting.OWN_SITE}/", "app/", 1) for compiled in failed)
    message = "\n".join("\n".join(f"  {line}" for line in error.splitlines()) for error in errors)
    count = "a file" if len(failed) == 1 else f"{len(failed)} files"
    return StepError(
        f"{count} of the app cannot be compiled:\n{message}", hint="mend the source, or exclude it", docs=_DOCS
    )


def _walk_folder(project: Project) -> Iterator[tuple[str, Path]]:
    root = project.root
    if project.only:
        yield from ((name, root / name) for name in project.only)
        return
    outputs = {Path(os.path.realpath(path)) for path in project.outputs}
    for inside, path in walk_project(root, skip=lambda path: _is_output(path, outputs), loop=_refuse_loop):
        top = path.parent == root and not project.under
        if not _is_tool_file(path.name, top=top) and not _is_excluded(inside, project.exclude):
            yield inside, _checked_file(path)


def _included_files(project: Project) -> Iterator[tuple[str, Path]]:
    """Yield the files that the setting ``include`` matches."""
    for pattern in project.include:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InputError(
                f"include {pattern!r} leaves the program's folder", hint="write it relative to that folder", docs=_DOCS
            )
        for path in sorted(project.root.glob(pattern)):
            if path.is_file():
                yield path.relative_to(project.root).as_posix(), _checked_file(path)


def _file_id(path: Path) -> tuple[int, int]:
    """Return device and inode, which are equal for all names and links of a file."""
    info = path.stat()
    return info.st_dev, info.st_ino


def _is_output(path: Path, outputs: set[Path]) -> bool:
    return bool(outputs) and Path(os.path.realpath(path)) in outputs


def _refuse_loop(folder: Path) -> None:
    """Raise the error for a link to a folder above itself: links to folders are followed, and this one has no end."""
    raise InputError(
        f"the link {folder} leads to a folder that it stands in", hint="remove it, or exclude it", docs=_DOCS
    )


def _checked_file(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
        path.name.encode()
    except (OSError, UnicodeEncodeError) as error:
        raise InputError(
            f"{path!a} of the app cannot be read: {error}", hint="remove it, or exclude it", docs=_DOCS
        ) from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} of the app is not a file", hint="remove it, or exclude it", docs=_DOCS)
    return path


def _is_tool_file(name: str, *, top: bool) -> bool:
    return name.startswith(".") or (top and any(fnmatch.fnmatch(name, pattern) for pattern in _TOOL_FILES))


def _is_excluded(inside: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(inside, pattern) or inside.startswith(f"{pattern.rstrip('/')}/") for pattern in patterns)


def _app_path(under: str, inside: str) -> str:
    return f"{under}/{inside}" if under else inside
