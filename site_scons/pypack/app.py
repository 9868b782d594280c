"""The app's own files: found by one walk, hashed with a memory of what was hashed before, packed into an image."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import digests
from pypack.errors import InputError, StepError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypack import bytecode
    from pypack.images.image import ImageBuilder
    from pypack.pipeline import Context
    from pypack.project import Project

_SKIPPED_FOLDERS = ("__pycache__", "node_modules", "*.egg-info")
_SKIPPED_FILES = ("*.pyc", "*.pyo", "*~")
_SKIPPED_AT_TOP = (
    "SConstruct", "noxfile.py", "pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "uv.lock",
    "pylock.toml", "pylock.*.toml",
)  # fmt: skip
_OUTPUTS = ("build", "dist")
_BOOT = Path(__file__).with_name("boot")


@dataclass(frozen=True, kw_only=True)
class AppFile:
    """A file of the app: ``inside`` is its path below ``app/``, ``path`` where it is on the disk."""

    inside: str
    path: Path


def files(project: Project) -> list[AppFile]:
    """Return the files that the app brings besides what its wheel holds, where it is a distribution; else all."""
    if project.bare:
        return []
    if not project.package:
        return sources(project)
    scripts = {project.entry.name} if project.entry.kind == "script" else set()
    named = {inside for inside, _ in _included(project)} | scripts
    return [each for each in sources(project) if each.inside in named]


def sources(project: Project) -> list[AppFile]:
    """Return the files that belong to the app, sorted. Hidden ones, caches, virtual environments and outputs do not.

    Nor does what bundles are signed with, by whatever name or link it is found.
    """
    if project.bare:
        return []
    private = _private(project)
    found = {
        inside: path
        for inside, path in (*_walk(project), *_included(project))
        if not private or _same(path) not in private
    }
    if not found:
        raise InputError(f"{project.root} holds no file that could be bundled", do="name the folder of a program")
    listed = [AppFile(inside=_below(project.under, inside), path=path) for inside, path in found.items()]
    return sorted(listed, key=lambda each: each.inside.encode())


def _private(project: Project) -> set[tuple[int, int]]:
    if project.sign is None:
        return set()
    from pypack.macho import identity

    return {_same(path) for path in identity.private(project.sign)}


def digest(project: Project, memory: Path) -> str:
    """Return a hash over the paths, modes and contents of the app's files. ``memory``: :func:`digests.contents`."""
    return digests.whole(digests.contents(((each.inside, each.path) for each in files(project)), memory))


def memory(project: Project, build: Path) -> Path:
    """Return the file below ``build`` in which the hashes of a project's files are kept, for :func:`digest`."""
    return build / "apps" / f"{hashlib.sha256(str(project.root).encode()).hexdigest()[:16]}.files.json"


def run_app(context: Context) -> None:
    """Step: the app's image: ``app/…`` with bytecode, ``boot.pyc``, ``failure.pyc`` and ``__main__.py``.

    Inputs: the box with the program's own wheel, where it is a distribution; the kit (an interpreter of the same minor
    version), without which (``minor`` is ``""``) nothing is compiled. Params:
    ``project`` (not a JSON value in signatures: its ``digest`` is), ``minor``, ``python``, ``sources``, ``optimize``,
    ``metadata`` (text by path).
    """
    from pypack.images.image import ImageBuilder

    project: Project = context.params["project"].value
    project_wheel = context.inputs[:1] if project.package else ()
    kit = context.inputs[-1] if context.params["minor"] else None
    with ImageBuilder("app", folder=context.product.parent) as builder:
        for wheel in project_wheel:
            _add_wheel(builder, wheel)
        for each in files(project):
            if f"app/{each.inside}" not in builder:
                builder.add_file(f"app/{each.inside}", each.path)
        own = own_sources()
        if kit:
            _compile(context, builder, kit, own)
        else:
            for name, source in own.items():
                builder.add(f"{name}.py", source)
        builder.add("__main__.py", (_BOOT / "zip_main.py").read_bytes())
        for path, text in context.params["metadata"].items():
            if path not in builder:
                builder.add(path, text.encode())
        builder.write(context.product)


def _add_wheel(builder: ImageBuilder, box: Path) -> None:
    """Add what a wheel of the program itself installs: its modules and metadata, without commands and other data."""
    from pypack.images.image import ImageBuilder
    from pypack.packages import wheels
    from pypack.packages.building import boxes

    below = f"{wheels.SITE}/"
    with boxes.opened(box) as wheel, ImageBuilder(wheel.name, folder=box.parent) as whole:
        wheels.unpack_wheel(whole, wheel)
        for path in whole.paths():
            if path.startswith(below):
                builder.add(f"app/{path.removeprefix(below)}", whole.read(path))


def _compile(context: Context, builder: ImageBuilder, kit: Path, own: dict[str, bytes]) -> None:
    from pypack import bytecode

    minor, sources, optimize = (context.params[key] for key in ("minor", "sources", "optimize"))
    with bytecode.interpreter(kit, context.params["python"]) as python:
        failed = bytecode.add_bytecode(
            builder, python, minor=minor, keep_sources=sources, optimize=optimize, below="app/",
            jobs=context.settings.jobs,
        )  # fmt: skip
        if failed:
            raise _syntax_errors(failed)
        made = list(bytecode.compile_sources(python, [("<pypack>", source) for source in own.values()]))
    for name, done in zip(own, made, strict=True):
        if done.error:
            raise StepError(f"the bootstrap does not compile for Python {minor}: {done.error}", do="report this bug")
        builder.add(f"{name}.pyc", done.bytecode)


