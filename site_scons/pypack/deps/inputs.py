"""Find the file of a program's folder that names its packages; the first in a documented order counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from pypack.base.notes import Note
from pypack.deps import foreign, manifests
from pypack.deps.build import folder as local
from pypack.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypack.deps.manifests import Manifest

_READ = "docs/dependencies.md"
_REQUIREMENTS = ("requirements.txt", "requirements.in")

Kind = Literal[
    "pylock", "uv-lock", "pyproject", "requirements", "exported", "backend", "setup", "script", "wheels", "venv"
]


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """The file that names a program's packages, with the extras, groups and wheels that were chosen.

    ``file`` was found or given: relative paths in it are relative to its folder (``base``). ``extras`` and ``groups``
    are those chosen of a pyproject.toml, a setup.py or a lock. ``manifest`` holds the program's own requirements, as
    far as they can be read without a build: a lock is compared with it. ``wheels`` are wheels given as files; they and
    their requirements are added. ``origin`` is the input that would count without the pylock.toml that was found: a
    lock of pypack's is compared with it. ``lock`` is the path of such a lock, which may not exist. ``program`` is the
    folder of the program where it is a distribution: requirements that name this folder add only what it requires.
    ``wheel_extras`` are the extras asked for of each wheel.
    """

    kind: Kind
    file: Path
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    manifest: Manifest | None = None
    wheels: tuple[Path, ...] = ()
    origin: Dependencies | None = None
    lock: Path | None = None
    program: Path | None = None
    wheel_extras: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """The folder from which relative paths count."""
        return self.file if self.file.is_dir() and self.kind != "venv" else self.file.parent

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements that the program itself states, as far as they can be read."""
        return self.manifest.chosen(self.extras, self.groups) if self.manifest else ()

    @property
    def described(self) -> str:
        """The text for messages: the file's name, with the extras and groups that were chosen."""
        chosen = [f"extra {name}" for name in self.extras] + [f"group {name}" for name in self.groups]
        name = ", ".join(wheel.name for wheel in self.wheels) if self.kind == "wheels" else self.file.name
        return f"{name} ({', '.join(chosen)})" if chosen else name


def kind_of(path: Path) -> Kind:
    """Return the kind of a file by its name; any other name is a requirements file."""
    name = path.name
    if name == "uv.lock":
        return "uv-lock"
    if name.endswith(".toml"):
        return "pylock" if name == "pylock.toml" or name.startswith("pylock.") else "pyproject"
    if name in {"setup.py", "setup.cfg"}:
        return "setup"
    if foreign.is_foreign(name):
        return "exported"
    return "script" if name.endswith((".py", ".pyw")) else "requirements"


def locked_script(dependencies: Dependencies) -> Path | None:
    """Return the script of a lock that ``uv lock --script`` made; None for a project's."""
    file = dependencies.file
    return file.with_suffix("") if dependencies.kind == "uv-lock" and file.name != "uv.lock" else None


def find(
    folder: Path,
    *,
    named: Path | None,
    manifest: Manifest | None,
    script: Path | None,
    alone: bool,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    venv: Path | None = None,
    wheels: tuple[Path, ...] = (),
    wheel_extras: Mapping[Path, tuple[str, ...]] | None = None,
    renew: bool = False,
) -> tuple[Dependencies | None, tuple[Note, ...]]:
    """Return the input that counts (None: no packages), and the lines to show about it.

    ``named`` is a file that was given; ``manifest`` that of the folder's pyproject.toml (or setup.py); ``script`` the
    entry point where it is a script; ``alone``: the files beside the script do not belong to it. ``renew``: the lock
    is to be made again, so that it is no input.
    """
    if venv and (named or wheels or extras or groups):
        raise InputError(
            "venv is all that there is: no requirements, wheels, extras or groups besides",
            hint="leave them out, or leave venv out",
            docs=_READ,
        )
    if venv:
        return Dependencies(kind="venv", file=_check_venv(venv)), (
            Note("packages", f"packages are those that {venv.name} has installed"),
        )
    dependencies = _read_named(named, manifest) if named else _detect(folder, manifest, script, alone=alone)
    if dependencies is None and wheels:
        dependencies = Dependencies(kind="wheels", file=folder)
    if dependencies is None and not alone and not renew and (folder / "pylock.toml").is_file():
        dependencies = Dependencies(kind="pylock", file=folder / "pylock.toml", manifest=manifest)
    if dependencies is None:
        if not alone and not (manifest and manifest.name) and (error := foreign.unread(folder)):
            raise error
        if extras or groups:
            raise InputError(
                "extras and groups are of a pyproject.toml, and there is none",
                hint="leave them out, or write a pyproject.toml",
                docs=_READ,
            )
        return None, ()
    offered = manifest if dependencies.kind == "wheels" else dependencies.manifest
    _check_chosen(dependencies, offered, extras, groups)
    lock_file = _lock_path(folder, dependencies, (script or next(iter(wheels), None)) if alone else None)
    dependencies = replace(
        dependencies, extras=extras, groups=groups, wheels=wheels, wheel_extras=wheel_extras or {}, lock=lock_file
    )
    if not renew:
        dependencies = _prefer_lock(dependencies, lock_file, named=named)
    if named:
        return dependencies, (Note("packages", f"packages are named by {dependencies.described}"),)
    unread = _describe_unread(folder, dependencies, manifest)
    warnings = () if alone else _lock_warnings(folder, dependencies)
    return dependencies, (Note("packages", f"packages are named by {dependencies.described}{unread}"), *warnings)


