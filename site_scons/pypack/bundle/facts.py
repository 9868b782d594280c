"""Facts about an image that the bundle step and the launcher need, gathered once per image."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pypack.bundle import starting
from pypack.errors import StepError
from pypack.formats import binaries
from pypack.formats.binaries import loading
from pypack.formats.image import list_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypack.steps.step import Context

_DOCS = "docs/bundle-format.md"

_NATIVE = re.compile(r"\.(so|dylib|pyd|dll)(\.[0-9.]+)?$", re.IGNORECASE)


def run_facts(context: Context) -> None:
    """Step: image -> JSON with the facts that the manifest and the launcher need.

    These are: ``members``, ``bytes``, ``floor`` (the oldest glibc or macOS that loads all of it) and the member that
    needs it, the ``sizes`` of sentinels, ``natives`` (rows of :func:`pypack.formats.binaries.loading.rows`, with
    ``module``: an import may load it), ``distributions``.

    Params: ``sentinels``, paths that must be there, alternatives separated by ``|`` (an empty one: it may be missing);
    the target's ``container``, ``arch`` and ``libc``.
    """
    facts = gather(binaries.look(context.inputs[0]), context.params)
    context.product.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")


def gather(image: binaries.Survey, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an image; ``params`` as for :func:`run_facts`."""
    members = {member.path: member for member in image.members}
    container = params.get("container", "elf")
    machine = binaries.Machine(container=container, arch=params.get("arch", ""), libc=params.get("libc", ""))
    natives = binaries.rows(image, machine)
    sizes = {path: members[path].size for path in _find_sentinels(params["sentinels"], members)}
    return {
        "members": len(members),
        "bytes": sum(member.size for member in members.values()),
        **dict(zip(("floor", "floor_needed_by"), loading.floor(natives), strict=True)),
        "sizes": sizes,
        "natives": [
            # modules of a runtime are found by their exports: its own Python knows where they are
            {**row, "module": bool(sizes) and (row["init"] or row["path"] in sizes)}
            for row in natives
        ],
        "distributions": _distributions(members),
    }


def of_app(image: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``floor``, ``floor_needed_by`` and ``natives`` of a program's own image, as :func:`gather` has them.

    Few programs have native code of their own; the names of their files show whether one does. Params: ``container``,
    ``arch``, ``libc``, and ``suffixes`` of extension modules.
    """
    if not any(_NATIVE.search(member.path) for member in list_image(image)):
        return {"floor": "", "floor_needed_by": "", "natives": []}
    facts = gather(binaries.look(image), {**params, "sentinels": []})
    natives = [native for native in facts["natives"] if not native["foreign"]]
    modules = [
        {**native, "module": loading.is_module(native, params["suffixes"], [starting.OWN_SITE, "app"])}
        for native in natives
    ]
    return {"floor": facts["floor"], "floor_needed_by": facts["floor_needed_by"], "natives": modules}


def read_facts(path: Path) -> dict[str, Any]:
    """Return what :func:`run_facts` wrote."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def _find_sentinels(sentinels: list[str], members: dict[str, Any]) -> list[str]:
    paths = []
    for alternatives in sentinels:
        path = next(
            (alternative for alternative in alternatives.split("|") if not alternative or alternative in members), None
        )
        if path == "":
            continue
        if path is None:
            raise StepError(
                f"the image has no {alternatives.replace('|', ' or ')}",
                hint="it is not a Python runtime for this target; choose another with runtime=…",
                docs=_DOCS,
            )
        paths.append(path)
    return paths


def _distributions(members: dict[str, Any]) -> list[str]:
    """Return ``name-version`` of each installed distribution; what these have vendored does not count."""
    parts = (path.split("/") for path in members if path.endswith(".dist-info/METADATA"))
    return sorted(folder.removesuffix(".dist-info") for *above, folder, _ in parts if len(above) == 1)
