"""What is in a bundle, file by file: who brought it, its size, and why it is there."""

from __future__ import annotations

import io
import json
import posixpath
import zipfile
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from pypack import app
from pypack.bundle import verify
from pypack.bundle.extent import Part, extents
from pypack.images.image import list_image
from pypack.packages import contents, reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pypack.pipeline import Context
    from pypack.project import Project

_SHOWN = 15
_BEGIN = b'{\n "bundles": ['
_ARROW = " > "


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a bundle, and the ``distribution`` (or what else) that brought it; ``size`` in bytes, unpacked."""

    path: str
    layer: str
    distribution: str
    size: int
    why: str


def run_report(context: Context) -> None:
    """Step: a bundle -> JSON that says of each file in it who brought it, its size and why.

    Inputs: where there are packages the lock, then the bundle, the runtime's image, and where there are packages the
    facts of all of them; extra: the contents of the wheels. Params: ``target``, ``stdlib``, ``python``, ``from`` (what
    names packages), ``direct`` (requirements), ``markers``, ``packages`` (whether there are any), ``project``.
    """
    params = context.params
    bundle, runtime, *rest = context.inputs[1:] if params["packages"] else context.inputs
    found = next(each for each in verify.read_all(bundle) if each.launch["target"] == [params["target"]])
    parts = [contents.read(path) for path in context.extra]
    dropped = json.loads(rest[0].read_text(encoding="utf-8"))["dropped"] if rest else []
    chains = reasons.chains(parts, params["direct"], params["markers"], origin=params["from"])
    files = [
        *_of_runtime(runtime, params),
        *_of_packages(parts, dropped, chains),
        *_of_app(bundle, found, params["project"].value),
    ]
    told = {
        "name": found.manifest["name"],
        "version": found.manifest["version"],
        "target": params["target"],
        "size": found.size,
        "layers": _layers(found, files),
        "distributions": _totals(files, parts, chains),
        "files": [asdict(each) for each in files],
    }
    _write(context.product, [told])


def run_reports(context: Context) -> None:
    """Step: the reports of several targets -> one."""
    _write(context.product, [bundle for path in context.inputs for bundle in read(path)])


def read(path: Path) -> list[dict[str, Any]]:
    """Return the reports in a file, one for each bundle."""
    bundles: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["bundles"]
    return bundles


def is_one(path: Path) -> bool:
    """Say whether a file is a report, as far as its beginning tells."""
    with path.open("rb") as stream:
        return stream.read(len(_BEGIN)) == _BEGIN


def table(bundle: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines that show what takes how much room, the largest first."""
    rows = sorted(bundle["distributions"], key=lambda row: (-row["size"], row["name"]))
    whole = sum(row["size"] for row in rows)
    yield f"{bundle['name']} for {bundle['target']}: {bundle['size'] / 1e6:.1f} MB, unpacked {whole / 1e6:.1f} MB"
    for row in rows[:_SHOWN]:
        label = f"{row['name']} {row['version']}".strip()
        yield f"  {row['size'] / 1e6:8.2f} MB  {row['files']:>6} files  {label}"
    if left := rows[_SHOWN:]:
        size, files = (sum(row[key] for row in left) for key in ("size", "files"))
        yield f"  {size / 1e6:8.2f} MB  {files:>6} files  {len(left)} more"


def _write(product: Path, bundles: list[dict[str, Any]]) -> None:
    text = json.dumps({"format": 1, "bundles": bundles}, indent=1, sort_keys=True, ensure_ascii=False)
    product.write_text(text + "\n", encoding="utf-8", newline="\n")


def _of_runtime(image: Path, params: Mapping[str, Any]) -> Iterator[File]:
    for member in (each for each in list_image(image) if each.kind != "dir"):
        standard = member.path.startswith(f"{params['stdlib']}/")
        why = f"the {'standard library' if standard else 'interpreter'} of CPython {params['python']}"
        yield File(
            path=member.path,
            layer="runtime",
            distribution="stdlib" if standard else "runtime",
            size=member.size,
            why=why,
        )


def _of_packages(
    parts: Sequence[Mapping[str, Any]], dropped: Iterable[Iterable[str]], chains: Mapping[str, reasons.Chain]
) -> Iterator[File]:
    for part, twice in zip(parts, dropped, strict=True):
        known, why = set(twice), _ARROW.join(chains[part["name"]].links)
        for path, kind, size, _ in part["files"]:
            if path not in known and kind != "dir":
                yield File(path=path, layer="deps", distribution=part["name"], size=size, why=why)


def _of_app(path: Path, found: verify.Bundle, project: Project) -> Iterator[File]:
    known = app.reasons(project)
    other = "the program's build backend puts it there" if project.package else "the program's own metadata"
    for info in _entries(path, found):
        source = _source(info.filename).removeprefix("app/")
        if not info.filename.startswith("app/"):
            name, why = "bootstrap", "pypack: it starts the program, or describes it"
        else:
            name, why = "app", known.get(source, other)
        yield File(path=info.filename, layer="app", distribution=name, size=info.file_size, why=why)


def _entries(path: Path, found: verify.Bundle) -> list[zipfile.ZipInfo]:
    with path.open("rb") as stream:
        place = next(each for each in extents(stream) if each.start == found.start)
        part = cast("IO[bytes]", io.BufferedReader(Part(stream, place.start, place.end)))
        with zipfile.ZipFile(part) as packed:
            return sorted(packed.infolist(), key=lambda info: info.filename)


def _source(path: str) -> str:
    """Return the source of a file of bytecode, as the import system names it; of another file its own path."""
    folder, name = posixpath.split(path)
    if not name.endswith(".pyc"):
        return path
    if posixpath.basename(folder) == "__pycache__":
        return posixpath.join(posixpath.dirname(folder), f"{name.split('.', 1)[0]}.py")
    return path.removesuffix("c")


def _layers(found: verify.Bundle, files: Iterable[File]) -> list[dict[str, Any]]:
    files = list(files)
    rows = [
        {
            "layer": layer.kind,
            "packed": layer.size,
            "unpacked": sum(each.size for each in files if each.layer == layer.kind),
            "files": sum(each.layer == layer.kind for each in files),
        }
        for layer in found.layers
    ]
    return [{"layer": "launcher", "packed": found.layers[0].offset}, *rows]


def _totals(
    files: Iterable[File], parts: Iterable[Mapping[str, Any]], chains: Mapping[str, reasons.Chain]
) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], list[int]] = {}
    whys: dict[tuple[str, str], str] = {}
    for each in files:
        row = sums.setdefault((each.layer, each.distribution), [0, 0])
        row[0] += 1
        row[1] += each.size
        whys.setdefault((each.layer, each.distribution), each.why)
    versions = {("deps", part["name"]): part["version"] for part in parts}
    return [
        {
            "name": name,
            "layer": layer,
            "version": versions.get((layer, name), ""),
            "files": count,
            "size": size,
            **(_chain(chains[name]) if layer == "deps" else {"why": [whys[layer, name]]}),
        }
        for (layer, name), (count, size) in sorted(sums.items())
    ]


def _chain(chain: reasons.Chain) -> dict[str, Any]:
    return {"why": list(chain.links), "required_by": list(chain.parents)}
