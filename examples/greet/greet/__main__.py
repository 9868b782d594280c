"""Lets ``python -m greet`` start the program."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="greet")
