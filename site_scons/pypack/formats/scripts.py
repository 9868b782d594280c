"""Console scripts: the text of the program that an installer writes for a command."""

from __future__ import annotations


def console_script(point: str) -> bytes:
    """Return the script of an entry point, ``module:attribute``, without a first line that names an interpreter.

    Children that multiprocessing spawns run it once more, under another ``__name__``. As with installers' scripts, a
    program for Windows sees itself without the suffix of its file.
    """
    module, _, attribute = point.partition(":")
    first = attribute.partition(".")[0]
    return _SCRIPT.format(module=module, first=first, attribute=attribute).encode()


_SCRIPT = """import sys

from {module} import {first}

if __name__ == '__main__':
    if sys.argv[0].endswith('.exe'):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attribute}())
"""
