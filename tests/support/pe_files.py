"""Small PE files made by hand: headers, one section, tables of imports, delayed imports and exports, a certificate."""

from __future__ import annotations

import struct

AMD64, ARM64, I386 = 0x8664, 0xAA64, 0x14C
_RVA, _FILE = 0x1000, 0x400  # where the section is, in memory and in the file
_HEAD = 64 + 24 + 240 + 40


class _Section:
    """The content of the only section: a piece at a time, each at the next multiple of 8."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, data: bytes) -> int:
        """Append and return the address (RVA)."""
        self.data += b"\0" * (-len(self.data) % 8)
        at = _RVA + len(self.data)
        self.data += data
        return at

    def text(self, text: str) -> int:
        return self.add(text.encode() + b"\0")


def pe(
    machine: int = AMD64,
    *,
    needed: tuple[str, ...] = (),
    delayed: tuple[str, ...] = (),
    exports: dict[str, str] | None = None,
    subsystem: int = 3,
    dll: bool = False,
    certificate: bytes = b"",
) -> bytes:
    """Make a PE32+ file. ``exports`` maps names to ``code``, ``data`` or the ``dll.name`` that they stand for.

    Everything is in one section, which holds no code: what is exported as code is said to be in the headers.
    """
    section = _Section()
    folders = [(0, 0)] * 16
    if exports is not None:
        folders[0] = _exports(section, exports)
    if needed:
        folders[1] = _imports(section, needed)
    if delayed:
        folders[13] = _delayed(section, delayed)
    body = bytes(section.data) + b"\0" * (-len(section.data) % 512)
    end = _FILE + len(body)
    if certificate:
        folders[4] = (end, len(certificate))  # the only one that counts from the start of the file
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, len(body), 0, 0, _RVA)
    optional += struct.pack("<QIIHHHHHHIIIIHH", 0x140000000, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x10000, _FILE, 0,
                            subsystem, 0x160)  # fmt: skip
    optional += struct.pack("<QQQQII", 1 << 20, 4096, 1 << 20, 4096, 0, 16)
    optional += b"".join(struct.pack("<II", *each) for each in folders)
    characteristics = 0x22 | (0x2000 if dll else 0)
    out = b"MZ" + bytes(58) + struct.pack("<I", 64)
    out += b"PE\0\0" + struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, len(optional), characteristics) + optional
    out += struct.pack("<8sIIIIIIHHI", b".rdata", max(len(body), 1), _RVA, len(body), _FILE, 0, 0, 0, 0, 0x40000040)
    assert len(out) == _HEAD
    return out.ljust(_FILE, b"\0") + body + certificate


def _thunks(section: _Section) -> int:
    name = section.add(struct.pack("<H", 0) + b"function\0")
    return section.add(struct.pack("<QQ", name, 0))


def _imports(section: _Section, names: tuple[str, ...]) -> tuple[int, int]:
    rows = b""
    for name in names:
        lookup, address = _thunks(section), _thunks(section)
        rows += struct.pack("<IIIII", lookup, 0, 0, section.text(name), address)
    return section.add(rows + bytes(20)), len(rows) + 20


def _delayed(section: _Section, names: tuple[str, ...]) -> tuple[int, int]:
    rows = b""
    for name in names:
        handle, address, lookup = section.add(bytes(8)), _thunks(section), _thunks(section)
        rows += struct.pack("<IIIIIIII", 1, section.text(name), handle, address, lookup, 0, 0, 0)
    return section.add(rows + bytes(32)), len(rows) + 32


def _exports(section: _Section, names: dict[str, str]) -> tuple[int, int]:
    """Forwarders are told by their address: it lies inside of the export table itself."""
    count, forwards = len(names), b""
    names = dict(sorted(names.items()))
    size = 40 + 4 * count + 4 * count + 2 * count
    texts = [section.text(name) for name in names]
    dll = section.text("made.dll")
    variable = section.add(bytes(8))
    at = section.add(b"")
    addresses = []
    for kind in names.values():
        if kind in {"code", "data"}:
            addresses.append(variable if kind == "data" else 0x200)
        else:
            addresses.append(at + size + len(forwards))
            forwards += kind.encode() + b"\0"
    table = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, dll, 1, count, count, at + 40, at + 40 + 4 * count,
                        at + 40 + 8 * count)  # fmt: skip
    table += struct.pack(f"<{count}I", *addresses) + struct.pack(f"<{count}I", *texts)
    table += struct.pack(f"<{count}H", *range(count)) + forwards
    section.add(table)
    return at, len(table)
