"""Reports each file of a bundle: the distribution that brought it, its size, and why it is there."""

from __future__ import annotations

import io
import json
import posixpath
import zipfile
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from pypack.bundle import listing, manifest, verify
from pypack.bundle.extent import SliceReader, extents
from pypack.deps import contents, reasons
from pypack.formats.image import list_image
from pypack.project import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pypack.project.program import Project
    from pypack.steps.step import Context

_SHOWN = 15
_BEGIN = b'{\n "bundles": ['
_ARROW = " > "
_OWN = "pypack's own"
"""Stands for a distribution in the rows of pypack's own file lists; no distribution can have this name."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a bundle, and the ``distribution`` (or what else) that brought it; ``size`` in bytes, unpacked."""

    path: str
    layer: str
    distribution: str
    size: int
    why: str


def run_report(context: Context) -> None:
    """Step: a bundle -> JSON with the distribution, the size and the reason of each file in it.

    Inputs: the bundle, the runtime's image, and where there are packages the facts of all of them and the contents of
    each. Params: ``target``, ``stdlib``, ``python``, ``from`` (what names packages), ``direct`` (requirements),
    ``markers``, ``packages`` (whether there are any). Unhashed: ``project``.
    """
    params = context.params
    bundle, runtime, *rest = context.inputs
    bundle_info = next(
        candidate for candidate in verify.read_all(bundle) if candidate.launch["target"] == [params["target"]]
    )
    parts = [contents.read(path) for path in rest[1:]]
    dropped = json.loads(rest[0].read_text(encoding="utf-8"))["dropped"] if rest else []
    chains = reasons.chains(parts, params["direct"], params["markers"], origin=params["from"])
    files = [
        *_runtime_files(runtime, params),
        *(_package_files(parts, dropped, chains) if params["packages"] else ()),
        *_app_files(bundle, bundle_info, context.unhashed["project"]),
    ]
    report_json = {
        "name": bundle_info.manifest["name"],
        "version": bundle_info.manifest["version"],
        "target": params["target"],
        "size": bundle_info.size,
        "expects": bundle_info.manifest["system_libraries"],
        "optional": bundle_info.manifest["optional_libraries"],
        "layers": _layer_sizes(bundle_info, files),
        "distributions": _distribution_sizes(files, parts, chains),
        "files": [asdict(file) for file in files],
    }
    _write(context.product, [report_json])


def run_reports(context: Context) -> None:
    """Step: the reports of several targets -> one."""
    _write(context.product, [bundle for path in context.inputs for bundle in read(path)])


def read(path: Path) -> list[dict[str, Any]]:
    """Return the reports in a file, one for each bundle."""
    bundles: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["bundles"]
    return bundles


def is_one(path: Path) -> bool:
    """Say whether a file begins as a report does."""
    with path.open("rb") as stream:
        return stream.read(len(_BEGIN)) == _BEGIN


