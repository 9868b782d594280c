"""Check a lock that another tool made: against the target, the Python version and the program's requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pypack.deps import markers
from pypack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.requirements import Requirement

    from pypack.base.targets import Target
    from pypack.deps.inputs import Dependencies
    from pypack.project.program import Project
    from pypack.runtimes.base import Runtime

_READ = "docs/dependencies.md"


def check(table: Mapping[str, Any], dependencies: Dependencies, *, target: Target, python: str) -> None:
    """Raise :class:`InputError` for a lock that does not cover the target, or is older than the program's manifest."""
    faults = [*_target_faults(table, dependencies, target, python)]
    renew = "uv lock" if dependencies.kind == "uv-lock" else "pypack lock"
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{dependencies.file} does not serve {target.name}, Python {python}:\n{details}",
            hint=f"make the lock again for it ({renew}), or build for what it covers",
            docs=_READ,
        )
    faults = [*_manifest_faults(table, dependencies, target, python)]
    if faults and dependencies.manifest:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{dependencies.file} is older than {dependencies.manifest.file.name}:\n{details}",
            hint=f"run {renew}",
            docs=_READ,
        )


def check_python(project: Project, target: Target, runtime: Runtime) -> None:
    """Raise :class:`InputError` for a runtime outside of the requires-python of the program or of inline metadata."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    inline = project.dependencies.manifest if project.dependencies else None
    for manifest in filter(None, (project.manifest, inline)):
        specifier = manifest.requires_python
        try:
            fits = SpecifierSet(specifier).contains(runtime.version, prereleases=True)
        except InvalidSpecifier as error:
            raise InputError(
                f"requires-python in {manifest.file} is {specifier!r}", hint="mend the file", docs=_READ
            ) from error
        if not fits:
            raise InputError(
                f"{manifest.file} asks for Python {specifier}, and {target.name} gets CPython {runtime.version}"
                f" from {runtime.provider}",
                hint="ask for another one with --python (python = …), or change requires-python",
                docs=_READ,
            )


def _target_faults(table: Mapping[str, Any], dependencies: Dependencies, target: Target, python: str) -> Iterator[str]:
    from packaging.specifiers import SpecifierSet

    specifier = str(table.get("requires-python", ""))
    if specifier and not SpecifierSet(specifier).contains(python, prereleases=True):
        yield f"it is for Python {specifier}"
    environments = table.get("environments", [])
    if environments and not any(markers.applies(marker, target, python) for marker in environments):
        yield f"it is for {' or '.join(environments)}"
    for key, chosen in (("extras", dependencies.extras), ("dependency-groups", dependencies.groups)):
        if key in table:
            missing = [
                name
                for name in chosen
                if canonicalize_name(name) not in {canonicalize_name(included) for included in table[key]}
            ]
            yield from (f"it was made without the {key[:-1].replace('-', ' ')} {name}" for name in missing)
    for package in markers.narrowed(table, target, python).get("packages", []):
        specifier_of_package = str(package.get("requires-python", ""))
        if specifier_of_package and not SpecifierSet(specifier_of_package).contains(python, prereleases=True):
            yield f"{package.get('name')} {package.get('version', '')} needs Python {specifier_of_package}"


def _manifest_faults(
    table: Mapping[str, Any], dependencies: Dependencies, target: Target, python: str
) -> Iterator[str]:
    """Yield the requirements of the program's own manifest that the lock does not meet, one clause each."""
    from packaging.requirements import Requirement

    locked: dict[str, list[str]] = {}
    narrowed = markers.narrowed(
        table, target, python, extras=dependencies.extras, groups=dependencies.groups
    )  # fmt: skip
    for package in narrowed["packages"]:
        locked.setdefault(canonicalize_name(str(package.get("name", ""))), []).append(str(package.get("version", "")))
    for line in dependencies.requirements:
        requirement = Requirement(line)
        if not requirement.marker or _marker_holds(requirement, dependencies, target, python):
            yield from _version_faults(requirement, locked.get(canonicalize_name(requirement.name)))


def _version_faults(requirement: Requirement, versions: list[str] | None) -> Iterator[str]:
    if versions is None:
        yield f"{requirement.name} is not in it"
    elif not any(not version or requirement.specifier.contains(version, prereleases=True) for version in versions):
        yield f"it has {requirement.name} {', '.join(versions)}, and {requirement} is asked for"


def _marker_holds(requirement: Requirement, dependencies: Dependencies, target: Target, python: str) -> bool:
    assert requirement.marker is not None
    environment = markers.environment(target, python)
    return any(requirement.marker.evaluate({**environment, "extra": extra}) for extra in ("", *dependencies.extras))
