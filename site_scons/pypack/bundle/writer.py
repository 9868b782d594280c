"""Write a bundle: launcher, layers, the app's zip and the trailer, streamed into one file."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
import json
import posixpath
import re
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pypack.base import records
from pypack.bundle import (
    commands,
    containers,
    layer,
    listing,
    manifest,
    starting,
    trailer,
    verify,
    verify_layer,
    verify_list,
    zips,
)
from pypack.bundle.facts import of_app, read_facts
from pypack.errors import StepError
from pypack.formats import tar
from pypack.formats.image import Member, list_image, read_image
from pypack.steps.display import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.bundle.starting import Start
    from pypack.steps.step import Context

_DOCS = "docs/bundle-format.md"

_OWN_METADATA = re.compile(r"app/(?:site-packages/)?[^/]+\.dist-info/METADATA")
_ALIGN = 8
_CHUNK = 1 << 20
_END_RECORD = 22
_SITE = "site-packages"
_SWITCHES = {"self": "self_commands", "interpreter": "interpreter"}
"""Keys of the launch block, and the settings that switch off what the launcher would do by a variable."""


def run_bundle(context: Context) -> None:
    """Step: the bundle.

    Inputs: stub, app image, runtime layer, runtime facts, where there are packages, deps layer and deps facts, and last
    what the check of the bundle's parts has found (:mod:`pypack.project.bundle_check`), which may be left out.
    Params: see :func:`pypack.graph.bundles.bundle`.
    """
    stub, app, *rest = context.inputs
    checked = rest.pop() if len(rest) % 2 else None
    params = {**context.params, "version": _version(app, context.params["version"])}
    layers = dict(zip(("runtime", "deps"), zip(rest[::2], rest[1::2], strict=True), strict=False))
    facts = {
        **{kind: read_facts(pair[1]) for kind, pair in layers.items()},
        "app": {**of_app(app, params), "commands": commands.of_app(app)},
    }
    containers.check_size(params["container"], [stub, app, *(pair[0] for pair in layers.values())], params["target"])
    with (
        context.product.open("w+b") as file,
        containers.payload(params["container"], stub, file, identifier=identifier(params["name"])) as out,
    ):
        entries = [_append_layer(out, kind, pair[0]) for kind, pair in layers.items()]
        described = manifest.build(params, entries, facts)
        _append_app(out, app, entries, described, params, facts)
    context.product.chmod(0o755)
    _verify(context)
    warnings = json.loads(checked.read_text(encoding="utf-8"))["warnings"] if checked else []
    details = [*_summary(context, described), *(f"warning: {line}" for line in warnings)]
    context.settings.display.result(context.params["name"], context.params["target"], details)


def _version(app: Path, stated: str) -> str:
    """Return the stated version of the program; without one, that of the wheel which its build backend made."""
    if stated:
        return stated
    for member, stream in read_image(app):
        if stream is not None and _OWN_METADATA.fullmatch(member.path):
            match = re.search(rb"(?m)^Version: *(\S+)", stream.read())
            return match[1].decode("utf-8", "replace") if match else "0"
    return "0"


def identifier(name: str) -> str:
    """Return the identifier in the signature of a bundle for macOS."""
    return f"pypack.{name}"


def run_join(context: Context) -> None:
    """Step: the finished bundles of several processors -> one universal bundle."""
    from pypack.formats.macho import fat

    fat.join(context.inputs, context.product)
    context.product.chmod(0o755)
    _verify(context)
    size = megabytes(context.product.stat().st_size)
    context.settings.display.result(context.params["name"], context.params["target"], [size])


def _verify(context: Context) -> None:
    """Check the finished bundle; layers that were found sound before are hashed, not unpacked."""
    memory = context.memory / "sound-layers.json" if context.memory else None
    sound = _read_sound(memory) if memory else set[str]()
    earlier = set(sound)
    faults = verify.faults(context.product, sound=sound)
    if memory and sound - earlier:
        with contextlib.suppress(OSError):  # a cache only: without it, layers are checked again
            records.write(memory, {"checker": _checker(), "sound": sorted(sound)})
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise StepError(
            f"the bundle is not as it should be:\n{details}",
            hint="remove the folder .pypack and, if it comes back, the build cache (pypack cache --prune 0)",
            docs=_DOCS,
        )


def _read_sound(memory: Path) -> set[str]:
    """Return the marks of layers that this version of the checker has found sound."""
    memo = records.read(memory)
    return set(memo.get("sound", ())) if memo.get("checker") == _checker() else set()


@functools.cache
def _checker() -> str:
    files = (Path(str(module.__file__)) for module in (verify, verify_layer, verify_list, tar))
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
    entries: list[trailer.LayerEntry],
    described: Mapping[str, Any],
    params: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
) -> None:
    offset = _pad(out)
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    sizes = {member.path: member.size for member in list_image(app)}
    start = starting.plan(params, sizes)
    added = {"launch": launch_file(params, entries, facts, start), "pypack.json": text, **start.files}
    local_end = zips.write_entries(out, _entries(app, added))
    digest = _hash_range(out, offset, local_end)
    size = local_end - offset
    entries.append(trailer.LayerEntry(kind="app", offset=offset, size=size, unpacked=size, frames=0, sha256=digest))
    end = out.seek(0, io.SEEK_END)
    line = f"pypack bundle: {params['name']} {params['version']} for {params['target']}"
    tail = trailer.pack(
        line,
        launch_block(params, facts, {**sizes, "launch": len(added["launch"])}, entries, start),
        entries,
        zip_offset=offset,
        local_end=local_end,
        central_size=end - local_end,
    )
    out.seek(end - 2)
    out.write(len(tail).to_bytes(2, "little") + tail)


def _entries(app: Path, added: Mapping[str, bytes]) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield the generated files, the members of the app's image, and the list of all files."""
    listed: list[listing.Row] = []
    generated = ((Member(path=path, size=len(content)), io.BytesIO(content)) for path, content in added.items())
    for member, stream in itertools.chain(generated, read_image(app)):
        if stream is None:
            yield member, None
            continue
        hashed = listing.Hashed(stream)
        yield member, cast("IO[bytes]", hashed)
        listed.append(hashed.row(member.path, member.size))
    text = listing.text(listed)
    yield Member(path=listing.APP_NAME, size=len(text)), io.BytesIO(text)


