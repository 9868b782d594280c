"""``pypack inspect``: show what is in a bundle and whether all of it is whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pypack.bundle import verify

if TYPE_CHECKING:
    from pathlib import Path


def show(path: Path, *, as_json: bool) -> int:
    """Print the facts of a bundle; return 0 when every byte of it is as it should be, else 1."""
    bundle = verify.read(path)
    faults = verify.faults(path)
    if as_json:
        facts = {**asdict(bundle), "path": str(path), "faults": faults}
        print(json.dumps(facts, indent=1, sort_keys=True))
        return 1 if faults else 0
    for line in _lines(bundle):
        print(line)
    for fault in faults:
        print(f"DAMAGED    {fault}")
    print("every hash is right" if not faults else "build or copy it again")
    return 1 if faults else 0


def _lines(bundle: verify.Bundle) -> list[str]:
    about = bundle.manifest
    python = about.get("python", {})
    lines = [
        bundle.first_line,
        f"id         {bundle.id}",
        f"container  {bundle.container}, {bundle.size:,} bytes",
        f"python     {python.get('version')} from {python.get('provider')}",
        f"entry      {about.get('entry', {}).get('kind')} {about.get('entry', {}).get('name')}",
        f"launch     {' '.join(bundle.launch.get('launch', []))} {' '.join(bundle.launch.get('option', []))}",
    ]
    if about.get("glibc", {}).get("floor"):
        lines.append(f"glibc      {about['glibc']['floor']} or newer, because of {about['glibc']['needed_by']}")
    if about.get("system_libraries"):
        lines.append(f"expects    {', '.join(about['system_libraries'])} on the target")
    lines += [
        f"{each.kind:<10} {each.size:>12,} bytes at {each.offset:,}, unpacked {each.unpacked:,}: {each.sha256[:32]}"
        for each in bundle.layers
    ]
    if about.get("distributions"):
        lines.append(f"packages   {', '.join(about['distributions'])}")
    return lines
