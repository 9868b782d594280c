"""``python.json``: objects and libraries of each built-in extension module, and the paths of the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base.version import minor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.runtimes.cpython.source_build import SourceBuild

_RULE = re.compile(r"^([A-Z0-9_]+)\s*[:?]?=\s*(.*)$")
_REFERENCE = re.compile(r"\$[({]([A-Za-z0-9_]+)[)}]")
_PRIVATE = ("Modules/_decimal/libmpdec/libmpdec.a", "Modules/expat/libexpat.a")
_SETUPS = ("Modules/Setup.bootstrap", "Modules/Setup.stdlib", "Modules/Setup.local")


def text(build: SourceBuild) -> bytes:
    """Return the JSON text that describes a finished build."""
    makefile = variables((build.tree / "Makefile").read_text(encoding="utf-8"))
    described_modules: dict[str, Any] = {}
    for name in _SETUPS:
        described_modules |= modules((build.tree / name).read_text(encoding="utf-8"), makefile)
    params = build.params
    minor = minor_of(params["version"])
    content = {
        "version": params["version"],
        "target": params["target"],
        "zig": params["zig"],
        "zig_target": params["zig_target"],
        "kind": params["kind"],
        "libpython": f"lib/libpython{minor}{'.so.1.0' if params['kind'] == 'shared' else '.a'}",
        "libraries": _libraries("$(LIBS) $(SYSLIBS)", makefile),
        "modules": described_modules,
        "extensions": {
            path.name.split(".")[0]: f"lib/python{minor}/lib-dynload/{path.name}" for path in extensions(build.tree)
        },
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def private_archives(tree: Path) -> list[Path]:
    """Return the archives that CPython's build makes for single modules and that linking libpython needs too."""
    hacl = sorted(tree.glob("Modules/_hacl/*.a"))
    return [path for path in (*(tree / name for name in _PRIVATE), *hacl) if path.is_file()]


def extensions(tree: Path) -> list[Path]:
    """Return the extension modules that were linked as shared libraries."""
    return sorted((tree / "Modules").glob("*.cpython-*.so"))


def variables(makefile: str) -> dict[str, str]:
    """Return the variables of a Makefile, unexpanded."""
    values = {}
    for line in makefile.replace("\\\n", " ").splitlines():
        if match := _RULE.match(line):
            values[match[1]] = match[2].strip()
    return values


def modules(setup: str, makefile: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """Return the static modules of a ``Setup`` file with their objects (members of libpython) and linker flags.

    The format is described in CPython's ``Modules/Setup``.
    """
    described = {}
    static = True
    for line in setup.replace("\\\n", " ").splitlines():
        fields = line.split("#", 1)[0].split()
        if not fields or "=" in fields[0]:
            continue
        if fields[0].startswith("*"):
            static = fields[0] == "*static*"
        elif static:
            name = fields[0]
            objects = [Path(word).with_suffix(".o").name for word in fields[1:] if word.endswith((".c", ".m", ".S"))]
            own_libraries = _libraries(" ".join(fields[1:]), makefile)
            libraries = own_libraries or _libraries(f"$(MODULE_{name.upper()}_LDFLAGS)", makefile)
            described[name] = {"objects": objects, "libraries": libraries}
    return described


def _libraries(text: str, makefile: Mapping[str, str]) -> list[str]:
    """Return the libraries in a line: ``-lNAME``, and archives of the build by their name below ``lib/``."""
    for _ in range(5):  # references to references
        text = _REFERENCE.sub(lambda match: makefile.get(match[1], ""), text)
    return [
        f"lib/{word.rsplit('/', 1)[-1]}" if word.endswith(".a") else word
        for word in text.split()
        if word.startswith("-l") or word.endswith(".a")
    ]
