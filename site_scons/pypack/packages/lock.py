"""Resolve requirements into a lock with hashes (PEP 751, made by uv), and read such a lock."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pypack import fetch
from pypack.errors import FetchError, InputError, StepError
from pypack.packages import tags
from pypack.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pypack.pipeline import Context
    from pypack.targets import Target

_NESTED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]+(.+?)\s*(?:#.*)?$")
_READ = "docs/dependencies.md"
_STAMP = "# made from: "
_USER_INFO = re.compile(
    r"(?<=[\w+])://[^/@\s\"']+@"
)  # names and passwords stay out of locks, which are cached and shared


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel that a lock names, chosen for a target."""

    distribution: str
    version: str
    pin: Pin


def requirement_files(path: Path) -> list[Path]:
    """Return a requirements file and every file that it includes by ``-r`` or ``-c``, each once."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", do="name a requirements file")
    if not path.is_file():
        raise InputError(f"requirements file {path} does not exist", do="check the path after -r / requirements=")
    found: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        if not file.is_file():
            raise InputError(f"requirements file {file} does not exist", do=f"it is included by {found[-1]}")
        found.append(file)
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(Path(os.path.normpath(file.parent / nested[1].strip("\"'"))))
    return found


def stamp(settings: Mapping[str, Any], files: Iterable[Path]) -> str:
    """Return a hash over all that a lock is made from; it stands in the lock, so that an outdated one is known."""
    whole = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in files:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def index_fingerprint(folder: Path) -> str:
    """Return a hash over the settings that tell uv where packages come from; the settings stay secret.

    They are ``UV_*`` variables, ``uv.toml`` files, and ``[tool.uv]`` of the ``pyproject.toml`` files above ``folder``.
    """
    relevant = sorted((key, value) for key, value in os.environ.items() if key.startswith(("UV_INDEX", "UV_DEFAULT_",
        "UV_FIND_LINKS", "UV_EXTRA_INDEX", "UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_RESOLUTION", "UV_CONSTRAINT",
        "UV_OVERRIDE", "UV_CONFIG_FILE")))  # fmt: skip
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
    """Step: ``uv pip compile`` of a requirements file for one target and version.

    A lock that was made while the graph was made (``planned``) is taken as it is. Inputs: the requirements file and
    those that it includes. Params: ``platform`` (uv's name), ``environment`` (variables for uv), ``python`` (full
    version), ``target``, ``stamp``.
    """
    planned: Path = context.params["planned"].value
    if planned != context.product and is_current(planned, context.params["stamp"]):
        shutil.copyfile(planned, context.product)
        return
    import uv

    requirements = context.inputs[0].absolute()
    command = [
        uv.find_uv_bin(), "pip", "compile", requirements.name, "--quiet", "--no-progress", "--color", "never",
        "--format", "pylock.toml", "--no-header", "--no-annotate", "--only-binary", ":all:",
        "--python-platform", context.params["platform"], "--python-version", context.params["python"],
    ]  # fmt: skip
    if context.settings.offline:
        command.append("--offline")
    context.note(" ".join(command))
    done = subprocess.run(
        command, cwd=requirements.parent, env={**os.environ, **context.params["environment"]},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise _explained(done.stderr, requirements, context)
    text = f"{_STAMP}{context.params['stamp']}\n{_USER_INFO.sub('://', done.stdout)}"
    context.product.write_text(text, encoding="utf-8", newline="\n")


def _explained(told: str, requirements: Path, context: Context) -> StepError:
    reason = "\n".join(f"  {line}" for line in told.strip().splitlines())
    target, python = context.params["target"], context.params["python"]
    do = "change the requirement, the Python version or the target"
    if context.settings.offline:
        do = "build once without --offline, so that the packages are in uv's cache"
    elif "no wheels with a matching" in told or "no wheels" in told:
        do = "a package has no wheel for this target: ask for another version of it, or another target"
    return StepError(f"{requirements} cannot be resolved for {target}, Python {python}:\n{reason}", do=do, see=_READ)


def read(path: Path, *, stamp: str = "") -> dict[str, Any]:
    """Return a lock as a table, refusing a version that is not known, and one that was not made from ``stamp``."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a lock: {error}", do="make it again", see=_READ) from error
    if str(table.get("lock-version", "")).split(".")[0] != "1":
        raise InputError(f"{path} has lock-version {table.get('lock-version')!r}; only 1.x is known", see=_READ)
    if stamp and not text.startswith(f"{_STAMP}{stamp}\n"):
        raise InputError(f"{path} is outdated", do="build again", see=_READ)
    return table


