"""Find the file of a program's folder that names its packages; the first in a documented order counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from pypack.deps import manifests
from pypack.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.deps.manifests import Manifest

_READ = "docs/dependencies.md"

Kind = Literal["pylock", "uv-lock", "pyproject", "requirements", "backend", "setup", "script", "wheels", "venv"]


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """The file that names a program's packages, with the extras, groups and wheels that were chosen.

    ``file`` was found or given: relative paths in it are relative to its folder (``base``). ``extras`` and ``groups``
    are those chosen of a pyproject.toml, a setup.py or a lock. ``manifest`` holds the program's own requirements, as
    far as they can be read without a build: a lock is compared with it. ``wheels`` are wheels given as files; they and
    their requirements are added. ``origin`` is the input that would count without the pylock.toml that was found: a
    lock of pypack's is compared with it. ``lock`` is the path of such a lock, which may not exist.
    """

    kind: Kind
    file: Path
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    manifest: Manifest | None = None
    wheels: tuple[Path, ...] = ()
    origin: Dependencies | None = None
    lock: Path | None = None

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
    return "script" if name.endswith((".py", ".pyw")) else "requirements"


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
    renew: bool = False,
) -> tuple[Dependencies | None, tuple[str, ...]]:
    """Return the input that counts (None: no packages), and the lines to show about it.

    ``named`` is a file that was given; ``manifest`` that of the folder's pyproject.toml (or setup.py); ``script`` the
    entry point where it is a script; ``alone``: the files beside the script do not belong to it. ``renew``: the lock
    is to be made again, so that it is no input.
    """
    if venv and (named or wheels or extras or groups):
        raise InputError("venv is all that there is: no requirements, wheels, extras or groups besides", docs=_READ)
    if venv:
        return Dependencies(kind="venv", file=_check_venv(venv)), (
            f"packages are those that {venv.name} has installed",
        )
    dependencies = _read_named(named, manifest) if named else _detect(folder, manifest, script, alone=alone)
    if dependencies is None and wheels:
        dependencies = Dependencies(kind="wheels", file=folder)
    if dependencies is None and not alone and not renew and (folder / "pylock.toml").is_file():
        dependencies = Dependencies(kind="pylock", file=folder / "pylock.toml", manifest=manifest)
    if dependencies is None:
        if extras or groups:
            raise InputError("extras and groups are of a pyproject.toml, and there is none", docs=_READ)
        return None, ()
    _check_chosen(dependencies, extras, groups)
    lock_file = _lock_path(folder, dependencies, (script or next(iter(wheels), None)) if alone else None)
    dependencies = replace(dependencies, extras=extras, groups=groups, wheels=wheels, lock=lock_file)
    if not renew:
        dependencies = _prefer_lock(dependencies, lock_file, named=named)
    unread = "" if named else _describe_unread(folder, dependencies, manifest)
    return dependencies, (f"packages are named by {dependencies.described}{unread}",)


def _read_named(path: Path, manifest: Manifest | None) -> Dependencies:
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a requirements file, a lock or a pyproject.toml", docs=_READ)
    if not path.is_file():
        raise InputError(f"requirements file {path} does not exist", hint="check the path after -r / requirements=")
    kind = kind_of(path)
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
        return Dependencies(kind="script", file=script, manifest=inline)
    return None if alone else _detect_in_folder(folder, manifest)


def _detect_in_folder(folder: Path, manifest: Manifest | None) -> Dependencies | None:
    """Return the input in a folder, a pylock.toml aside; None where no file names packages."""
    if (folder / "uv.lock").is_file():
        return Dependencies(kind="uv-lock", file=folder / "uv.lock", manifest=manifest)
    if manifest and manifest.file.name == "pyproject.toml" and manifest.states_dependencies:
        return Dependencies(kind=_manifest_kind(manifest), file=manifest.file, manifest=manifest)
    if (folder / "requirements.txt").is_file():
        return Dependencies(kind="requirements", file=folder / "requirements.txt")
    if manifest and manifest.file.name != "pyproject.toml" and manifest.states_dependencies:
        return Dependencies(kind="setup", file=manifest.file, manifest=manifest)
    return None


def _describe_unread(folder: Path, dependencies: Dependencies, manifest: Manifest | None) -> str:
    """Return a clause with the other files that name packages and are not read; ``""`` where there are none."""
    names = ("pylock.toml", "uv.lock", "requirements.txt")
    read = {dependencies.file, dependencies.origin.file} if dependencies.origin else {dependencies.file}
    others = [name for name in names if (folder / name).is_file() and folder / name not in read]
    if dependencies.kind in {"script", "requirements"} and manifest and manifest.dependencies:
        others.append(manifest.file.name)
    return f"; {', '.join(others)} beside it is not read" if others else ""


def _check_chosen(dependencies: Dependencies, extras: tuple[str, ...], groups: tuple[str, ...]) -> None:
    if not extras and not groups:
        return
    manifest = dependencies.manifest
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
