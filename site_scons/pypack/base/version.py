"""pypack's own version, which pyproject.toml names too, and what versions of CPython are made of."""

__version__ = "0.1.0"


def minor_of(version: str) -> str:
    """Return the minor version of a version of CPython: ``3.13`` for ``3.13.5``."""
    return ".".join(version.split(".")[:2])
