"""A module in C, built by another tool than setuptools."""

from by_cmake._core import answer

__all__ = ["answer"]