def launch_file(
    params: Mapping[str, Any], table: list[trailer.LayerEntry], facts: Mapping[str, dict[str, Any]], start: Start
) -> bytes:  # fmt: skip
    """Return the text that the bootstrap reads: one ``key=value`` a line; folders are separated by tabs."""
    layer_of_deps = _deps_folder(table)
    entry = params["entry"]
    values = {
        "name": params["name"],
        "version": params["version"],
        "target": params["target"],
        "mode": params["mode"],
        "startup": params["startup"],
        "environment": params["environment"],
        "kind": entry["kind"],
        "entry": entry["name"],
        "start": "file" if start.by_cpython else "run",
        "own_site": params["site"],
        "ending": posixpath.splitext(_codecs(params, facts))[1],
        "library": f"{table[0].sha256[:16].hex()}/{params['stdlib']}",
        "deps": "\t".join(f"{layer_of_deps}/{path}" for path in _paths(facts)),
        "layers": "\t".join(layer_entry.sha256[:16].hex() for layer_entry in table),
    }
    if facts.get("deps", {}).get("site"):
        values["site"] = "code"
    if start.scripts:
        values["script" if entry["kind"] == "function" else "scripts"] = "\t".join(start.scripts)
    if params["package"]:
        values["package"] = "distribution"
    if start.by_cpython and start.main == f"app/{entry['name']}" and "/" not in entry["name"]:
        values["alone"] = "CPython adds the folder"
    if params["scripts_on_path"]:
        values["on_path"] = "commands"
    if not params["self_commands"]:
        values["self"] = "off"
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def _codecs(params: Mapping[str, Any], facts: Mapping[str, dict[str, Any]]) -> str:
    """Return the path of ``encodings`` in the runtime; some runtimes have no sources, whatever the settings say."""
    without = f"{params['stdlib']}/encodings/__init__.pyc"
    return without if without in facts["runtime"]["sizes"] else without.removesuffix("c")