def _read_named(path: Path, manifest: Manifest | None) -> Dependencies:
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a requirements file, a lock or a pyproject.toml", docs=_READ)
    if not path.is_file():
        raise InputError(
            f"requirements file {path} does not exist", hint="check the path after -r / requirements=", docs=_READ
        )
    kind = kind_of(path)
    if kind == "exported" and foreign.exportable(path) is None:
        raise foreign.cannot_read(path)
    if kind == "script":
        return Dependencies(kind=kind, file=path, manifest=_read_inline(path))
    if kind == "pyproject":
        declared = manifest if manifest and manifest.file == path else manifests.pyproject(path)
        return Dependencies(kind=_manifest_kind(declared), file=path, manifest=declared)
    if kind == "setup":
        return Dependencies(kind=kind, file=path, manifest=manifest or manifests.setup(path.parent))
    sibling = manifest if manifest and manifest.file.parent == path.parent else None
    return Dependencies(kind=kind, file=path, manifest=sibling if kind in {"pylock", "uv-lock"} else None)


def _read_inline(path: Path) -> Manifest:
    metadata = manifests.script(path)
    if metadata is None:
        raise InputError(
            f"{path} has no inline metadata that names packages", hint="add a block # /// script", docs=_READ
        )
    return metadata


def _manifest_kind(manifest: Manifest) -> Kind:
    """Return the kind of a pyproject.toml: ``backend`` where its dependencies are dynamic, for its backend to state."""
    return "backend" if "dependencies" in manifest.dynamic else "pyproject"


def _lock_path(folder: Path, dependencies: Dependencies, alone: Path | None) -> Path:
    """Return the path of a program's lock.

    A script or wheel that is ``alone`` has its own lock, and so has a script with inline metadata.
    """
    file = dependencies.file if dependencies.kind == "script" else alone
    if file is None:
        return folder / "pylock.toml"
    stem = file.stem.split("-", maxsplit=1)[0] if file.suffix == ".whl" else file.stem
    return file.with_name(f"pylock.{stem.replace('.', '-')}.toml")


def _prefer_lock(dependencies: Dependencies, lock_file: Path, *, named: Path | None) -> Dependencies:
    """Return the lock at ``lock_file`` where it counts, with its ``origin``; else ``dependencies``.

    Where a file was named, only a lock counts that was made from that very file.
    """
    from pypack.deps import lock_metadata

    lock_file = dependencies.file if dependencies.kind == "pylock" else lock_file
    if not lock_file.is_file():
        return dependencies
    metadata = lock_metadata.read(lock_file)
    if dependencies.kind == "pylock":
        return (
            replace(dependencies, origin=_read_origin(dependencies, lock_file.parent / metadata.request.file))
            if metadata and named
            else dependencies
        )
    if named and (
        metadata is None or metadata.request.file != lock_metadata.current_request(dependencies, lock_file.parent).file
    ):
        return dependencies
    if metadata is None and dependencies.kind == "uv-lock":
        raise InputError(
            f"there are two locks: {lock_file} and {dependencies.file.name}",
            hint=f'name the one that counts (requirements = "{dependencies.file.name}"), or remove the other',
            docs=_READ,
        )
    origin = (
        _read_origin(dependencies, lock_file.parent / metadata.request.file)
        if metadata and dependencies.kind == "uv-lock"
        else dependencies
    )
    wheels = () if metadata else dependencies.wheels  # a lock of our making names them
    return replace(dependencies, kind="pylock", file=lock_file, wheels=wheels, origin=origin)


