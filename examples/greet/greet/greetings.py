"""The greetings, read from a data file that travels with the package."""

import json
from importlib import resources


def greetings() -> dict[str, str]:
    """Return a sentence with ``{name}`` in it for each language."""
    text = resources.files(__package__).joinpath("greetings.json").read_text(encoding="utf-8")
    return json.loads(text)
