"""Console scripts: the text of the program that an installer writes for a command."""

from __future__ import annotations


def console_script(point: str) -> bytes:
    """Return the script of an entry point, ``module:attribute``, without a first line that names an interpreter.

    Children that multiprocessing spawns run it once more, under another ``__name__``.
    """
    module, _, attribute = point.partition(":")
    first = attribute.partition(".")[0]
    lines = f"import sys\n\nfrom {module} import {first}\n\nif __name__ == '__main__':\n    sys.exit({attribute}())\n"
    return lines.encode()
