"""Whether a lock that was made by others serves: for the target, the Python version, and what the program asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.errors import InputError
from pypack.packages import environment
from pypack.packages.manifests import normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.requirements import Requirement

    from pypack.packages.inputs import Dependencies
    from pypack.project import Project
    from pypack.providers.base import Runtime
    from pypack.targets import Target

_READ = "docs/dependencies.md"


def check(table: Mapping[str, Any], dependencies: Dependencies, *, target: Target, python: str) -> None:
    """Refuse a lock that is not made for ``target`` or ``python``, or that is older than the program's own manifest."""
    faults = [*_foreign(table, dependencies, target, python)]
    renew = "uv lock" if dependencies.kind == "uv-lock" else "pypack lock"
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{dependencies.file} does not serve {target.name}, Python {python}:\n{told}",
            do=f"make the lock again for it ({renew}), or build for what it covers",
            see=_READ,
        )
    faults = [*_unmet(table, dependencies, target, python)]
    if faults and dependencies.manifest:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{dependencies.file} is older than {dependencies.manifest.file.name}:\n{told}",
            do=f"run {renew}",
            see=_READ,
        )


def check_python(project: Project, target: Target, runtime: Runtime) -> None:
    """Refuse a runtime of a version that the program itself, or a script's inline metadata, says it does not run on."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    inner = project.dependencies.manifest if project.dependencies else None
    for manifest in filter(None, (project.manifest, inner)):
        wanted = manifest.requires_python
        try:
            fits = SpecifierSet(wanted).contains(runtime.version, prereleases=True)
        except InvalidSpecifier as error:
            raise InputError(
                f"requires-python in {manifest.file} is {wanted!r}", do="mend the file", see=_READ
            ) from error
        if not fits:
            raise InputError(
                f"{manifest.file} asks for Python {wanted}, and {target.name} gets CPython {runtime.version}"
                f" from {runtime.provider}",
                do="ask for another one with --python (python = …), or change requires-python",
                see=_READ,
            )


def _foreign(table: Mapping[str, Any], dependencies: Dependencies, target: Target, python: str) -> Iterator[str]:
    from packaging.specifiers import SpecifierSet

    wanted = str(table.get("requires-python", ""))
    if wanted and not SpecifierSet(wanted).contains(python, prereleases=True):
        yield f"it is for Python {wanted}"
    places = table.get("environments", [])
    if places and not any(environment.applies(each, target, python) for each in places):
        yield f"it is for {' or '.join(places)}"
    for word, chosen in (("extras", dependencies.extras), ("dependency-groups", dependencies.groups)):
        if word in table:
            missing = [name for name in chosen if normal(name) not in {normal(each) for each in table[word]}]
            yield from (f"it was made without the {word[:-1].replace('-', ' ')} {name}" for name in missing)
    for row in environment.narrowed(table, target, python).get("packages", []):
        needs = str(row.get("requires-python", ""))
        if needs and not SpecifierSet(needs).contains(python, prereleases=True):
            yield f"{row.get('name')} {row.get('version', '')} needs Python {needs}"


def _unmet(table: Mapping[str, Any], dependencies: Dependencies, target: Target, python: str) -> Iterator[str]:
    """Yield what the program's own manifest asks for and the lock does not hold."""
    from packaging.requirements import Requirement

    there: dict[str, list[str]] = {}
    narrowed = environment.narrowed(
        table, target, python, extras=dependencies.extras, groups=dependencies.groups
    )  # fmt: skip
    for row in narrowed["packages"]:
        there.setdefault(normal(str(row.get("name", ""))), []).append(str(row.get("version", "")))
    for line in dependencies.asked:
        asked = Requirement(line)
        if not asked.marker or _holds(asked, dependencies, target, python):
            yield from _missing(asked, there.get(normal(asked.name)))


def _missing(asked: Requirement, versions: list[str] | None) -> Iterator[str]:
    if versions is None:
        yield f"{asked.name} is not in it"
    elif not any(not each or asked.specifier.contains(each, prereleases=True) for each in versions):
        yield f"it has {asked.name} {', '.join(versions)}, and {asked} is asked for"


def _holds(asked: Requirement, dependencies: Dependencies, target: Target, python: str) -> bool:
    assert asked.marker is not None
    known = environment.of(target, python)
    return any(asked.marker.evaluate({**known, "extra": extra}) for extra in ("", *dependencies.extras))
