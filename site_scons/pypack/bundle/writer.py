"""Write a bundle: launcher, layers, the app's zip and the trailer, streamed into one file."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pypack import records
from pypack.bundle import containers, layer, manifest, trailer, verify, zips
from pypack.bundle.facts import read_facts
from pypack.errors import StepError
from pypack.images import tars
from pypack.images.image import Member, list_image, read_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.pipeline import Context

_OWN_METADATA = re.compile(r"app/[^/]+\.dist-info/METADATA")
_ALIGN = 8
_CHUNK = 1 << 20
_END_RECORD = 22
_SITE = "site-packages"
_SWITCHES = {"self": "self_commands", "interpreter": "interpreter"}
"""Keys of the launch block, and the settings that switch off what the launcher would do by a variable."""


def run_bundle(context: Context) -> None:
    """Step: the bundle.

    Inputs: stub, app image, runtime layer, runtime facts, and, where there are packages, deps layer and deps facts.
    Params: see :func:`pypack.graph.bundle`.
    """
    stub, app, *rest = context.inputs
    params = {**context.params, "version": _version(app, context.params["version"])}
    layers = dict(zip(("runtime", "deps"), zip(rest[::2], rest[1::2], strict=True), strict=False))
    facts = {kind: read_facts(pair[1]) for kind, pair in layers.items()}
    containers.check_size(params["container"], [stub, app, *(pair[0] for pair in layers.values())], params["target"])
    with (
        context.product.open("w+b") as file,
        containers.payload(params["container"], stub, file, identifier=identifier(params["name"])) as out,
    ):
        rows = [_append_layer(out, kind, pair[0]) for kind, pair in layers.items()]
        described = manifest.build(params, rows, facts)
        _append_app(out, app, rows, described, params, facts)
    context.product.chmod(0o755)
    _verify(context.product)
    context.say(_summary(context, described))


def _version(app: Path, told: str) -> str:
    """Return the program's version: where nobody told one, that of the wheel which its build backend made."""
    if told:
        return told
    for member, stream in read_image(app):
        if stream is not None and _OWN_METADATA.fullmatch(member.path):
            found = re.search(rb"(?m)^Version: *(\S+)", stream.read())
            return found[1].decode("utf-8", "replace") if found else "0"
    return "0"


def identifier(name: str) -> str:
    """Return the name that a bundle for macOS bears in its signature."""
    return f"pypack.{name}"


def run_join(context: Context) -> None:
    """Step: the finished bundles of several processors -> one universal bundle."""
    from pypack.macho import fat

    fat.join(context.inputs, context.product)
    context.product.chmod(0o755)
    _verify(context.product)
    size = context.product.stat().st_size / 1e6
    context.say(f"  {context.params['name']} for {context.params['target']}: {size:.1f} MB")


def _verify(product: Path) -> None:
    memory = product.with_name("sound-layers.json")
    sound = _sound(memory)
    known = set(sound)
    faults = verify.faults(product, sound=sound)
    if sound - known:
        with contextlib.suppress(OSError):  # a memory and no more
            records.write(memory, {"checker": _checker(), "sound": sorted(sound)})
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise StepError(
            f"the bundle is not as it should be:\n{told}",
            do="remove the folder build and, if it comes back, the build cache (pypack cache --prune 0)",
        )


def _sound(memory: Path) -> set[str]:
    """Return what is remembered of layers that were checked, by the very checker that is here."""
    found = records.read(memory)
    return set(found.get("sound", ())) if found.get("checker") == _checker() else set()


@functools.cache
def _checker() -> str:
    files = (Path(str(module.__file__)) for module in (verify, tars))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _append_layer(out: IO[bytes], kind: str, path: Path) -> trailer.LayerEntry:
    facts = layer.read_facts(path)
    offset = _pad(out)
    _copy(path, out)
    return trailer.LayerEntry(
        kind=kind, offset=offset, size=facts.size, unpacked=facts.unpacked, frames=facts.frames, sha256=facts.sha256
    )


def _append_app(
    out: IO[bytes],
    app: Path,
    rows: list[trailer.LayerEntry],
    described: Mapping[str, Any],
    params: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
) -> None:
    start = _pad(out)
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    local_end = zips.write_entries(out, _entries(app, launch_file(params, rows, facts), text))
    digest = _hash_range(out, start, local_end)
    size = local_end - start
    rows.append(trailer.LayerEntry(kind="app", offset=start, size=size, unpacked=size, frames=0, sha256=digest))
    end = out.seek(0, io.SEEK_END)
    line = f"pypack bundle: {params['name']} {params['version']} for {params['target']}"
    sizes = {member.path: member.size for member in list_image(app)}
    tail = trailer.pack(
        line,
        launch_block(params, facts, sizes, rows),
        rows,
        zip_offset=start,
        local_end=local_end,
        central_size=end - local_end,
    )
    out.seek(end - 2)
    out.write(len(tail).to_bytes(2, "little") + tail)


def _entries(app: Path, launch: bytes, described: bytes) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield the app's image with ``launch`` and ``pypack.json`` in front of the folder ``app/``."""
    added = {"launch": launch, "pypack.json": described}
    for path, content in added.items():
        yield Member(path=path, size=len(content)), io.BytesIO(content)
    yield from read_image(app)


