"""The manifest ``pypack.json``: contents and inputs of a bundle, without times and paths of the build."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pypack.base.version import __version__
from pypack.formats.binaries import loading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.bundle.trailer import LayerEntry

_SHOWN = 6
_TOOLS = ("scons-pypack", "ziglang", "uv", "zstandard")


def tool_versions() -> dict[str, str]:
    """Return the exact versions of the tools whose output is in a bundle."""
    return {name: version(name) for name in _TOOLS}


@functools.cache
def version(name: str) -> str:
    """Return the installed version of a distribution; pypack's own is known without being installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return __version__ if name == "scons-pypack" else ""


def floor(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lowest glibc or macOS that all layers together need, e.g. ``2.17``, or ``""``."""
    floors = [layer_facts["floor"] for layer_facts in facts.values() if layer_facts["floor"]]
    return max(floors, key=lambda text: [int(part) for part in text.split(".")], default="")


def system_libraries(facts: Mapping[str, Mapping[str, Any]]) -> loading.Expected:
    """Return the shared libraries that no layer contains, so that they must be on the target.

    A manylinux wheel may expect a few from the system (PEP 600), libstdc++ first of all.
    """
    return loading.expected([row for layer_facts in facts.values() for row in layer_facts["natives"]])


def expectations(described: Mapping[str, Any]) -> list[str]:
    """Return lines for messages: the libraries that imports expect on the target, and those of optional parts."""
    lines = []
    for key, intro in (("system_libraries", "it expects"), ("optional_libraries", "optional parts expect")):
        names = described[key]
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        lines += [f"{intro} {', '.join(names[:_SHOWN])}{rest}"] if names else []
    return lines


def build(
    params: Mapping[str, Any], entries: list[LayerEntry], facts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the manifest as JSON values. The app layer's own hash is in the trailer: it covers this file."""
    lowest = floor(facts)
    needed_by = next(
        (layer_facts["floor_needed_by"] for layer_facts in facts.values() if lowest and layer_facts["floor"] == lowest),
        "",
    )
    system = {"elf": "glibc", "macho": "macos"}.get(params["container"])
    libraries = system_libraries(facts)
    return {
        "format": 2,
        "name": params["name"],
        "version": params["version"],
        "target": params["target"],
        "mode": params["mode"],
        "startup": params["startup"],
        "launch": params["launch"],
        "entry": params["entry"],
        "pure": not facts.get("deps", {}).get("distributions"),
        "sources": params["sources"],
        "optimize": params.get("optimize", 0),
        "python": params["runtime"],
        "compiler": params["compiler"],
        "pins": params["pins"],
        **({system: {"floor": lowest, "needed_by": needed_by}} if system else {}),
        "system_libraries": list(libraries.needed),
        "optional_libraries": list(libraries.optional),
        "layers": {
            entry.kind: {"sha256": entry.sha256.hex(), "size": entry.size, "unpacked": entry.unpacked}
            for entry in entries
        },
        "distributions": facts.get("deps", {}).get("distributions", []),
        "tools": params["tools"],
    }