def metadata(project: Project) -> dict[str, str]:
    """Return the files by which ``importlib.metadata`` knows the program itself: as an installer would write them."""
    manifest = project.manifest
    if manifest is None or not manifest.name or project.bare or project.package:
        return {}
    lines = [f"Metadata-Version: 2.1\nName: {manifest.name}\nVersion: {project.version}"]
    lines += [f"Summary: {' '.join(manifest.description.split())}"] if manifest.description else []
    lines += [f"Requires-Python: {manifest.requires_python}"] if manifest.requires_python else []
    lines += [f"Requires-Dist: {line}" for line in manifest.dependencies]
    points = {"console_scripts": manifest.scripts, "gui_scripts": manifest.gui_scripts}
    told = "\n".join(
        "\n".join([f"[{kind}]", *(f"{name} = {point}" for name, point in sorted(each.items())), ""])
        for kind, each in points.items()
        if each
    )
    folder = f"app/{re.sub(r'[-_.]+', '_', manifest.name)}-{project.version}.dist-info"
    files = {f"{folder}/METADATA": "\n".join(lines) + "\n", f"{folder}/INSTALLER": "pypack\n"}
    return {**files, f"{folder}/entry_points.txt": told} if told else files


def reasons(project: Project) -> dict[str, str]:
    """Return, for each file of the app by its path below ``app/``, why it belongs to it."""
    found: dict[str, str] = {}
    if project.bare:
        return found
    for pattern in project.include:
        for inside, _ in _included(replace(project, include=(pattern,))):
            found[inside] = f"include: {pattern}"
    if not project.package:
        found.update({inside: "it is in the program's folder" for inside, _ in _walk(project)})
    return {_below(project.under, inside): why for inside, why in found.items()}


def bootstrap() -> bytes:
    """Return the source of the bootstrap: its parts in one file, since each file more costs time at every start."""
    return b"\n\n".join((_BOOT / name).read_bytes() for name in ("finder.py", "fast.py", "boot.py"))


def own_sources() -> dict[str, bytes]:
    """Return the sources of what runs in front of a program, and of what runs when it fails."""
    return {"boot": bootstrap(), "failure": (_BOOT / "failure.py").read_bytes()}


def boot_digest() -> str:
    """Return a hash over the bootstrap's own sources."""
    return hashlib.sha256(b"".join(own_sources().values()) + (_BOOT / "zip_main.py").read_bytes()).hexdigest()


def _syntax_errors(failed: list[bytecode.Compiled]) -> StepError:
    told = "\n".join("\n".join(f"  {line}" for line in each.error.splitlines()) for each in failed)
    count = "a file" if len(failed) == 1 else f"{len(failed)} files"
    return StepError(f"{count} of the app cannot be compiled:\n{told}", do="mend the source, or exclude it")


def _walk(project: Project) -> Iterator[tuple[str, Path]]:
    root = project.root
    if project.only:
        yield from ((name, root / name) for name in project.only)
        return
    outputs = {Path(os.path.realpath(path)) for path in project.outputs}
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        top = here == root
        folders[:] = sorted(
            name
            for name in folders
            if not _skipped_folder(here / name, top=top) and not _is_output(here / name, outputs)
        )
        for name in folders:
            _refuse_loop(here / name)
        for name in sorted(names):
            path = here / name
            inside = path.relative_to(root).as_posix()
            skipped = _skipped_file(name, top=top and not project.under) or _excluded(inside, project.exclude)
            if not skipped and not _is_output(path, outputs):
                yield inside, _checked(path)


def _included(project: Project) -> Iterator[tuple[str, Path]]:
    """Yield the files that ``include`` names: what goes with a lone script, or would be left out of a folder."""
    for pattern in project.include:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InputError(f"include {pattern!r} leaves the program's folder", do="write it relative to that folder")
        for path in sorted(project.root.glob(pattern)):
            if path.is_file():
                yield path.relative_to(project.root).as_posix(), _checked(path)


def _same(path: Path) -> tuple[int, int]:
    """Return what is equal for two names of one file: links of either kind are seen through."""
    info = path.stat()
    return info.st_dev, info.st_ino


def _is_output(path: Path, outputs: set[Path]) -> bool:
    return bool(outputs) and Path(os.path.realpath(path)) in outputs


def _refuse_loop(folder: Path) -> None:
    """Links to folders are followed; one that leads to a folder above itself has no end."""
    if folder.is_symlink() and folder.absolute().is_relative_to(os.path.realpath(folder)):
        raise InputError(f"the link {folder} leads to a folder that it stands in", do="remove it, or exclude it")


def _checked(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
        path.name.encode()
    except (OSError, UnicodeEncodeError) as error:
        raise InputError(f"{path!a} of the app cannot be read: {error}", do="remove it, or exclude it") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} of the app is not a file", do="remove it, or exclude it")
    return path


def _skipped_folder(path: Path, *, top: bool) -> bool:
    name = path.name
    if name.startswith(".") or any(fnmatch.fnmatch(name, pattern) for pattern in _SKIPPED_FOLDERS):
        return True
    if top and name in _OUTPUTS and not (path / "__init__.py").exists():
        return True
    return (path / "pyvenv.cfg").exists()


def _skipped_file(name: str, *, top: bool) -> bool:
    patterns = (*_SKIPPED_FILES, *(_SKIPPED_AT_TOP if top else ()))
    return name.startswith(".") or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _excluded(inside: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(inside, each) or inside.startswith(f"{each.rstrip('/')}/") for each in patterns)


def _below(under: str, inside: str) -> str:
    return f"{under}/{inside}" if under else inside
