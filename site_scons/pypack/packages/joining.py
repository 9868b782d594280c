"""Join what the wheels of a program install: nothing may be there twice, and all of it must be for the target."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any

from pypack.bundle import joined
from pypack.errors import StepError
from pypack.images import paths
from pypack.packages import contents, lock, selection
from pypack.packages.wheels import SITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pypack.pipeline import Context
    from pypack.targets import Target

_APART = "drop one of the two (exclude_packages), or ask the authors to keep to their own folders"
_READ = "docs/dependencies.md"


def run_facts(context: Context) -> None:
    """Step: facts of all packages together. Inputs: the lock; extra: the contents of the wheels that it names.

    The product is what :func:`pypack.bundle.facts.run_facts` gives for one image, and: ``dropped``, for each wheel the
    paths that an earlier one brings too; ``folders`` to add, empty; ``paths``, the folders below site-packages that
    .pth files put onto sys.path; ``site``, whether a .pth file runs code; ``commands``. Params: ``target``, ``exclude``
    (patterns that must mean something).
    """
    target: Target = context.params["target"].value
    parts = [contents.read(path) for path in context.extra]
    if excluded := context.params.get("exclude"):
        named = [str(each.get("name", "")) for each in lock.read(context.inputs[0]).get("packages", [])]
        for pattern in selection.unmatched(excluded, named):
            context.say(f"  note: exclude_packages names {pattern}, and the lock has no such package")
    wrong = "".join(f"\n  {path}: {why}" for part in parts for path, why in part["mismatches"])
    if wrong:
        raise StepError(
            f"packages bring code that {target.name} cannot load:{wrong}",
            do="ask for other versions of them",
            see=_READ,
        )
    dropped, kinds = merged(parts, container=target.container)
    added, runs = _pth(context, parts, kinds, windows=target.container == "pe")
    found = {
        **_summed(parts, dropped),
        "dropped": dropped,
        "commands": [pair for part in parts for pair in part["commands"]],
        "folders": [] if any(path.startswith(f"{SITE}/") for path in kinds) else [SITE],
        "paths": added,
        "site": runs,
    }
    context.product.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")


def run_layer(context: Context) -> None:
    """Step: the layer of all packages, joined from frames that are packed already.

    Inputs: the lock, the joined facts; extra: the layers of the wheels, without an end. Params: ``profile``.
    """
    facts = json.loads(context.inputs[1].read_text(encoding="utf-8"))
    joined.join(
        context.extra,
        context.product,
        dropped=facts["dropped"],
        folders=facts["folders"],
        profile=context.params["profile"],
        jobs=context.settings.jobs,
    )


def merged(parts: Sequence[dict[str, Any]], *, container: str = "elf") -> tuple[list[list[str]], dict[str, str]]:
    """Return what is dropped of each part, since an earlier one brings the same, and the kind of each path that stays.

    ``parts`` are contents (:func:`pypack.packages.contents.run_contents`). The same file twice must have one content.
    For Windows and macOS (``container`` pe, macho) names, of folders too, must differ in more than case.
    """
    owners: dict[str, tuple[str, list[Any]]] = {}
    spelt: dict[str, tuple[str, str]] = {}
    dropped: list[list[str]] = []
    for part in parts:
        twice = []
        for path, *what in part["files"]:
            if container != "elf":
                _check_case(path, part["wheel"], spelt)
            owner, known = owners.setdefault(path, (part["wheel"], what))
            if known != what:
                raise StepError(
                    f"{owner} and {part['wheel']} both bring {path}, with other contents", do=_APART, see=_READ
                )
            if owner != part["wheel"]:
                twice.append(path)
        dropped.append(twice)
    _check_folders(owners)
    return dropped, {path: what[0] for path, (_, what) in owners.items()}


def _check_folders(owners: dict[str, tuple[str, list[Any]]]) -> None:
    """Refuse a file or link in the place of another's folder."""
    folders = {parent: path for path in owners for parent in paths.parents(path)}
    for folder, path in folders.items():
        if folder in owners and owners[folder][1][0] != "dir":
            owner, other = owners[folder][0], owners[path][0]
            kind = owners[folder][1][0]
            raise StepError(
                f"{owner} brings the {kind} {folder}, and {other} brings {path} below it", do=_APART, see=_READ
            )


def _check_case(path: str, owner: str, spelt: dict[str, tuple[str, str]]) -> None:
    """Refuse a path that is, but for case, another one or its folder; ``spelt`` is what came before, by folded name."""
    for name in (path, *paths.parents(path)):
        known, other = spelt.setdefault(name.casefold(), (name, owner))
        if known != name:
            owners = f"{other} and {owner} bring" if other != owner else f"{owner} brings"
            raise StepError(
                f"{owners} {known} and {name}, which are one name on Windows and macOS", do=_APART, see=_READ
            )


def _summed(parts: Sequence[dict[str, Any]], dropped: Sequence[Sequence[str]]) -> dict[str, Any]:
    lowest = max((part for part in parts if part["floor"]), key=_floor, default={"floor": "", "floor_needed_by": ""})
    sizes = [
        sum(size for path, _, size, _ in part["files"] if path not in set(twice)) if twice else part["bytes"]
        for part, twice in zip(parts, dropped, strict=True)
    ]
    return {
        "members": sum(part["members"] - len(twice) for part, twice in zip(parts, dropped, strict=True)),
        "bytes": sum(sizes),
        "floor": lowest["floor"],
        "floor_needed_by": lowest["floor_needed_by"],
        "sizes": {},
        **{key: _union(parts, key) for key in ("needs", "brings", "distributions")},
    }


def _floor(part: dict[str, Any]) -> list[int]:
    return [int(number) for number in part["floor"].split(".")]


def _union(parts: Iterable[dict[str, Any]], key: str) -> list[str]:
    return sorted({each for part in parts for each in part[key]})


def _pth(
    context: Context, parts: Sequence[dict[str, Any]], kinds: dict[str, str], *, windows: bool
) -> tuple[list[str], bool]:
    """Return the folders that .pth files name, in the order of CPython's site, and whether a line of them runs code.

    A path that no package brings is passed over, as site does with one that does not exist.
    """
    lines = [line for name, lines in sorted(_files(parts).items()) for line in lines]
    there = {*kinds, *(parent for path in kinds for parent in paths.parents(path))}
    added: list[str] = []
    for line in lines:
        if not line.strip() or line.startswith(("#", "import ", "import\t")):
            continue
        place = line.rstrip().replace("\\", "/") if windows else line.rstrip()
        path = posixpath.normpath(posixpath.join(SITE, place))
        if path not in there or "\t" in path:
            context.say(f"  note: a .pth file names {place}, which no package brings")
        elif path != SITE and path not in added:
            added.append(path)
    return added, any(line.startswith(("import ", "import\t")) for line in lines)


def _files(parts: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {name: lines for part in parts for name, lines in part["pth"].items()}