def launch_file(
    params: Mapping[str, Any], rows: list[trailer.LayerEntry], facts: Mapping[str, dict[str, Any]]
) -> bytes:  # fmt: skip
    """Return the text that the bootstrap reads: one ``key=value`` a line; folders stand with a tab between them."""
    layer_of_deps = _folder(rows)
    values = {
        "name": params["name"],
        "version": params["version"],
        "target": params["target"],
        "mode": params["mode"],
        "startup": params["startup"],
        "kind": params["entry"]["kind"],
        "entry": params["entry"]["name"],
        "function": params["entry"]["function"],
        "deps": "\t".join(f"{layer_of_deps}/{path}" for path in _paths(facts)),
    }
    if facts.get("deps", {}).get("site"):
        values["site"] = f"{layer_of_deps}/{_SITE}"
    if scripts := params["entry"].get("scripts"):
        values["scripts"] = "\t".join(f"{name}={point}" for name, point in scripts)
    if params["scripts_on_path"]:
        values["on_path"] = "commands"
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def launch_block(
    params: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
    app_sizes: Mapping[str, int],
    rows: list[trailer.LayerEntry],
) -> list[tuple[str, str]]:
    """Return the pairs of the trailer's launch block, in order."""
    optional = [key for key in ("libpython", "loader") if params.get(key)]
    pairs = [(key, params[key]) for key in ("name", "version", "target", "launch", "python", *optional)]
    boot = next(name for name in ("boot.pyc", "boot.py") if name in app_sizes)
    pairs += [("boot", boot), *(("option", option) for option in params["options"]), ("site", params["site"])]
    pairs.append(("path", "3:app"))
    pairs += [("path", f"2:{path}") for path in _paths(facts)]
    pairs += [("pth", line) for line in _pth_lines(params, facts, rows)]
    pairs += [("sentinel", f"1:{size}:{path}") for path, size in sorted(facts["runtime"]["sizes"].items())]
    pairs.append(("sentinel", f"3:{app_sizes[boot]}:{boot}"))
    pairs += [(key, "off") for key, setting in _SWITCHES.items() if not params[setting]]
    pairs += [(key, value) for key, value in facts.get("deps", {}).get("commands", ()) if _free(value, params["name"])]
    floor = manifest.floor(facts)
    if not floor:
        return pairs
    return [*pairs, ("macos" if params["container"] == "macho" else "glibc", floor)]


def _paths(facts: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the folders of the packages' layer that belong on sys.path: .pth files name some."""
    return [_SITE, *facts["deps"].get("paths", ())] if "deps" in facts else []


def _folder(rows: list[trailer.LayerEntry]) -> str:
    """Return the name that the packages' layer has in the cache."""
    return next((row.sha256[:16].hex() for row in rows if row.kind == "deps"), "")


def _pth_lines(
    params: Mapping[str, Any], facts: Mapping[str, dict[str, Any]], rows: list[trailer.LayerEntry]
) -> Iterator[str]:  # fmt: skip
    """Yield what ``site`` runs in each child of the program; it does so with ``sitedir`` and ``known_paths`` set.

    Bytecode of a child that is not optimized is not in the layers, and must not get there.
    """
    if "-O" in params["options"] or "-OO" in params["options"]:
        yield "import sys; sys.dont_write_bytecode = True"
    if facts.get("deps", {}).get("site"):
        up = "/".join([".."] * (params["site"].count("/") + 3))
        place = f"{up}/layers/{_folder(rows)}/{_SITE}"
        yield f'import os; addsitedir(os.path.join(sitedir, *"{place}".split("/")), known_paths)'


def _free(command: str, name: str) -> bool:
    """Say whether a command has another name than the program, whose own is the interpreter's."""
    return command.partition("=")[0].rpartition("/")[2].casefold() != name.casefold()


def _copy(path: Path, out: IO[bytes]) -> None:
    with path.open("rb") as stream:
        shutil.copyfileobj(stream, out, _CHUNK)


def _pad(out: IO[bytes]) -> int:
    position = out.seek(0, io.SEEK_END)
    out.write(b"\0" * (-position % _ALIGN))
    return out.tell()


def _hash_range(out: IO[bytes], start: int, end: int) -> bytes:
    digest = hashlib.sha256()
    out.seek(start)
    left = end - start
    while left:
        piece = out.read(min(left, _CHUNK))
        digest.update(piece)
        left -= len(piece)
    return digest.digest()


def _summary(context: Context, described: Mapping[str, Any]) -> str:
    size = context.product.stat().st_size / 1e6
    python = described["python"]["version"]
    words = f"  {context.params['name']} for {context.params['target']}: {size:.1f} MB, Python {python}"
    for key, system in (("glibc", "glibc"), ("macos", "macOS")):
        if described.get(key, {}).get("floor"):
            words += f", needs {system} {described[key]['floor']} or newer ({described[key]['needed_by']})"
    if described["system_libraries"]:
        words += f"\n  it expects {', '.join(described['system_libraries'])} on the target"
    return words
