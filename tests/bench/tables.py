"""The results for people and for machines."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.measuring import Result


def text(title: str, results: Sequence[Result], rounds: int) -> str:
    """Return a table; the first row is what the ratios are against."""
    head = f"{'':<28}{'ratio':>8}{'of cpu':>8}{'median':>11}{'fastest 10%':>13}{'memory':>10}"
    head += f"{'calls':>8}{'own':>6}{'size':>10}"
    rows = [f"{title} ({rounds} rounds)", head]
    for each in results:
        calls, own = each.calls if each.calls is not None else "", each.own if each.own is not None else ""
        size = f"{each.size / 1e6:.1f} MB" if each.size else ""
        rows.append(
            f"{each.name:<28}{each.ratio:>8.3f}{each.cpu_ratio:>8.3f}{each.wall:>8.1f} ms{each.low:>10.1f} ms"
            f"{each.memory:>7.1f} MB{calls:>8}{own:>6}{size:>10}"
        )
    return "\n".join(rows)


def machine(python: str) -> dict[str, Any]:
    """Describe what the figures come from; nothing in it names the machine."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": python,
        "load": [round(each, 1) for each in os.getloadavg()],
    }


def write(path: Path, described: Mapping[str, Any], groups: Mapping[str, Sequence[Result]]) -> None:
    """Write JSON: the machine, and for each group a list of results."""
    values = {"machine": described, **{name: [asdict(each) for each in group] for name, group in groups.items()}}
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
