"""From where a program names its packages to a lock with hashes (PEP 751): uv resolves, a lock at hand is taken."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError, PypackError, StepError
from pypack.packages import cover, lock, manifests
from pypack.packages.building import backend, folder, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pypack.packages.inputs import Dependencies
    from pypack.pipeline import Context

_NESTED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]+(.+?)\s*(?:#.*)?$")
_READ = "docs/dependencies.md"
_USER_INFO = re.compile(
    r"(?<=[\w+])://[^/@\s\"']+@"
)  # names and passwords stay out of locks, which are cached and shared
_UV_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_", "UV_FIND_LINKS", "UV_EXTRA_INDEX", "UV_EXCLUDE_NEWER", "UV_PRERELEASE",
    "UV_RESOLUTION", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_CONFIG_FILE", "UV_NO_INDEX",
)  # fmt: skip


def requirement_files(path: Path) -> list[Path]:
    """Return a requirements file and every file that it includes by ``-r`` or ``-c``, each once."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", do="name a requirements file")
    found: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        if not file.is_file():
            raise InputError(
                f"requirements file {file} does not exist",
                do=f"it is included by {found[-1]}" if found else "check the path after -r / requirements=",
            )
        found.append(file)
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(Path(os.path.normpath(file.parent / nested[1].strip("\"'"))))
    return found


def files(dependencies: Dependencies) -> tuple[Path, ...]:
    """Return the files whose whole content decides; of a pyproject.toml or a script only a part does (:func:`part`)."""
    match dependencies.kind:
        case "requirements":
            own = requirement_files(dependencies.file)
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


def index_fingerprint(folder: Path) -> str:
    """Return a hash over the settings that tell uv where packages come from; the settings stay secret.

    They are ``UV_*`` variables, ``uv.toml`` files, and ``[tool.uv]`` of the ``pyproject.toml`` files above ``folder``.
    """
    relevant = sorted((key, value) for key, value in os.environ.items() if key.startswith(_UV_VARIABLES))
    relevant += [("file", text) for text in _uv_settings(folder)]
    return hashlib.sha256(repr(relevant).encode()).hexdigest() if relevant else ""


def _uv_settings(folder: Path) -> Iterator[str]:
    """Yield the settings files that uv reads when it runs in ``folder`` (uv's documentation, "Configuration files")."""
    import platformdirs

    for place in (folder.absolute(), *folder.absolute().parents):
        if (place / "uv.toml").is_file():
            yield (place / "uv.toml").read_text(encoding="utf-8", errors="replace")
        elif (place / "pyproject.toml").is_file():
            with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
                table = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))
                if "uv" in table.get("tool", {}):
                    yield repr(table["tool"]["uv"])
    for place in (platformdirs.user_config_path("uv"), Path("/etc/uv")):
        if (place / "uv.toml").is_file():
            yield (place / "uv.toml").read_text(encoding="utf-8", errors="replace")


def run_resolve(context: Context) -> None:
    """Step: the lock of a program's packages for one target and version.

    A lock that was made while the graph was made (``planned``) is taken as it is. Params: ``dependencies``,
    ``platform`` (uv's name), ``environment`` (variables for uv), ``python`` (full version), ``target``, ``stamp``,
    ``no_binary`` (names to be taken from source), ``build`` (whether others may be).
    """
    planned: Path = context.params["planned"].value
    if planned != context.product and lock.is_current(planned, context.params["stamp"]):
        shutil.copyfile(planned, context.product)
        return
    dependencies: Dependencies = context.params["dependencies"].value
    text = without_secrets(_WAYS[dependencies.kind](context, dependencies))
    if dependencies.kind in {"pylock", "uv-lock"}:
        target, python = context.params["target"], context.params["python"]
        cover.check(tomllib.loads(text), dependencies, target=target.value, python=python)
    text = need.describe(text, dependencies.base, context.settings)
    context.product.write_text(f"{lock.STAMP}{context.params['stamp']}\n{text}", encoding="utf-8", newline="\n")


def without_secrets(text: str) -> str:
    """Return what uv said without names and passwords in addresses."""
    return _USER_INFO.sub("://", text)


def _taken(context: Context, dependencies: Dependencies) -> str:
    del context
    lock.read(dependencies.file)
    return dependencies.file.read_text(encoding="utf-8")


def _listed(context: Context, dependencies: Dependencies) -> str:
    """Write down what is installed in a virtual environment, in the form of a lock."""
    del dependencies
    rows = (info.removesuffix(".dist-info").rpartition("-") for info, _ in json.loads(context.params["part"]))
    told = "".join(f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, _, version in rows)
    return f'lock-version = "1.0"\ncreated-by = "pypack"\n{told}'


def _exported(context: Context, dependencies: Dependencies) -> str:
    """Let uv write its own lock in the standard form; it needs no interpreter and no index for that."""
    words = ["export", "--frozen", "--no-emit-project", "--format", "pylock.toml", "--no-header", "--no-default-groups"]
    return _uv(context, [*words, *_chosen(dependencies)], dependencies, f"{dependencies.file} cannot be read")


