"""Which of the files in a program's folder says what packages it needs; the first in a documented order counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pypack.errors import InputError, near
from pypack.packages import manifests
from pypack.packages.manifests import Manifest, normal

if TYPE_CHECKING:
    from pathlib import Path

_READ = "docs/dependencies.md"

Kind = Literal["pylock", "uv-lock", "pyproject", "requirements", "backend", "setup", "script", "wheels", "venv"]


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """Where a program's packages are named.

    ``file`` is what was found or given: relative paths in it count from its folder (``base``). ``extras`` and
    ``groups`` are what was chosen of a pyproject.toml, a setup.py or a lock. ``manifest`` is what the program itself
    asks for, as far as it can be read without a build: a lock is held against it. ``wheels`` are wheels that were
    given as files; those and what they need come in besides. ``origin`` is what would count without a pylock.toml
    that was found: a lock of our making is held against it. ``lock`` is where that stands, or would stand.
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
    def asked(self) -> tuple[str, ...]:
        """The requirements that the program itself states, as far as they can be read."""
        return self.manifest.chosen(self.extras, self.groups) if self.manifest else ()

    @property
    def described(self) -> str:
        """What the build says of it: the file, and what was chosen of it."""
        chosen = [f"extra {name}" for name in self.extras] + [f"group {name}" for name in self.groups]
        name = ", ".join(wheel.name for wheel in self.wheels) if self.kind == "wheels" else self.file.name
        return f"{name} ({', '.join(chosen)})" if chosen else name


def kind_of(path: Path) -> Kind:
    """Return what a file that was named is, by its name; what is none of the others is a requirements file."""
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
    """Return the input that counts, and what the person who builds should know of it.

    ``named`` is a file that was given; ``manifest`` what pyproject.toml (or setup.py) of the folder says; ``script``
    the entry point where it is a script; ``alone``: the script stands by itself, what lies beside it is not of its
    making. ``renew``: the lock is to be made anew, so that it is no input.
    """
    if venv and (named or wheels or extras or groups):
        raise InputError("venv is all that there is: no requirements, wheels, extras or groups besides", see=_READ)
    if venv:
        return Dependencies(kind="venv", file=_folder(venv)), (f"packages are those that {venv.name} has installed",)
    found = _given(named, manifest) if named else _automatic(folder, manifest, script, alone=alone)
    if found is None and wheels:
        found = Dependencies(kind="wheels", file=folder)
    if found is None and not alone and not renew and (folder / "pylock.toml").is_file():
        found = Dependencies(kind="pylock", file=folder / "pylock.toml", manifest=manifest)
    if found is None:
        if extras or groups:
            raise InputError("extras and groups are of a pyproject.toml, and there is none", see=_READ)
        return None, ()
    _check_chosen(found, extras, groups)
    place = _lock_place(folder, found, (script or next(iter(wheels), None)) if alone else None)
    found = replace(found, extras=extras, groups=groups, wheels=wheels, lock=place)
    if not renew:
        found = _by_lock(found, place, named=named)
    left = "" if named else _passed_over(folder, found, manifest)
    return found, (f"packages are named by {found.described}{left}",)


def _given(path: Path, manifest: Manifest | None) -> Dependencies:
    if path.is_dir():
        raise InputError(f"{path} is a folder", do="name a requirements file, a lock or a pyproject.toml", see=_READ)
    if not path.is_file():
        raise InputError(f"requirements file {path} does not exist", do="check the path after -r / requirements=")
    kind = kind_of(path)
    if kind == "script":
        return Dependencies(kind=kind, file=path, manifest=_inline(path))
    if kind == "pyproject":
        own = manifest if manifest and manifest.file == path else manifests.pyproject(path)
        return Dependencies(kind=_by_backend(own), file=path, manifest=own)
    if kind == "setup":
        return Dependencies(kind=kind, file=path, manifest=manifest or manifests.setup(path.parent))
    beside = manifest if manifest and manifest.file.parent == path.parent else None
    return Dependencies(kind=kind, file=path, manifest=beside if kind in {"pylock", "uv-lock"} else None)


def _inline(path: Path) -> Manifest:
    found = manifests.script(path)
    if found is None:
        raise InputError(f"{path} has no inline metadata that names packages", do="add a block # /// script", see=_READ)
    return found


def _by_backend(manifest: Manifest) -> Kind:
    """A pyproject.toml that leaves its dependencies to a build backend is resolved by way of that."""
    return "backend" if "dependencies" in manifest.dynamic else "pyproject"


