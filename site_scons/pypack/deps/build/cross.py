"""Cross builds: the target's headers, and the sysconfig variables of its Python."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pprint import pformat
from typing import TYPE_CHECKING, Any

from pypack.base import hosts
from pypack.deps.build.backend import OTHER, READ
from pypack.errors import StepError
from pypack.formats import patch
from pypack.formats.image import read_image, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from pypack.base.targets import Target

_DOCS = "docs/dependencies.md"

MODULE = "_sysconfigdata_pypack"
"""Name of the module of variables, which stands beside the build interpreter's own."""


def unsupported_reason(target: Target) -> str:
    """Return why native code cannot be compiled from source for a target, in one clause, or ``""``."""
    if target.system == hosts.system() == "linux":
        return ""
    return (
        "packages are compiled on Linux for Linux only, since their build scripts take the system that they run on for"
        f" the one that they build for; for {target.name}, built on {hosts.system()}, it takes a wheel"
    )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about the target's Python for build scripts. ``variables`` are sysconfig's, with zig as the compiler."""

    machine: str
    platform: str
    variables: dict[str, Any]

    def environment(self) -> dict[str, str]:
        """Return the variables that make the build interpreter speak for the target (CPython's own cross builds)."""
        return {
            "_PYTHON_SYSCONFIGDATA_NAME": MODULE,
            "_PYTHON_HOST_PLATFORM": self.platform,
            "PYPACK_TARGET_MACHINE": self.machine,
            "PYPACK_TARGET_SUFFIX": self.variables["EXT_SUFFIX"],
        }

    def module(self) -> str:
        """Return the source of :data:`MODULE`."""
        return f"build_time_vars = {pformat(self.variables)}\n"


def prepare(runtime: Path, dev: Path, deps: Path, *, arch: str, stdlib: str, include: str) -> Facts:
    """Unpack the headers and libraries of the ``dev`` image to ``deps``, and read the rest from the runtime image.

    ``include`` is where the headers are in both.
    """
    for part in ("include", "lib"):
        (deps / part).mkdir(parents=True)
    unpack(dev, deps, only=lambda member: member.path.startswith(("include/", "lib/lib")) and member.kind == "file")
    if not (deps / include / "Python.h").is_file():
        raise StepError(
            "the target's Python comes without headers, so that nothing can be compiled for it", hint=OTHER, docs=_DOCS
        )
    variables = _variables(runtime, stdlib)
    return Facts(machine=arch, platform=f"linux-{arch}", variables={**variables, **_zig(str(deps / include))})


def _variables(runtime: Path, stdlib: str) -> dict[str, Any]:
    for member, stream in read_image(runtime):
        folder, name = posixpath.split(member.path)
        if stream is not None and folder == stdlib and name.startswith("_sysconfigdata_"):
            return patch.variables(stream.read(), member.path)
    raise StepError(
        "the target's Python has no module _sysconfigdata: nothing can be compiled for it", hint=OTHER, docs=READ
    )


def _zig(include: str) -> dict[str, Any]:
    """Return the sysconfig variables for compiling with zig; they replace those of the compiler that built Python."""
    flags = "-DNDEBUG -O2 -Wall"
    return {
        "CC": "cc", "CXX": "c++", "LDSHARED": "cc -shared", "LDCXXSHARED": "c++ -shared", "BLDSHARED": "cc -shared",
        "LINKCC": "cc", "AR": "ar", "ARFLAGS": "rcs", "RANLIB": "ranlib", "CCSHARED": "-fPIC",
        "CFLAGS": flags, "PY_CFLAGS": flags, "OPT": flags, "BASECFLAGS": "", "CPPFLAGS": "", "LDFLAGS": "",
        "PY_LDFLAGS": "", "CONFIGURE_CFLAGS": "", "CONFIGURE_CPPFLAGS": "", "CONFIGURE_LDFLAGS": "",
        "INCLUDEPY": include, "CONFINCLUDEPY": include,
        # an extension module finds libpython's symbols in the process that loads it
        "Py_ENABLE_SHARED": 0, "ANDROID_API_LEVEL": 0,
    }  # fmt: skip
