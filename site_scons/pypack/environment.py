"""The type of a SCons environment with pypack's builders; environment.pyi has the builders (``nox -s update_docs``).

    env: pypack.Environment = Environment(tools=[pypack.generate])

lets editors and type checkers complete ``env.PyBundle(…)``. SCons adds methods while it runs and has no types itself.
"""

from __future__ import annotations

from typing import Any, Protocol


class Environment(Protocol):
    """An environment of SCons after ``tools=[pypack.generate]``."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - SCons' own methods have no types
        """Return what SCons has by this name."""
