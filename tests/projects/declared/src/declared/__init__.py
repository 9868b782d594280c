"""Three commands, one of which asks for an extra, and a template that is no Python."""

import sys
from importlib.resources import files


def main() -> None:
    """Print the template, which an installer takes as it is."""
    import idna

    print("main", idna.encode("x").decode(), files("declared").joinpath("templates/new.py").read_text().strip())


def extra() -> None:
    """Print the arguments."""
    print("extra", *sys.argv[1:])


def window() -> None:
    """Print a word."""
    print("window")
