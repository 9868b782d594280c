"""Remove names and passwords from text that is written to files or shown."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=[\w+])://[^/?#\s\"']+@")  # of locks, which are cached and shared, and of messages


def without_secrets(text: str) -> str:
    """Return ``text`` without the names and passwords in its addresses."""
    return _USER_INFO.sub("://", text)
