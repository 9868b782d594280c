"""The fixtures are shared, see tests/support/fixtures.py."""

from tests.support.fixtures import cache, hello, program

__all__ = ["cache", "hello", "program"]