def _compiled(context: Context, dependencies: Dependencies) -> str:
    return _resolved(context, dependencies, [_wheel_line(path) for path in dependencies.wheels])


def _by_backend(context: Context, dependencies: Dependencies) -> str:
    """Let the program's build backend make a wheel, whose metadata tells what the program needs."""
    assert dependencies.manifest is not None  # that it has a backend is known from it
    name = dependencies.manifest.name
    with tempfile.TemporaryDirectory(prefix="pypack-") as folder:
        words = ["build", "--wheel", "--out-dir", folder, "--python", sys.executable]
        _uv(context, words, dependencies, f"{dependencies.file} cannot be built by its backend")
        (wheel,) = Path(folder).glob("*.whl")
        extras = f"[{','.join(dependencies.extras)}]" if dependencies.extras else ""
        lines = [_wheel_line(wheel, extras), *(_wheel_line(path) for path in dependencies.wheels)]
        for group in dependencies.groups:
            lines += dependencies.manifest.groups[manifests.normal(group)]
        return _resolved(context, dependencies, lines, "--no-emit-package", name)


def _resolved(context: Context, dependencies: Dependencies, lines: list[str], *more: str) -> str:
    """Resolve what a file and ``lines`` ask for, for one target."""
    kind, python, target = dependencies.kind, context.params["python"], context.params["target"].value
    own = [] if kind in {"setup", "backend", "wheels"} else [dependencies.file.name]
    lines = [*(dependencies.asked if kind == "setup" else ()), *lines]
    words = [
        "pip", "compile", *own, *(["-"] if lines or not own else []), "--format", "pylock.toml", "--no-header",
        "--no-annotate", "--python", sys.executable, "--python-version", python,
        "--python-platform", context.params["platform"], *(_chosen(dependencies) if kind == "pyproject" else ()), *more,
    ]  # fmt: skip
    what = f"{dependencies.file} cannot be resolved for {target.name}, Python {python}"
    return need.prefer_wheels(
        lambda more: _uv(context, [*words, *more], dependencies, what, lines),
        forced=context.params["no_binary"],
        build=context.params["build"],
    )


def _chosen(dependencies: Dependencies) -> list[str]:
    extras = [word for name in dependencies.extras for word in ("--extra", name)]
    return extras + [word for name in dependencies.groups for word in ("--group", name)]


_WAYS: dict[str, Callable[[Context, Dependencies], str]] = {
    "pylock": _taken,
    "uv-lock": _exported,
    "venv": _listed,
    "backend": _by_backend,
    **dict.fromkeys(("requirements", "pyproject", "setup", "script", "wheels"), _compiled),
}


def _uv(context: Context, words: list[str], dependencies: Dependencies, what: str, lines: Iterable[str] = ()) -> str:
    """Run uv in the folder of the input, with ``lines`` on its standard input; ``what`` begins the error."""
    import uv

    # the interpreter that runs the build serves for metadata; uv would fetch another one
    command = [uv.find_uv_bin(), *words, "--quiet", "--no-progress", "--color", "never", "--no-python-downloads"]
    if context.settings.offline:
        command.append("--offline")
    context.note(" ".join(command))
    done = subprocess.run(
        command, cwd=dependencies.base, env={**os.environ, **context.params["environment"]},
        input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
        check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise _explained(done.stderr, what, offline=context.settings.offline)
    return done.stdout


def _wheel_line(path: Path, extras: str = "") -> str:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise InputError(f"{path} is not named as a wheel is: {error}", do="name a wheel", see=_READ) from error
    return f"{name}{extras} @ {path.absolute().as_uri()}"


_REMEDIES = (
    ("no wheels", "a package has no wheel for this target: ask for another version of it, or another target"),
    ("Failed to build", f"its source tells what it needs only while it is built: {backend.OTHER}"),
    ("Hash mismatch", "what the index has is not what the hashes say: find out why before you change them"),
    ("hash", "give each requirement a version and its hashes, or none of them hashes"),
    ("yanked", "ask for a release that was not withdrawn"),
    ("Python", "change the requirement or the Python version (python=…)"),
    ("incompatible", "the requirements contradict each other: loosen one of those that are named"),
    ("unsatisfiable", "the requirements contradict each other: loosen one of those that are named"),
)
"""What in uv's explanation calls for which remedy; the first that is found counts."""


def _explained(told: str, what: str, *, offline: bool) -> PypackError:
    reason = "\n".join(f"  {line}" for line in without_secrets(told).strip().splitlines())
    do = next(
        (do for word, do in _REMEDIES if word in told), "change the requirement, the Python version or the target"
    )
    if offline:
        do = "build once without --offline, so that the packages are in uv's cache"
    return StepError(f"{what}:\n{reason}", do=do, see=_READ)
