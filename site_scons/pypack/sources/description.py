"""``python.json``: of which objects and libraries each built-in extension module consists, and where the others are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.sources.workshop import Workshop

_RULE = re.compile(r"^([A-Z0-9_]+)\s*[:?]?=\s*(.*)$")
_REFERENCE = re.compile(r"\$[({]([A-Za-z0-9_]+)[)}]")
_PRIVATE = ("Modules/_decimal/libmpdec/libmpdec.a", "Modules/expat/libexpat.a")
_SETUPS = ("Modules/Setup.bootstrap", "Modules/Setup.stdlib", "Modules/Setup.local")


def text(shop: Workshop) -> bytes:
    """Return the description of a build that ``make`` has finished in the workshop's tree."""
    makefile = variables((shop.tree / "Makefile").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for name in _SETUPS:
        found |= modules((shop.tree / name).read_text(encoding="utf-8"), makefile)
    params = shop.params
    minor = ".".join(params["version"].split(".")[:2])
    whole = {
        "version": params["version"],
        "target": params["target"],
        "zig": params["zig"],
        "zig_target": params["zig_target"],
        "kind": params["kind"],
        "libpython": f"lib/libpython{minor}{'.so.1.0' if params['kind'] == 'shared' else '.a'}",
        "libraries": _libraries("$(LIBS) $(SYSLIBS)", makefile),
        "modules": found,
        "extensions": {
            path.name.split(".")[0]: f"lib/python{minor}/lib-dynload/{path.name}" for path in extensions(shop.tree)
        },
    }
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode()


def private_archives(tree: Path) -> list[Path]:
    """Return archives that CPython's build makes for single modules and that a link of libpython needs too."""
    hacl = sorted(tree.glob("Modules/_hacl/*.a"))
    return [path for path in (*(tree / name for name in _PRIVATE), *hacl) if path.is_file()]


def extensions(tree: Path) -> list[Path]:
    """Return the extension modules that were linked as shared libraries."""
    return sorted((tree / "Modules").glob("*.cpython-*.so"))


def variables(makefile: str) -> dict[str, str]:
    """Return the variables of a Makefile, unexpanded."""
    found = {}
    for line in makefile.replace("\\\n", " ").splitlines():
        if match := _RULE.match(line):
            found[match[1]] = match[2].strip()
    return found


def modules(setup: str, makefile: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """Return the static modules of a ``Setup`` file with their objects (members of libpython) and linker flags.

    The format is described in CPython's ``Modules/Setup``.
    """
    found = {}
    static = True
    for line in setup.replace("\\\n", " ").splitlines():
        words = line.split("#", 1)[0].split()
        if not words or "=" in words[0]:
            continue
        if words[0].startswith("*"):
            static = words[0] == "*static*"
        elif static:
            name = words[0]
            objects = [Path(word).with_suffix(".o").name for word in words[1:] if word.endswith((".c", ".m", ".S"))]
            own = _libraries(" ".join(words[1:]), makefile)
            libraries = own or _libraries(f"$(MODULE_{name.upper()}_LDFLAGS)", makefile)
            found[name] = {"objects": objects, "libraries": libraries}
    return found


def _libraries(text: str, makefile: Mapping[str, str]) -> list[str]:
    """Return the libraries in a line: ``-lNAME``, and archives of the build by their name below ``lib/``."""
    for _ in range(5):  # references to references
        text = _REFERENCE.sub(lambda match: makefile.get(match[1], ""), text)
    return [
        f"lib/{word.rsplit('/', 1)[-1]}" if word.endswith(".a") else word
        for word in text.split()
        if word.startswith("-l") or word.endswith(".a")
    ]
