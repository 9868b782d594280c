"""Facts about an image that the bundle step and the launcher need, gathered once per image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pypack import binaries
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypack.pipeline import Context


def run_facts(context: Context) -> None:
    """Step: image -> JSON with what the bundle says and checks of it.

    That is: ``members``, ``bytes``, ``floor`` (the oldest glibc or macOS that loads all of it) and the member that
    needs it, the ``sizes`` of sentinels, the shared libraries that it ``needs`` and ``brings``, ``distributions``.

    Params: ``sentinels``, paths that must be there, alternatives separated by ``|`` (an empty one: it may be missing);
    the target's ``container``, ``arch`` and ``libc``.
    """
    facts = gather(binaries.look(context.inputs[0]), context.params)
    context.product.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")


def gather(image: binaries.Survey, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an image; ``params`` as for :func:`run_facts`."""
    members = {member.path: member for member in image.members}
    container = params.get("container", "elf")
    floor = _floor(image, container, params)
    shared = binaries.libraries(image, container)
    return {
        "members": len(members),
        "bytes": sum(member.size for member in members.values()),
        "floor": ".".join(map(str, floor.version)) if floor else "",
        "floor_needed_by": floor.path if floor else "",
        "sizes": {path: members[path].size for path in _present(params["sentinels"], members)},
        "needs": shared.needs,
        "brings": [name for name in shared.brings if not _is_module(name)],
        "distributions": _distributions(members),
    }


def _is_module(name: str) -> bool:
    """Say whether a shared library is an extension module, that no other library asks for by name."""
    return not name.endswith(".dll") and (".cpython-" in name or ".abi3." in name)


def _floor(image: binaries.Survey, container: str, params: Mapping[str, Any]) -> binaries.Floor | None:
    """Return what the system must have. For musl it is no glibc, though wheels' libgcc for it names versions of one."""
    if container == "elf":
        return None if params.get("libc") == "musl" else binaries.glibc_floor([image])
    return binaries.macos_floor([image], params.get("arch", "")) if container == "macho" else None


def read_facts(path: Path) -> dict[str, Any]:
    """Return what :func:`run_facts` wrote."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def _present(sentinels: list[str], members: dict[str, Any]) -> list[str]:
    found = []
    for alternatives in sentinels:
        path = next((each for each in alternatives.split("|") if not each or each in members), None)
        if path == "":
            continue
        if path is None:
            raise StepError(
                f"the image has no {alternatives.replace('|', ' or ')}",
                do="it is not a Python runtime for this target; choose another with runtime=…",
            )
        found.append(path)
    return found


def _distributions(members: dict[str, Any]) -> list[str]:
    """Return ``name-version`` of each installed distribution; what these have vendored does not count."""
    parts = (path.split("/") for path in members if path.endswith(".dist-info/METADATA"))
    return sorted(folder.removesuffix(".dist-info") for *above, folder, _ in parts if len(above) == 1)
