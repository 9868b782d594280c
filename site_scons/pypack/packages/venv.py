"""The packages of a virtual environment as they are installed, read by their metadata."""

from __future__ import annotations

import configparser
import csv
import io
import json
import posixpath
import re
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import bytecode, digests
from pypack.errors import InputError
from pypack.images.image import ImageBuilder
from pypack.packages import manifests, tags
from pypack.packages.manifests import normal
from pypack.packages.wheels import SITE, console_script, record, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message

    from pypack.pipeline import Context
    from pypack.targets import Target

_READ = "docs/dependencies.md"
_ANY_FLOOR = {"manylinux": "2.99", "musllinux": "1.99", "macosx": "26.0"}
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SEEDS = {"pip", "setuptools", "wheel"}
"""What an environment comes with: left out unless another distribution asks for it."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A distribution that is installed.

    ``info`` is its ``.dist-info`` folder's name; ``files`` maps the path in the image to the file on the disk;
    ``needs`` are the names that its metadata asks for; ``tags`` the wheel tags that it was installed from.
    """

    name: str
    version: str
    info: str
    files: dict[str, Path]
    needs: frozenset[str]
    tags: tuple[str, ...]
    editable: bool
    commands: dict[str, str]

    def digest(self, memory: Path) -> str:
        """Return a hash over what is installed. ``memory``: see :func:`pypack.digests.contents`."""
        return digests.whole(digests.contents(self.files.items(), memory))


