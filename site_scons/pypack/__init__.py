"""pypack: ship a Python program as one file that needs no Python.

This package is the command ``pypack``, and a tool for SCons at the same time::

    import pypack

    env: pypack.Environment = Environment(tools=[pypack.generate])
    env.PyBundle("greet", app="examples/greet", target="linux-musl-x86_64")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypack.base.version import __version__

if TYPE_CHECKING:
    from SCons.Environment import Base

    from pypack.environment import Environment

__all__ = ["Environment", "__version__", "exists", "generate"]


def exists(env: Base) -> bool:
    """Say that the tool can be used (SCons asks)."""
    del env
    return True


def generate(env: Base, **settings: Any) -> None:  # noqa: ANN401 - SCons hands through what the caller gives
    """Add the builders to an SCons environment (SCons calls this for each tool)."""
    from pypack.scons import tool

    tool.install(env, **settings)


def __getattr__(name: str) -> object:
    if name == "Environment":  # for annotations; SCons loads the tool in every build
        from pypack.environment import Environment

        return Environment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
