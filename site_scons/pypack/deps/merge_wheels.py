"""Merge the images of a program's wheels: refuse conflicting files, and native code for another target."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from typing import TYPE_CHECKING, Any

from pypack.base.notes import Note
from pypack.bundle import joined
from pypack.deps import contents
from pypack.deps.wheels import SITE
from pypack.errors import StepError, did_you_mean
from pypack.formats import paths, selection
from pypack.formats.binaries import loading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pypack.base.targets import Target
    from pypack.steps.step import Context

_APART = "drop one of the two (exclude_packages), or ask the authors to keep to their own folders"
_READ = "docs/dependencies.md"
_CUSTOM = tuple(f"{SITE}/{name}{end}" for name in ("sitecustomize", "usercustomize") for end in (".py", "/__init__.py"))


def run_facts(context: Context) -> None:
    """Step: facts of all packages together.

    Inputs: the facts of the runtime, then the contents of the wheels.

    The product is what :func:`pypack.bundle.facts.run_facts` gives for one image, and: ``dropped``, for each wheel the
    paths that an earlier one has too; ``folders`` to add, empty; ``paths``, the folders below site-packages that
    .pth files put onto sys.path; ``modules``, the first names of all that can be imported; ``site``, whether a .pth
    file runs code or there is a sitecustomize; ``data``, whether there are files for ``sys.prefix`` itself;
    ``commands``. Params: ``suffixes`` of extension modules, ``exclude`` (patterns that must mean one of ``names``, the
    packages of the lock). Unhashed: ``target``.
    """
    target: Target = context.unhashed["target"]
    parts = [contents.read(path) for path in context.inputs[1:]]
    for pattern in selection.unmatched(context.params["exclude"], context.params["names"]):
        near = did_you_mean(pattern.partition(":")[0], context.params["names"])
        text = f"exclude_packages names {pattern}, and the lock has no such package{near}"
        context.say(Note("exclude-packages", text))
    dropped, kinds = merged(parts, container=target.container)
    added, runs = _read_pth(context, parts, kinds, windows=target.container == "pe")
    natives = _check_natives(context, parts, [SITE, *added])
    facts = {
        **_sum_contents(parts, dropped),
        **_floor(natives),
        "natives": natives,
        "dropped": dropped,
        "commands": [pair for part in parts for pair in part["commands"]],
        "folders": [] if any(path.startswith(f"{SITE}/") for path in kinds) else [SITE],
        "paths": added,
        "modules": sorted({*_modules(kinds, [SITE, *added])}),
        "site": runs or any(path.startswith(_CUSTOM) for path in kinds),
        "data": any(path.startswith("data/") for path in kinds),
    }
    context.product.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")


def _modules(kinds: Iterable[str], folders: Sequence[str]) -> Iterator[str]:
    """Yield the names of the modules, packages and namespaces in the folders of sys.path."""
    for path in kinds:
        for folder in folders:
            first, slash, _ = path.removeprefix(f"{folder}/").partition("/")
            if path.startswith(f"{folder}/") and not first.endswith(".dist-info"):
                yield first if slash else first.split(".", 1)[0]


def _check_natives(context: Context, parts: Sequence[dict[str, Any]], places: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of all native code, with ``module``; refuse what an import would fail to load.

    Files for other systems and processors that no import loads are data; a note names them.
    """
    endings, target = context.params["suffixes"], context.unhashed["target"]
    natives = [
        {**row, "module": loading.is_module(row, endings, places), "wheel": part["name"], "any": part["any"]}
        for part in parts
        for row in part["natives"]
    ]
    runtime = json.loads(context.inputs[0].read_text(encoding="utf-8"))["natives"]
    if wrong := loading.faults(natives, runtime):
        details = "".join(f"\n  {path}: {reason}" for path, reason in wrong)
        raise StepError(
            f"packages bring code that {target.name} cannot load:{details}",
            hint="ask for other versions of them",
            docs=_READ,
        )
    counts = Counter(row["wheel"] for row in natives if row["foreign"])
    if counts:
        details = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
        context.say(Note("foreign-files", f"programs and libraries for other systems go in as data: {details}"))
    return [row for row in natives if not row["foreign"]]