def launch_block(
    params: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
    app_sizes: Mapping[str, int],
    entries: list[trailer.LayerEntry],
    start: Start,
) -> list[tuple[str, str]]:
    """Return the pairs of the trailer's launch block, in order."""
    optional = [key for key in ("libpython", "loader") if params.get(key)]
    pairs = [(key, params[key]) for key in ("name", "version", "target", "launch", "python", *optional)]
    boot = starting.compiled(starting.BOOTSTRAP, app_sizes)
    pairs += [("boot", boot), ("main", start.main)]
    if params["entry"]["kind"] == "scripts":
        pairs += [("program", name) for name in start.scripts]
    pairs += [*(("option", option) for option in params["options"]), ("site", params["site"])]
    if params["environment"] != "isolated":
        pairs.append(("environment", params["environment"]))
    pairs += [("path", f"3:{folder}") for folder in ([starting.OWN_SITE] if params["package"] else []) + ["app"]]
    pairs += [("path", f"2:{path}") for path in _paths(facts)]
    pairs += [("pth", line) for line in _pth_lines(params, facts, entries, app_sizes)]
    if any(path.startswith("data/") for path in app_sizes):
        pairs.append(("data", "3:data"))
    if facts.get("deps", {}).get("data"):
        pairs.append(("data", "2:data"))
    pairs += [("sentinel", f"1:{size}:{path}") for path, size in sorted(facts["runtime"]["sizes"].items())]
    sizes = {**app_sizes, **{path: len(content) for path, content in start.files.items()}}
    pairs += [("sentinel", f"3:{sizes[path]}:{path}") for path in (boot, start.main, "launch") if path in sizes]
    pairs += [(key, "off") for key, setting in _SWITCHES.items() if not params[setting]]
    pairs += _commands(params, facts)
    floor = manifest.floor(facts)
    if not floor:
        return pairs
    return [*pairs, ("macos" if params["container"] == "macho" else "glibc", floor)]


def _paths(facts: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the folders of the packages' layer that belong on sys.path: .pth files name some."""
    return [_SITE, *facts["deps"].get("paths", ())] if "deps" in facts else []


def _deps_folder(entries: list[trailer.LayerEntry]) -> str:
    """Return the name that the packages' layer has in the cache."""
    return next((entry.sha256[:16].hex() for entry in entries if entry.kind == "deps"), "")


def _pth_lines(
    params: Mapping[str, Any],
    facts: Mapping[str, dict[str, Any]],
    entries: list[trailer.LayerEntry],
    app_sizes: Mapping[str, int],
) -> Iterator[str]:
    """Yield the .pth lines that ``site`` runs in each child process, with ``sitedir`` and ``known_paths`` defined."""
    layers = [".."] * (params["site"].count("/") + 3) + ["layers"]
    app_folder = [*layers, next(entry.sha256[:16].hex() for entry in entries if entry.kind == "app")]
    child = starting.compiled("child", app_sizes)
    reader = "SourcelessFileLoader" if child.endswith(".pyc") else "SourceFileLoader"
    read = f'external.{reader}("child", file)'
    code = f'{read}.get_code("child")' if child.endswith(".pyc") else f'compile({read}.get_data(file), file, "exec")'
    yield "; ".join(
        [
            "import os, _frozen_importlib_external as external",
            f"here = os.path.normpath(os.path.join(sitedir, *{app_folder!r}))",
            f"file = os.path.join(here, {child!r})",
            f"optimize = {params['optimize'] if params['compiler'] else -1}",
            f'exec({code}, {{"sitedir": sitedir, "here": here, "optimize": optimize}})',
        ]
    )
    if facts.get("deps", {}).get("site"):
        site_folder = [*layers, _deps_folder(entries), _SITE]
        yield f"import os; addsitedir(os.path.join(sitedir, *{site_folder!r}), known_paths)"


def _commands(params: Mapping[str, Any], facts: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the commands beside the interpreter. The program's own name is that of the interpreter."""
    taken = {params["name"].casefold()}
    own = [("script", f"{name}={point}") for name, point in params["entry"].get("scripts", ())]
    for key, value in (*own, *facts.get("app", {}).get("commands", ()), *facts.get("deps", {}).get("commands", ())):
        name = value.partition("=")[0].rpartition("/")[2].casefold()
        if name not in taken:
            taken.add(name)
            yield key, value


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


def _summary(context: Context, described: Mapping[str, Any]) -> list[str]:
    """Return lines: size, Python and what it needs of the target; then what it expects there."""
    text = f"{megabytes(context.product.stat().st_size)}, Python {described['python']['version']}"
    for key, system in (("glibc", "glibc"), ("macos", "macOS")):
        if described.get(key, {}).get("floor"):
            text += f", needs {system} {described[key]['floor']} or newer ({described[key]['needed_by']})"
    return [text, *(f"{line} on the target" for line in manifest.expectations(described))]