def _lock_place(folder: Path, dependencies: Dependencies, alone: Path | None) -> Path:
    """Return where the lock of a program stands.

    A script or wheel that is ``alone`` has its own, and so has a script with inline metadata.
    """
    file = dependencies.file if dependencies.kind == "script" else alone
    if file is None:
        return folder / "pylock.toml"
    stem = file.stem.split("-", maxsplit=1)[0] if file.suffix == ".whl" else file.stem
    return file.with_name(f"pylock.{stem.replace('.', '-')}.toml")


def _by_lock(found: Dependencies, place: Path, *, named: Path | None) -> Dependencies:
    """Return the lock at ``place`` where it counts, with what it is held against: else ``found``.

    Where a file was named, only a lock counts that was made from that very file.
    """
    from pypack.packages import locked

    place = found.file if found.kind == "pylock" else place
    if not place.is_file():
        return found
    made = locked.read(place)
    if found.kind == "pylock":
        return replace(found, origin=_source(found, place.parent / made.asked.file)) if made and named else found
    if named and (made is None or made.asked.file != locked.asked(found, place.parent).file):
        return found
    if made is None and found.kind == "uv-lock":
        raise InputError(
            f"there are two locks: {place} and {found.file.name}",
            do=f'name the one that counts (requirements = "{found.file.name}"), or remove the other',
            see=_READ,
        )
    origin = _source(found, place.parent / made.asked.file) if made and found.kind == "uv-lock" else found
    wheels = () if made else found.wheels  # a lock of our making names them
    return replace(found, kind="pylock", file=place, wheels=wheels, origin=origin)


def _source(found: Dependencies, file: Path) -> Dependencies:
    """Return the input that a lock says it was made from; a lock that was named by itself needs none."""
    if not file.is_file():
        return found
    return replace(_given(file, found.manifest), extras=found.extras, groups=found.groups)


def _automatic(folder: Path, manifest: Manifest | None, script: Path | None, *, alone: bool) -> Dependencies | None:
    inline = manifests.script(script) if script and script.is_file() else None
    if inline and script:
        return Dependencies(kind="script", file=script, manifest=inline)
    return None if alone else _in_folder(folder, manifest)


def _in_folder(folder: Path, manifest: Manifest | None) -> Dependencies | None:
    """Return what names packages in a folder, a pylock.toml aside."""
    if (folder / "uv.lock").is_file():
        return Dependencies(kind="uv-lock", file=folder / "uv.lock", manifest=manifest)
    if manifest and manifest.file.name == "pyproject.toml" and manifest.states_dependencies:
        return Dependencies(kind=_by_backend(manifest), file=manifest.file, manifest=manifest)
    if (folder / "requirements.txt").is_file():
        return Dependencies(kind="requirements", file=folder / "requirements.txt")
    if manifest and manifest.file.name != "pyproject.toml" and manifest.states_dependencies:
        return Dependencies(kind="setup", file=manifest.file, manifest=manifest)
    return None


def _passed_over(folder: Path, found: Dependencies, manifest: Manifest | None) -> str:
    """Say which other files name packages too and are not read; a lock is made from its manifest."""
    names = ("pylock.toml", "uv.lock", "requirements.txt")
    read = {found.file, found.origin.file} if found.origin else {found.file}
    others = [name for name in names if (folder / name).is_file() and folder / name not in read]
    if found.kind in {"script", "requirements"} and manifest and manifest.dependencies:
        others.append(manifest.file.name)
    return f"; {', '.join(others)} beside it is not read" if others else ""


def _check_chosen(found: Dependencies, extras: tuple[str, ...], groups: tuple[str, ...]) -> None:
    if not extras and not groups:
        return
    manifest = found.manifest
    if manifest is None or found.kind == "script":
        raise InputError(f"{found.file} has no extras and no groups", do="leave them out", see=_READ)
    known = {"extra": (extras, manifest.extras), "group": (groups, manifest.groups)}
    faults = [
        f"{manifest.file} has no {kind} {name!r}{near(name, have)}"
        for kind, (chosen, have) in known.items()
        for name in chosen
        if normal(name) not in have
    ]
    if faults:
        raise InputError("\n".join(faults), do="check the names", see=_READ)


def _folder(venv: Path) -> Path:
    if not (venv / "pyvenv.cfg").is_file():
        raise InputError(f"{venv} is no virtual environment: it has no pyvenv.cfg", do="name its folder", see=_READ)
    return venv
