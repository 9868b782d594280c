"""A picture of the ratios: bars in an SVG, readable on light and dark pages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LABEL, ROW, BAR = 760, 240, 24, 380
TITLES = {
    "hello": "hello: start, against python -I -S of the same interpreter",
    "greet": "click + rich + httpx: start, against python -m in a virtual environment of the same interpreter",
    "first": "first start of hello, against tar --zstd -x of its runtime and sync",
}
STYLE = (
    "text{font:13px sans-serif;fill:#57606a}.title{font-weight:bold}.bar{fill:#8c959f}.own{fill:#2f81f7}"
    ".base{stroke:#57606a;stroke-dasharray:3 3}"
)


def svg(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the picture of some groups of results, each drawn to a scale of its own; shorter is better."""
    parts, at = [], 8
    for name, rows in groups.items():
        parts += _group(TITLES[name], rows, at)
        at += (len(rows) + 2) * ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at}" width="{WIDTH}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def _group(title: str, rows: Sequence[Mapping[str, Any]], top: int) -> list[str]:
    longest = max(each["ratio"] for each in rows)
    parts = [f'<text class="title" x="8" y="{top + 16}">{escape(title)}</text>']
    for number, each in enumerate(rows, start=1):
        y = top + number * ROW
        kind = "own" if each["name"].startswith("pypack") else "bar"
        width = max(1, round(BAR * each["ratio"] / longest))
        told = f"{each['ratio']:.2f} x  ({each['wall']:.0f} ms)"
        parts += [
            f'<text x="8" y="{y + 17}">{escape(each["name"])}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y + 4}" width="{width}" height="{ROW - 8}"/>',
            f'<text x="{LABEL + width + 6}" y="{y + 17}">{told}</text>',
        ]
    base = LABEL + round(BAR / longest)
    bottom = top + (len(rows) + 1) * ROW
    return [*parts, f'<line class="base" x1="{base}" x2="{base}" y1="{top + ROW}" y2="{bottom}"/>']
