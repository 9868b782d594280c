"""Pins: the name, the addresses and the hash of a file to download."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from pypack.base import folders
from pypack.base.declare import Setting, declared
from pypack.download import urls as addresses
from pypack.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pypack.download.web import Login

USER_FILE = "PYPACK_PINS"
Provider = Literal["pbs", "embed"]
PROVIDERS: tuple[str, ...] = get_args(Provider)
"""The providers whose runtimes are pinned archives."""
_SHA256_TEXT, _VERSION_TEXT = r"[0-9a-f]{64}", r"[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?"
_SHA256, _VERSION = re.compile(_SHA256_TEXT), re.compile(_VERSION_TEXT)
_MINOR = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a pin file, or of ``[[tool.pypack.pins]]``, as it is written."""

    target: Annotated[str, Setting(help="name of the target that it is for")]
    version: Annotated[str, Setting(help="version of CPython, in full", pattern=_VERSION_TEXT)]
    sha256: Annotated[str, Setting(help="hash of the file, in lower-case hex digits", pattern=_SHA256_TEXT)]
    provider: Annotated[Provider, Setting(help="whose archives it is shaped as")] = "pbs"
    url: Annotated[str, Setting(help="where the file is to be had: an address, or a path")] = ""
    urls: Annotated[tuple[str, ...], Setting(help="the same, several, in order")] = ()
    size: Annotated[int, Setting(help="bytes, where known")] = 0
    file: Annotated[str, Setting(help="name of the file, where the address does not end in it")] = ""
    inside: Annotated[tuple[str, ...], Setting(help="where in the archive that shape begins (embed)")] = ()


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One file from outside.

    ``file`` is its name, ``urls`` where it may be fetched, in order (``https:``, ``http:``, ``file:``, a plain
    path, or an address that a resolver of :mod:`pypack.download.addresses` understands: ``debian:SUITE/PACKAGE``,
    ``pypi:NAME==VERSION``), ``sha256`` is required, ``size`` (bytes) is 0 where it is not known. ``hint`` is a
    further remedy for the error when no address has the file. ``login`` is a function from an address to the
    ``(name, password)`` for it, or None.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str
    size: int = 0
    version: str = ""
    hint: str = ""
    login: Login | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class RuntimePin:
    """An archive that holds CPython ``version`` (in full) for ``target``, in the shape of ``provider``'s archives.

    ``inside`` is where in the archive that shape begins, for provider ``embed``: archives, each in the one before, and
    then a folder; empty where it begins at the archive's root.
    """

    target: str
    version: str
    pin: Pin
    provider: str = "pbs"
    own: bool = False
    """True for a pin that the user gave."""
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """pypack's pins of one provider. ``default`` is the minor version to take where none is requested."""

    default: str
    pins: tuple[RuntimePin, ...]