def _read_origin(dependencies: Dependencies, file: Path) -> Dependencies:
    """Return the input that a lock says it was made from; a lock that was named by itself needs none."""
    if not file.is_file():
        return dependencies
    return replace(_read_named(file, dependencies.manifest), extras=dependencies.extras, groups=dependencies.groups)


def _detect(folder: Path, manifest: Manifest | None, script: Path | None, *, alone: bool) -> Dependencies | None:
    inline = manifests.script(script) if script and script.is_file() else None
    if inline and script:
        locked = script.with_name(f"{script.name}.lock")  # made by uv lock --script
        return Dependencies(
            kind="uv-lock" if locked.is_file() else "script", file=locked if locked.is_file() else script,
            manifest=inline,
        )  # fmt: skip
    return None if alone else _detect_in_folder(folder, manifest)


def _detect_in_folder(folder: Path, manifest: Manifest | None) -> Dependencies | None:
    """Return the input in a folder, a pylock.toml aside; None where no file names packages."""
    if (folder / "uv.lock").is_file():
        return Dependencies(kind="uv-lock", file=folder / "uv.lock", manifest=manifest)
    stated = manifest if manifest and manifest.states_dependencies else None
    requirements = _requirements_file(folder)
    if (stated or requirements is None) and (file := foreign.exportable_in(folder)):
        return Dependencies(kind="exported", file=file, manifest=manifest)
    if stated and stated.file.name != "pyproject.toml" and requirements and _names_program(requirements, folder):
        return Dependencies(kind="requirements", file=requirements)
    if stated:
        kind = _manifest_kind(stated) if stated.file.name == "pyproject.toml" else "setup"
        return Dependencies(kind=kind, file=stated.file, manifest=stated)
    return Dependencies(kind="requirements", file=requirements) if requirements else None


def _names_program(requirements: Path, folder: Path) -> bool:
    """Say whether a requirements file adds to what the program in ``folder`` requires, by a line such as ``-e .``."""
    text = requirements.read_text(encoding="utf-8", errors="replace")
    paths = local.local_paths(text.splitlines(), requirements.parent)
    return any(path.resolve() == folder.resolve() for path in paths)


def _requirements_file(folder: Path) -> Path | None:
    """Return the requirements file of a folder: the usual one, else the only one in its folder ``requirements``."""
    for name in _REQUIREMENTS:
        if (folder / name).is_file():
            return folder / name
    nested = foreign.requirement_folder(folder)
    return nested[0] if len(nested) == 1 else None


def _describe_unread(folder: Path, dependencies: Dependencies, manifest: Manifest | None) -> str:
    """Return a clause with the other files that name packages and are not read; ``""`` where there are none."""
    names = ("pylock.toml", "uv.lock", *_REQUIREMENTS, *(file.name for file in foreign.beside(folder)))
    read = {dependencies.file, dependencies.origin.file} if dependencies.origin else {dependencies.file}
    others = [name for name in names if (folder / name).is_file() and folder / name not in read]
    if dependencies.kind in {"script", "requirements"} and manifest and manifest.dependencies:
        others.append(manifest.file.name)
    return f"; {', '.join(others)} beside it is not read" if others else ""


def _lock_warnings(folder: Path, dependencies: Dependencies) -> tuple[Note, ...]:
    """Return a warning for each lock of another tool that holds other versions than those that are taken."""
    if dependencies.kind in {"pylock", "uv-lock", "exported", "venv"}:
        return ()
    texts = (
        f"{file.name} is not followed: versions are the newest that {dependencies.file.name} allows"
        f" -> {file.remedy}, then build with -r requirements.txt"
        for file in foreign.beside(folder)
        if file.export
    )
    return tuple(Note("lock-not-followed", text) for text in texts)


def _check_chosen(
    dependencies: Dependencies, manifest: Manifest | None, extras: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    if (not extras and not groups) or dependencies.kind == "exported":  # the tool that exports knows its own
        return
    if manifest is None or dependencies.kind == "script":
        raise InputError(f"{dependencies.file} has no extras and no groups", hint="leave them out", docs=_READ)
    offers = {"extra": (extras, manifest.extras), "group": (groups, manifest.groups)}
    faults = [
        f"{manifest.file} has no {kind} {name!r}{did_you_mean(name, offered)}"
        for kind, (chosen, offered) in offers.items()
        for name in chosen
        if canonicalize_name(name) not in offered
    ]
    if faults:
        raise InputError("\n".join(faults), hint="check the names", docs=_READ)


def _check_venv(venv: Path) -> Path:
    if not (venv / "pyvenv.cfg").is_file():
        raise InputError(f"{venv} is no virtual environment: it has no pyvenv.cfg", hint="name its folder", docs=_READ)
    return venv