def is_current(path: Path, stamp: str) -> bool:
    """Say whether a lock is there and was made from ``stamp``."""
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline().rstrip("\n") == f"{_STAMP}{stamp}"
    except (OSError, UnicodeDecodeError):
        return False


def check_offline(wheels: Iterable[Wheel]) -> None:
    """Name all wheels at once that are not in the download cache."""
    missing = [wheel.pin.file for wheel in wheels if fetch.cached(wheel.pin) is None and "://" in wheel.pin.urls[0]]
    if missing:
        told = "".join(f"\n  {file}" for file in missing)
        raise FetchError(f"the build is offline, and these wheels are not in the download cache:{told}",
                         do="build once without --offline", see=_READ)  # fmt: skip


def choose_wheels(
    lock: Mapping[str, Any], target: Target, minor: str, *, static: bool, base: Path | None = None
) -> list[Wheel]:
    """Return the best wheel of each package in the lock; name every package that has none, with what exists.

    Plain paths in the lock count from ``base``.
    """
    accepted = tags.supported(target, minor, pure=static)
    chosen, faults = [], []
    for package in lock.get("packages", []):
        offers = {_file_name(row): row for row in _wheel_rows(package)}
        name = tags.best(offers, accepted)
        if name is None:
            faults.append(_refusal(package, list(offers), static=static))
        else:
            chosen.append(_wheel(package, name, offers[name], base or Path.cwd()))
    if faults:
        raise _no_wheel(faults, target, static=static)
    return chosen


def needs_native(lock: Mapping[str, Any], target: Target, minor: str) -> bool:
    """Say whether a package of the lock comes as native code only, so that a static Python cannot load it."""
    accepted = tags.supported(target, minor, pure=True)
    offers = ([_file_name(row) for row in _wheel_rows(package)] for package in lock.get("packages", []))
    return any(names and tags.best(names, accepted) is None for names in offers)


def _no_wheel(faults: list[str], target: Target, *, static: bool) -> StepError:
    told = "\n".join(f"  {fault}" for fault in faults)
    if not static:
        return StepError(f"no wheel fits {target.name}:\n{told}", do="ask for another version or target", see=_READ)
    gnu = target.name.replace("-musl-", "-gnu-")
    return StepError(
        f"the static Python of {target.name} loads no native code, and these packages have no pure wheel:\n{told}",
        do=f"build for {gnu}, or do without them",
        see=_READ,
    )


def _wheel_rows(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = list(package.get("wheels", []))
    if "archive" in package and _file_name(package["archive"]).endswith(".whl"):
        rows.append(package["archive"])
    return rows


def _file_name(row: Mapping[str, Any]) -> str:
    if row.get("name"):
        return str(row["name"])
    place = str(row.get("url") or row.get("path") or "")
    return unquote(urlsplit(place).path if "://" in place else place).replace("\\", "/").rsplit("/", 1)[-1]


def _refusal(package: Mapping[str, Any], names: list[str], *, static: bool) -> str:
    label = f"{package.get('name', '?')} {package.get('version', '')}".strip()
    if not names:
        return f"{label}: there is no wheel of it"
    return (
        f"{label}: {'native wheels only' if static else 'wheels exist for'} ({', '.join(tags.platform_words(names))})"
    )


def _wheel(package: Mapping[str, Any], name: str, row: Mapping[str, Any], base: Path) -> Wheel:
    pin = Pin(
        file=name,
        urls=(str(row.get("url") or base / row["path"]),),
        sha256=str(row.get("hashes", {}).get("sha256", "")),
        size=int(row.get("size", 0)),
        version=str(package.get("version", "")),
    )
    if not pin.sha256:
        raise StepError(f"the lock has no sha256 for {name}", do="make the lock again with hashes", see=_READ)
    return Wheel(distribution=str(package["name"]), version=pin.version, pin=pin)