def from_row(where: str, row: Mapping[str, Any], faults: list[str]) -> Pin | None:
    """Read one row of a pin file; what is wrong with it is appended to ``faults``."""
    before = len(faults)
    urls = _urls(where, row, faults)
    sha256 = str(row.get("sha256", ""))
    if not _SHA256.fullmatch(sha256):
        faults.append(f"{where}: sha256 must be 64 lower-case hex digits, is {sha256!r}")
    size = row.get("size", 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        faults.append(f"{where}: size must be a number of bytes, is {size!r}")
    file = str(row.get("file") or (file_name(urls[0]) if urls else ""))
    if urls and (file in {"", ".", ".."} or set(file) & set("/\\\0")):
        faults.append(f"{where}: {file!r} is no usable file name; give the row a `file`")
    if len(faults) != before:
        return None
    return Pin(file=file, urls=urls, sha256=sha256, size=size, version=str(row.get("version", "")))


def _urls(where: str, row: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    value = row.get("urls", [row["url"]] if "url" in row else [])
    if not isinstance(value, list) or not all(isinstance(url, str) and url for url in value):
        faults.append(f"{where}: urls must be a list of addresses, is {value!r}")
        return ()
    if not value:
        faults.append(f"{where}: has no address")
    usable = []
    for url in value:
        try:
            addresses.kind(url)
            usable.append(url)
        except InputError as e:
            faults.append(f"{where}: {e.what}")
    return tuple(usable)


def file_name(address: str) -> str:
    """Return the file name that an address ends in, with ``%2B`` and the like decoded."""
    if addresses.kind(address) == "local" and address[:5].lower() != "file:":
        return address.replace("\\", "/").rsplit("/", 1)[-1]
    return unquote(urlsplit(address).path).rsplit("/", 1)[-1]


def raise_for(where: str, faults: list[str]) -> None:
    """Report all faults of a pin file at once, if there are any."""
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"{where} cannot be used:\n{details}", hint="complete the pins", docs="docs/pins.md")


def ours(provider: str, targets: Iterable[str]) -> Table:
    """Read ``runtimes/pins/<provider>.toml``; ``targets`` are the names that a row may have."""
    file = folders.data("runtimes") / "pins" / f"{provider}.toml"
    table, faults = _read(file), list[str]()
    pins = _read_rows(table.get("pins", []), list(targets), faults, base=file.parent, usual=provider)
    default = str(table.get("default", ""))
    if not _MINOR.fullmatch(default):
        faults.append(f"default must be a minor version such as 3.13, is {default!r}")
    raise_for(str(file), faults)
    return Table(default=default, pins=pins)


def of_file(file: Path, targets: Iterable[str]) -> tuple[RuntimePin, ...]:
    """Read the rows of one pin file; plain relative paths in it count from its folder."""
    faults = list[str]()
    pins = _read_rows(_read(file).get("pins", []), list(targets), faults, base=file.parent)
    raise_for(str(file), faults)
    return pins


def rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a pin file as the setting ``pins`` holds them; paths in them are whole."""
    entries = _read(file).get("pins", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"pins in {file} must be rows: [[pins]]", hint="correct the file", docs="docs/pins.md")
    return [{key: _with_whole_paths(key, value, file.parent) for key, value in entry.items()} for entry in entries]


def _with_whole_paths(key: str, value: Any, base: Path) -> Any:  # noqa: ANN401 - what is wrong is told later
    if key == "url" and isinstance(value, str):
        return _whole_url(value, base)
    if key == "urls" and isinstance(value, list):
        return [_whole_url(url, base) if isinstance(url, str) else url for url in value]
    return value


def of_user(table: object, *, targets: Iterable[str], where: str, base: Path) -> tuple[RuntimePin, ...]:
    """Return the user's own pins: those of ``table``, and of the file that ``$PYPACK_PINS`` names (which win).

    ``table`` is the value of ``[tool.pypack] pins`` (None where there is none): a list of rows, or a table of named
    rows. ``where`` names its file in errors, plain relative paths in it count from ``base``.
    """
    names, faults = list(targets), list[str]()
    pins = _read_rows(table or [], names, faults, base=base, own=True)
    raise_for(f"{where}: [tool.pypack.pins]", faults)
    named = os.environ.get(USER_FILE)
    if not named:
        return pins
    file = Path(named).absolute()
    first = _read_rows(_read(file).get("pins", []), names, faults, base=file.parent, own=True)
    raise_for(str(file), faults)
    return merged(first, pins)


def merged(first: Iterable[RuntimePin], then: Iterable[RuntimePin]) -> tuple[RuntimePin, ...]:
    """Return both, without those of ``then`` that ``first`` has for the same provider, target and version."""
    kept = {_key(pin): pin for pin in then}
    kept.update({_key(pin): pin for pin in first})
    return tuple(kept.values())


def _key(pin: RuntimePin) -> tuple[str, str, str]:
    return pin.provider, pin.target, pin.version


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(
            f"the pins in {file} cannot be read: {e.strerror}",
            hint=f"see {USER_FILE} in the environment",
            docs="docs/pins.md",
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InputError(f"{file} is not valid TOML: {e}", hint="correct the file", docs="docs/pins.md") from e


def _read_rows(
    rows: object, targets: list[str], faults: list[str], *, base: Path, own: bool = False, usual: str = "pbs"
) -> tuple[RuntimePin, ...]:
    if isinstance(rows, dict):
        named = list(rows.items())
    elif isinstance(rows, list):
        named = [(f"row {number}", row) for number, row in enumerate(rows, start=1)]
    else:
        faults.append(f"pins must be a list of rows or a table of named rows, is {rows!r}")
        return ()
    pins: dict[tuple[str, str, str], RuntimePin] = {}
    for where, row in named:
        pin = _runtime_pin(where, row, targets, faults, base, usual)
        if pin is None:
            continue
        if _key(pin) in pins:
            faults.append(f"{where}: CPython {pin.version} for {pin.target} stands there twice")
        pins[_key(pin)] = replace(pin, own=own)
    return tuple(pins.values())


def _runtime_pin(
    where: str, row: object, targets: list[str], faults: list[str], base: Path, usual: str
) -> RuntimePin | None:
    if not isinstance(row, dict):
        faults.append(f"{where}: must be a table, is {row!r}")
        return None
    before = len(faults)
    target, version, provider = (str(row.get(key, "")) for key in ("target", "version", "provider"))
    label = " ".join(part for part in (where, target, version) if part)
    fields = declared(Row)
    faults += [f"{label}: {key!r} is not known{did_you_mean(key, fields)}" for key in sorted(row.keys() - fields)]
    faults += [f"{label}: {key} is missing" for key in ("target", "version") if not row.get(key)]
    if target and target not in targets:
        faults.append(f"{label}: unknown target {target!r}{did_you_mean(target, targets)}")
    if version and not _VERSION.fullmatch(version):
        faults.append(f"{label}: version must be a full one such as 3.13.5, is {version!r}")
    if provider and provider not in PROVIDERS:
        faults.append(f"{label}: provider must be one of {', '.join(PROVIDERS)}, is {provider!r}")
    inside = row.get("inside", [])
    if not isinstance(inside, list) or not all(isinstance(item, str) and item for item in inside):
        faults.append(f"{label}: inside must be a list of paths, is {inside!r}")
    elif inside and (provider or usual) != "embed":
        faults.append(f"{label}: inside is for the provider embed only")
    pin = from_row(label, row, faults)
    if pin is None or len(faults) != before:
        return None
    pin = replace(
        pin,
        urls=tuple(_whole_url(url, base) for url in pin.urls),
        hint="fetch it elsewhere and name it with --runtime FILE",
    )
    return RuntimePin(target=target, version=version, pin=pin, provider=provider or usual, inside=tuple(inside))


def _whole_url(url: str, base: Path) -> str:
    """Make a plain relative path count from the folder of the file that it stands in."""
    if addresses.kind(url) != "local" or url[:5].lower() == "file:" or url.startswith("~"):
        return url
    return str(base / url)
