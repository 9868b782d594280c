"""``pypack inspect``: show what is in a bundle and whether all of it is whole."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pypack.bundle import verify

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def show(path: Path, *, as_json: bool) -> int:
    """Print the facts of a bundle; return 0 when every byte of it is as it should be, else 1.

    A universal file holds a bundle for each processor: JSON then has those after the first as ``others``.
    """
    bundles = verify.read_all(path)
    faults = verify.faults(path)
    signed = signatures(path, bundles[0])
    if as_json:
        first, *others = ({**asdict(bundle), "path": str(path)} for bundle in bundles)
        facts = {**first, "signatures": signed, "faults": faults, **({"others": others} if others else {})}
        print(json.dumps(facts, indent=1, sort_keys=True))
        return 1 if faults else 0
    for bundle in bundles:
        for line in _lines(bundle):
            _say(line)
    for line in signed or ["none, its format has no place for one"]:
        _say(f"signature  {line}")
    for fault in faults:
        _say(f"DAMAGED    {fault}")
    print("every hash is right" if not faults else "build or copy it again")
    return 1 if faults else 0


def signatures(path: Path, bundle: verify.Bundle) -> list[str]:
    """Return the state of a file's signature in words, for each processor; nothing where the format has none."""
    if bundle.container == "macho":
        from pypack.formats.macho import check

        return [str(signature) for signature in check.signature(path)]
    if bundle.container == "pe":
        return ["signed (Authenticode), not checked against any authority" if bundle.signed else "not signed"]
    return []


def say_all(lines: Iterable[str]) -> None:
    """Print lines that a file says about itself."""
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    """Print what a file says about itself: nothing in it moves the cursor, or is beyond what the terminal can show."""
    encoding = sys.stdout.encoding or "utf-8"
    plain = "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
    print(plain.encode(encoding, "backslashreplace").decode(encoding))


def _table(about: dict[str, Any], key: str) -> dict[str, Any]:
    value = about.get(key)
    return value if isinstance(value, dict) else {}


def _list(about: dict[str, Any], key: str) -> list[str]:
    value = about.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def _lines(bundle: verify.Bundle) -> list[str]:
    about = bundle.manifest
    python, entry = _table(about, "python"), _table(about, "entry")
    arch = f" for {bundle.arch}" if bundle.arch else ""
    bytecode = f"bytecode by {about['compiler']}" if about.get("compiler") else "sources without bytecode"
    lines = [
        bundle.first_line,
        f"id         {bundle.id}",
        f"container  {bundle.container}{arch}, {bundle.size:,} bytes{f' at {bundle.start:,}' if bundle.start else ''}",
        f"python     {python.get('version')} from {python.get('provider')}, {bytecode}",
        f"entry      {entry.get('kind')} {entry.get('name')}",
        f"launch     {' '.join(bundle.launch.get('launch', []))} {' '.join(bundle.launch.get('option', []))}",
    ]
    lines += [f"loader     {name}, which the bundle brings along" for name in bundle.launch.get("loader", [])]
    for system in ("glibc", "macos"):
        need = _table(about, system)
        if need.get("floor"):
            lines.append(f"{system:<10} {need['floor']} or newer, because of {need.get('needed_by')}")
    if expected := _list(about, "system_libraries"):
        lines.append(f"expects    {', '.join(expected)} on the target")
    if optional := _list(about, "optional_libraries"):
        lines.append(f"optional   parts that no import loads expect {', '.join(optional)} on the target")
    lines += [
        f"{layer.kind:<10} {layer.size:>12,} bytes at {layer.offset:,}, unpacked {layer.unpacked:,}:"
        f" {layer.sha256[:32]}"
        for layer in bundle.layers
    ]
    if packages := _list(about, "distributions"):
        lines.append(f"packages   {', '.join(packages)}")
    return lines