def _floor(natives: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the floor of all packages, and the file that needs it.

    A wheel for one system was chosen by its tag: all in it counts. Of one for any system what an import loads does: it
    carries programs and plugins for systems that it does without where they cannot be loaded.
    """
    loaded = loading.loaded(natives)
    counted = [row for row in natives if not row["any"] or row["path"] in loaded]
    return dict(zip(("floor", "floor_needed_by"), loading.floor(counted), strict=True))


def run_layer(context: Context) -> None:
    """Step: the layer of all packages, joined from frames that are packed already.

    Inputs: the joined facts, then the layers of the wheels, without an end. Params: ``profile``.
    """
    facts = json.loads(context.inputs[0].read_text(encoding="utf-8"))
    joined.join(
        context.inputs[1:],
        context.product,
        dropped=facts["dropped"],
        folders=facts["folders"],
        profile=context.params["profile"],
        jobs=context.settings.jobs,
    )


def merged(parts: Sequence[dict[str, Any]], *, container: str = "elf") -> tuple[list[list[str]], dict[str, str]]:
    """Return the paths dropped from each part (an earlier one has the same file), and the kind of each path kept.

    ``parts`` are contents (:func:`pypack.deps.contents.run_contents`). The same file twice must have one content.
    For Windows and macOS (``container`` pe, macho) names, of folders too, must differ in more than case.
    """
    owners: dict[str, tuple[str, list[Any]]] = {}
    spelt: dict[str, tuple[str, str]] = {}
    dropped: list[list[str]] = []
    for part in parts:
        twice = []
        for path, *facts in part["files"]:
            if container != "elf":
                _check_case(path, part["wheel"], spelt)
            owner, first = owners.setdefault(path, (part["wheel"], facts))
            if first != facts:
                raise StepError(
                    f"{owner} and {part['wheel']} both bring {path}, with other contents", hint=_APART, docs=_READ
                )
            if owner != part["wheel"]:
                twice.append(path)
        dropped.append(twice)
    _check_folders(owners)
    return dropped, {path: facts[0] for path, (_, facts) in owners.items()}


def _check_folders(owners: dict[str, tuple[str, list[Any]]]) -> None:
    """Raise :class:`StepError` for a file or link whose path is a folder in another wheel."""
    folders = {parent: path for path in owners for parent in paths.parents(path)}
    for folder, path in folders.items():
        if folder in owners and owners[folder][1][0] != "dir":
            owner, other = owners[folder][0], owners[path][0]
            kind = owners[folder][1][0]
            raise StepError(
                f"{owner} brings the {kind} {folder}, and {other} brings {path} below it", hint=_APART, docs=_READ
            )


def _check_case(path: str, owner: str, spelt: dict[str, tuple[str, str]]) -> None:
    """Refuse a path that is, but for case, another one or its folder; ``spelt`` is what came before, by folded name."""
    for name in (path, *paths.parents(path)):
        spelling, other = spelt.setdefault(name.casefold(), (name, owner))
        if spelling != name:
            owners = f"{other} and {owner} bring" if other != owner else f"{owner} brings"
            raise StepError(
                f"{owners} {spelling} and {name}, which are one name on Windows and macOS", hint=_APART, docs=_READ
            )


def _sum_contents(parts: Sequence[dict[str, Any]], dropped: Sequence[Sequence[str]]) -> dict[str, Any]:
    sizes = [
        sum(size for path, _, size, _ in part["files"] if path not in set(twice)) if twice else part["bytes"]
        for part, twice in zip(parts, dropped, strict=True)
    ]
    return {
        "members": sum(part["members"] - len(twice) for part, twice in zip(parts, dropped, strict=True)),
        "bytes": sum(sizes),
        "sizes": {},
        "distributions": sorted({distribution for part in parts for distribution in part["distributions"]}),
    }


def _read_pth(
    context: Context, parts: Sequence[dict[str, Any]], kinds: dict[str, str], *, windows: bool
) -> tuple[list[str], bool]:
    """Return the folders that .pth files name, in the order of CPython's site, and whether a line of them runs code.

    A path that no package has is ignored, as site does with one that does not exist.
    """
    lines = [line for name, lines in sorted(_files(parts).items()) for line in lines]
    members = {*kinds, *(parent for path in kinds for parent in paths.parents(path))}
    added: list[str] = []
    for line in lines:
        if not line.strip() or line.startswith(("#", "import ", "import\t")):
            continue
        entry = line.rstrip().replace("\\", "/") if windows else line.rstrip()
        path = posixpath.normpath(posixpath.join(SITE, entry))
        if path not in members or "\t" in path:
            context.say(Note("pth-path", f"a .pth file names {entry}, which no package brings"))
        elif path != SITE and path not in added:
            added.append(path)
    return added, any(line.startswith(("import ", "import\t")) for line in lines)


def _files(parts: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {name: lines for part in parts for name, lines in part["pth"].items()}
