"""Makes import libraries, which a linker needs to link with a DLL, from export tables with ``zig dlltool``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypack.errors import ArchiveError
from pypack.steps import zig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.steps.step import Context

_MACHINES = {"x86_64": "i386:x86-64", "aarch64": "arm64", "x86": "i386"}
_EXECUTABLE = 0x20000000  # IMAGE_SCN_MEM_EXECUTE


@dataclass(frozen=True, kw_only=True)
class Export:
    """A name that a DLL exports. ``data``: a variable, not a function; ``forward``: ``dll.name`` that it stands for."""

    name: str
    data: bool = False
    forward: str = ""


def make(context: Context, dlls: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the import library of each DLL (``python313.dll`` -> ``python313.lib``).

    Params of the step: ``zig_target``, ``arch``. An export that forwards to another of the DLLs counts as data
    if it is data there.
    """
    tables = {name: exports(name, data) for name, data in dlls.items()}
    variables = {
        f"{name.removesuffix('.dll')}.{export.name}" for name, rows in tables.items() for export in rows if export.data
    }
    libraries = {}
    with zig.workshop(context.params["zig_target"]) as tool:
        for name, rows in tables.items():
            stem = name.removesuffix(".dll")
            definition = tool.work / f"{stem}.def"
            definition.write_text(define(name, rows, variables), encoding="ascii", newline="\n")
            machine = _MACHINES[context.params["arch"]]
            tool.run(context, ["dlltool", "-m", machine, "-D", name, "-d", definition.name, "-l", f"{stem}.lib"])
            libraries[f"{stem}.lib"] = (tool.work / f"{stem}.lib").read_bytes()
    return libraries


def exports(name: str, data: bytes) -> list[Export]:
    """Return the DLL's exports by name, sorted. Raises :class:`ArchiveError` for a damaged DLL."""
    import pefile

    try:
        file = pefile.PE(data=data, fast_load=True)
        file.parse_data_directories(directories=[pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
        symbols = file.DIRECTORY_ENTRY_EXPORT.symbols
    except (pefile.PEFormatError, AttributeError) as error:
        raise ArchiveError(f"{name} has no table of exports: {error}", hint="it is damaged; fetch it again") from error
    exports_by_name = [_export(file, symbol) for symbol in symbols if symbol.name]
    return sorted(exports_by_name, key=lambda export: export.name)


def define(dll: str, rows: list[Export], variables: set[str]) -> str:
    """Return a module definition (``.def``) with the exports of ``dll``; ``variables`` are ``dll.name`` of data."""
    lines = [f"LIBRARY {dll}", "EXPORTS"]
    lines += [f"    {export.name}{' DATA' if export.data or export.forward in variables else ''}" for export in rows]
    return "\n".join(lines) + "\n"


def _export(file: Any, symbol: Any) -> Export:  # noqa: ANN401 - pefile has no types
    name = symbol.name.decode("ascii", "replace")
    if symbol.forwarder:
        return Export(name=name, forward=symbol.forwarder.decode("ascii", "replace"))
    section = file.get_section_by_rva(symbol.address)
    code = section is not None and bool(section.Characteristics & _EXECUTABLE)
    return Export(name=name, data=not code)