def version(venv: Path) -> str:
    """Return the version of Python that a virtual environment is for, e.g. ``3.13.5``, as its pyvenv.cfg says."""
    text = "[top]\n" + (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    settings = configparser.RawConfigParser(strict=False)
    settings.read_string(text)
    found = settings["top"].get("version_info") or settings["top"].get("version") or ""
    parts = found.split(".")[:3]
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise InputError(f"{venv / 'pyvenv.cfg'} does not say which Python it is for", do="make it anew", see=_READ)
    return ".".join(parts)


def installed(venv: Path, *, own: str = "") -> list[Installed]:
    """Return the distributions of an environment, sorted by name; all that cannot be bundled is told in one error.

    ``own`` is the name of the program itself, which is bundled from its folder and not from here.
    """
    faults: list[str] = []
    found = [each for info in _infos(venv) if (each := _read(info, faults)) and normal(each.name) != normal(own)]
    faults += [
        f"{each.name} {each.version} is installed editable, so its files are elsewhere"
        for each in found
        if each.editable
    ]
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{venv} cannot be bundled:\n{told}", do="install these again, as wheels", see=_READ)
    asked = frozenset[str]().union(*(each.needs for each in found if normal(each.name) not in _SEEDS))
    kept = (each for each in found if normal(each.name) not in _SEEDS or normal(each.name) in asked)
    return sorted(kept, key=lambda each: normal(each.name))


def check(venv: Path, found: Iterable[Installed], target: Target, minor: str, *, static: bool) -> None:
    """Refuse an environment of another minor version of Python, and distributions that ``target`` cannot load."""
    theirs = ".".join(version(venv).split(".")[:2])
    if theirs != minor:
        raise InputError(
            f"{venv} is for Python {theirs}, the bundle for {target.name} gets Python {minor}",
            do=f"ask for python={theirs}, or make the environment with Python {minor}",
            see=_READ,
        )
    # what is installed was taken for the system at hand: how new a system it needs is computed of the files themselves
    target = replace(target, floor=_ANY_FLOOR.get(target.wheels, target.floor))
    accepted = {str(tag) for tag in tags.supported(target, minor, pure=static)}
    wrong = [
        f"{each.name} {each.version} is installed for {', '.join(each.tags)}"
        for each in found
        if each.tags and not accepted & set(each.tags)
    ]
    if wrong:
        told = "\n".join(f"  {fault}" for fault in wrong)
        raise InputError(
            f"{venv} holds what {target.name} cannot load:\n{told}",
            do="name the packages in a pyproject.toml or requirements.txt: their wheels are then chosen by target",
            see=_READ,
        )


def run_installed(context: Context) -> None:
    """Step: one installed distribution -> image of it, with bytecode; as :func:`wheels.run_wheel` makes it of a wheel.

    Input: the kit, where something can compile. Params: ``installed``, and those of :func:`bytecode.run_compile`.
    """
    each: Installed = context.params["installed"].value
    with ImageBuilder("installed", folder=context.product.parent) as builder:
        for inside, path in each.files.items():
            builder.add_file(inside, path)
        for name, point in each.commands.items():
            if f"bin/{name}.py" not in builder:
                builder.add(f"bin/{name}.py", console_script(*point.split(":")))
        rows = [posixpath.relpath(path, SITE) for path in builder.paths()]
        builder.add(f"{SITE}/{each.info}/RECORD", record([*rows, f"{each.info}/RECORD"]))
        select(builder, context.params)
        if context.inputs:
            bytecode.compile_image(context, builder, context.inputs[0], below=f"{SITE}/")
        builder.write(context.product)


def _infos(venv: Path) -> Iterator[Path]:
    folders = [*venv.glob("lib/python3*/site-packages"), *venv.glob("Lib/site-packages")]
    if not folders:
        raise InputError(f"{venv} has no site-packages", do="name a virtual environment", see=_READ)
    for folder in {folder.resolve(): folder for folder in folders}.values():
        yield from sorted(folder.glob("*.dist-info"))


def _read(info: Path, faults: list[str]) -> Installed | None:
    """Read one ``.dist-info``; what is wrong with it is added to ``faults``."""
    missing = [name for name in ("METADATA", "RECORD") if not (info / name).is_file()]
    if missing:
        faults.append(f"{info.name} is broken: it has no {' and no '.join(missing)}")
        return None
    facts = _headers(info / "METADATA")
    if not facts.get("Name") or not facts.get("Version"):
        faults.append(f"{info.name} is broken: its METADATA has no Name and Version")
        return None
    files, lost = _files(info)
    if lost:
        faults.append(f"{info.name} is broken: {lost[0]} and {len(lost) - 1} more of its files are missing")
    needs = (
        normal(line.split(";")[0].split("[")[0].split()[0].rstrip("<>=!~(,")) for line in _all(facts, "Requires-Dist")
    )
    return Installed(
        name=facts["Name"],
        version=facts["Version"],
        info=info.name,
        files=files,
        needs=frozenset(normal(name[0]) for name in needs if name),
        tags=tuple(_all(_headers(info / "WHEEL"), "Tag")) if (info / "WHEEL").is_file() else (),
        editable=_editable(info),
        commands=_commands(info),
    )


def _files(info: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the files that a RECORD names by their place in the image, and those that are missing."""
    site, found, lost = info.parent, dict[str, Path](), list[str]()
    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        rows = [row[0].replace("\\", "/") for row in csv.reader(stream) if row]
    for row in sorted(rows):
        inside = _inside(row)
        if not inside or row in {f"{info.name}/{name}" for name in ("RECORD", "direct_url.json", "INSTALLER")}:
            continue
        if (site / row).is_file():
            found[inside] = site / row
        elif not inside.endswith(".pyc"):
            lost.append(row)
    return found, lost


def _inside(row: str) -> str:
    """Return where a file of a RECORD stands in the image, below site-packages or as data; ``""``: it is made anew."""
    if row.endswith(".pyc") or row.startswith("/"):
        return ""
    if not row.startswith("../"):
        return f"{SITE}/{posixpath.normpath(row)}"
    outside = row.lstrip("./")
    return "" if outside.startswith(("bin/", "Scripts/", "include/")) else f"data/{outside}"


def _headers(path: Path) -> Message:
    return HeaderParser().parse(io.StringIO(path.read_text(encoding="utf-8", errors="replace")))


def _all(facts: Message, key: str) -> list[str]:
    return [str(value) for value in facts.get_all(key, [])]


def _editable(info: Path) -> bool:
    try:
        told = json.loads((info / "direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(told.get("dir_info", {}).get("editable"))


def _commands(info: Path) -> dict[str, str]:
    file = info / "entry_points.txt"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return manifests.commands(text, "console_scripts")
