"""What the Windows machine of wine is given so that it can load what every Windows loads."""

from __future__ import annotations

import pefile

from pypack.cli import wine


def test_a_dll_that_wine_lacks_is_made_once(tmp_path):
    system = tmp_path / "drive_c" / "windows" / "system32"
    system.mkdir(parents=True)
    wine.complete(tmp_path, "x86_64-windows-gnu")
    (made,) = system.iterdir()
    parsed = pefile.PE(made)
    assert made.name == "bcryptprimitives.dll"
    assert [symbol.name for symbol in parsed.DIRECTORY_ENTRY_EXPORT.symbols] == [b"ProcessPrng"]
    assert [entry.dll.lower() for entry in parsed.DIRECTORY_ENTRY_IMPORT] == [b"advapi32.dll"]
    before = made.stat()
    wine.complete(tmp_path, "x86_64-windows-gnu")
    assert made.stat() == before


def test_a_newer_wine_keeps_its_own(tmp_path):
    own = tmp_path / "drive_c" / "windows" / "system32" / "bcryptprimitives.dll"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"of wine")
    wine.complete(tmp_path, "x86_64-windows-gnu")
    assert own.read_bytes() == b"of wine"


def test_what_is_no_windows_machine_is_left_alone(tmp_path):
    wine.complete(tmp_path, "x86_64-windows-gnu")
    assert list(tmp_path.iterdir()) == []
