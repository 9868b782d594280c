"""The manifest ``pypack.json``: what is in a bundle and what it was made of. Nothing of time or place is in it."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.bundle.trailer import LayerEntry

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
        import pypack

        return pypack.__version__ if name == "scons-pypack" else ""


def floor(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lowest glibc or macOS that all layers together need, e.g. ``2.17``, or ``""``."""
    found = [each["floor"] for each in facts.values() if each["floor"]]
    return max(found, key=lambda text: [int(part) for part in text.split(".")], default="")


def system_libraries(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the shared libraries that no layer brings, so that they must be on the target.

    A manylinux wheel may expect a few from the system (PEP 600), libstdc++ first of all.
    """
    brought = {name for each in facts.values() for name in each["brings"]}
    return sorted({name for each in facts.values() for name in each["needs"]} - brought)


def build(params: Mapping[str, Any], rows: list[LayerEntry], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest as JSON values. The app layer's own hash is in the trailer: it covers this file."""
    lowest = floor(facts)
    needed_by = next((each["floor_needed_by"] for each in facts.values() if lowest and each["floor"] == lowest), "")
    system = {"elf": "glibc", "macho": "macos"}.get(params["container"])
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
        "system_libraries": system_libraries(facts),
        "layers": {row.kind: {"sha256": row.sha256.hex(), "size": row.size, "unpacked": row.unpacked} for row in rows},
        "distributions": facts.get("deps", {}).get("distributions", []),
        "tools": params["tools"],
    }