def table(bundle: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines with the size of each distribution, the largest first."""
    rows = sorted(bundle["distributions"], key=lambda row: (-row["size"], row["name"]))
    total = sum(row["size"] for row in rows)
    yield f"{bundle['name']} for {bundle['target']}: {bundle['size'] / 1e6:.1f} MB, unpacked {total / 1e6:.1f} MB"
    for row in rows[:_SHOWN]:
        label = f"{row['name']} {row['version']}".strip()
        yield f"  {row['size'] / 1e6:8.2f} MB  {row['files']:>6} files  {label}"
    if remaining := rows[_SHOWN:]:
        size, files = (sum(row[key] for row in remaining) for key in ("size", "files"))
        yield f"  {size / 1e6:8.2f} MB  {files:>6} files  {len(remaining)} more"
    libraries = {"system_libraries": bundle["expects"], "optional_libraries": bundle["optional"]}
    yield from (f"  {line} on the target" for line in manifest.expectations(libraries))


def _write(product: Path, bundles: list[dict[str, Any]]) -> None:
    text = json.dumps({"format": 1, "bundles": bundles}, indent=1, sort_keys=True, ensure_ascii=False)
    product.write_text(text + "\n", encoding="utf-8", newline="\n")


def _list_file(layer: str, files: Iterable[tuple[str, int]]) -> File:
    """Return the row of a layer's list of ``files``, paths and sizes; placeholders serve as hashes for its own size."""
    rows = [listing.Row(path.encode("utf-8", "surrogateescape"), size, "0" * listing.DIGITS) for path, size in files]
    why = "pypack: sizes and hashes of the files, by which damage is found"
    return File(path=listing.NAME, layer=layer, distribution=_OWN, size=len(listing.text(rows)), why=why)


def _runtime_files(image: Path, params: Mapping[str, Any]) -> Iterator[File]:
    members = list_image(image)
    yield _list_file("runtime", ((member.path, member.size) for member in members if member.kind == "file"))
    for member in (member for member in members if member.kind != "dir"):
        standard = member.path.startswith(f"{params['stdlib']}/")
        why = f"the {'standard library' if standard else 'interpreter'} of CPython {params['python']}"
        yield File(
            path=member.path,
            layer="runtime",
            distribution="stdlib" if standard else "runtime",
            size=member.size,
            why=why,
        )


def _package_files(
    parts: Sequence[Mapping[str, Any]], dropped: Iterable[Iterable[str]], chains: Mapping[str, reasons.Chain]
) -> Iterator[File]:
    regular_files: list[tuple[str, int]] = []
    for part, dropped_paths in zip(parts, dropped, strict=True):
        duplicates, why = set(dropped_paths), _ARROW.join(chains[part["name"]].links)
        for path, kind, size, _ in part["files"]:
            if path not in duplicates and kind != "dir":
                regular_files += [(path, size)] if kind == "file" else []
                yield File(path=path, layer="deps", distribution=part["name"], size=size, why=why)
    yield _list_file("deps", regular_files)


def _app_files(path: Path, bundle: verify.Bundle, project: Project) -> Iterator[File]:
    app_reasons = app.reasons(project)
    default_reason = "the program's build backend puts it there" if project.package else "the program's own metadata"
    for info in _zip_entries(path, bundle):
        source = _source_path(info.filename).removeprefix("app/")
        if not info.filename.startswith(("app/", "data/")):
            distribution, why = "bootstrap", "pypack: it starts the program, or describes it"
        else:
            distribution, why = "app", app_reasons.get(source, default_reason)
        yield File(path=info.filename, layer="app", distribution=distribution, size=info.file_size, why=why)


def _zip_entries(path: Path, bundle: verify.Bundle) -> list[zipfile.ZipInfo]:
    with path.open("rb") as stream:
        extent = next(extent for extent in extents(stream) if extent.start == bundle.start)
        slice_stream = cast("IO[bytes]", io.BufferedReader(SliceReader(stream, extent.start, extent.end)))
        with zipfile.ZipFile(slice_stream) as archive:
            return sorted(archive.infolist(), key=lambda info: info.filename)


def _source_path(path: str) -> str:
    """Return the path of the source of a bytecode file; another file's path is returned as it is."""
    folder, name = posixpath.split(path)
    if not name.endswith(".pyc"):
        return path
    if posixpath.basename(folder) == "__pycache__":
        return posixpath.join(posixpath.dirname(folder), f"{name.split('.', 1)[0]}.py")
    return path.removesuffix("c")


def _layer_sizes(bundle: verify.Bundle, files: Iterable[File]) -> list[dict[str, Any]]:
    files = list(files)
    rows = [
        {
            "layer": layer.kind,
            "packed": layer.size,
            "unpacked": sum(file.size for file in files if file.layer == layer.kind),
            "files": sum(file.layer == layer.kind for file in files),
        }
        for layer in bundle.layers
    ]
    return [{"layer": "launcher", "packed": bundle.layers[0].offset}, *rows]


def _distribution_sizes(
    files: Iterable[File], parts: Iterable[Mapping[str, Any]], chains: Mapping[str, reasons.Chain]
) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], list[int]] = {}
    whys: dict[tuple[str, str], str] = {}
    for file in files:
        row = sums.setdefault((file.layer, file.distribution), [0, 0])
        row[0] += 1
        row[1] += file.size
        whys.setdefault((file.layer, file.distribution), file.why)
    versions = {("deps", part["name"]): part["version"] for part in parts}
    return [
        {
            "name": name,
            "layer": layer,
            "version": versions.get((layer, name), ""),
            "files": count,
            "size": size,
            **(_chain_json(chains[name]) if layer == "deps" and name != _OWN else {"why": [whys[layer, name]]}),
        }
        for (layer, name), (count, size) in sorted(sums.items())
    ]


def _chain_json(chain: reasons.Chain) -> dict[str, Any]:
    return {"why": list(chain.links), "required_by": list(chain.parents)}
