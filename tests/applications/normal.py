"""What two runs print, made comparable: folders, times, ports and numbers of processes get one name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RULES = (
    (
        r"\{venv\}/lib(64)?/python3\.\d+/site-packages|\{cache\}/layers/\w+/(app/site-packages|app|site-packages)",
        "{site}",
    ),
    (r"\{python\}/lib/python3\.\d+|\{cache\}/layers/\w+/lib/python3\.\d+", "{stdlib}"),
    (r"(\{venv\}|\{cache\}/apps/\w+)/bin", "{bin}"),
    # the scripts of commands: other writers of the same few lines
    (r"(?m)^  File \"(\{bin\}|\{cache\}/layers/\w+/bin)/.*\n.*sys\.exit.*\n( +\^+\n)?", ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?", "{time}"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "{time}"),
    (r"\b\d\d:\d\d:\d\d([.,]\d+)?\b", "{time}"),
    (r"\b\d+(\.\d+)? ?(ms|s|seconds?)\b", "{seconds}"),
    (r"\b0x[0-9a-f]{6,}\b", "{address}"),
    (r"\b(127\.0\.0\.1|localhost|0\.0\.0\.0):\d{2,5}\b", r"\1:{port}"),
)


def comparable(text: str, *, paths: Iterable[tuple[str, str]], ignored: Sequence[str]) -> str:
    """Return ``text`` with the first of each pair of ``paths`` replaced by the second, and times and the like too.

    ``ignored`` are regular expressions; where one has a match, ``{ignored}`` stands in the result.
    """
    for path, name in sorted(paths, key=lambda pair: len(pair[0]), reverse=True):
        text = text.replace(path, name)
    for pattern in ignored:
        text = re.sub(pattern, "{ignored}", text)
    for pattern, name in _RULES:
        text = re.sub(pattern, name, text)
    return text
