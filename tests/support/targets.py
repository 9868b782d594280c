"""Runtimes for the targets that no release archive can be downloaded for here, with a file of pins for them.

    python -m tests.support.targets --out DIR [--base ADDRESS]
    PYPACK_PINS=DIR/pins.toml scons target=all -j2 app=examples/greet

Three archives of python-build-standalone's shape and names are made. What in them is real and what is not:

    macos-aarch64, macos-x86_64   real libpython, extension modules and libraries (CPython 3.13.11, from a wheel);
                                  the standard library is that of 3.13.5, bin/python3.13 is made by zig
    windows-aarch64               SYNTHETIC: real standard library, but PE files with no Python in them

Bundles made of them can be looked at, not run. The other five targets need no fixture: their runtimes come from the
providers source, host and embed.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from tests.support import macos, pbs_shape, windows_arm

PINS = "pins.toml"


def prepare(folder: Path, base: str = "") -> Path:
    """Make the archives and the file of pins in ``folder``, and return the latter.

    ``base`` is the address that the archives will be served from; without one the pins name files beside them.
    """
    made = [(target, macos.VERSION, macos.archive(target, folder)) for target in macos.TARGETS]
    made.append((windows_arm.TARGET, pbs_shape.version(), windows_arm.archive(folder)))
    return write_pins(folder, made, base)


def write_pins(folder: Path, made: list[tuple[str, str, Path]], base: str = "") -> Path:
    """Write the file of pins for archives of (target, version, file)."""
    rows = [f"# made by {__spec__.name}; docs/pins.md explains it"] if __spec__ else []
    for target, version, file in made:
        url = f"{base.rstrip('/')}/{file.name.replace('+', '%2B')}" if base else file.name
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append(
            f'\n[[pins]]\ntarget = "{target}"\nversion = "{version}"\nurl = "{url}"\n'
            f'sha256 = "{digest}"\nsize = {file.stat().st_size}'
        )
    pins = folder / PINS
    pins.write_text("\n".join([*rows, ""]), encoding="utf-8")
    return pins


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder to make them in")
    parser.add_argument("--base", default="", help="the address that the folder will be served from")
    words = parser.parse_args()
    pins = prepare(words.out, words.base)
    for file in sorted(words.out.glob("*.tar.gz")):
        print(f"{file.stat().st_size / 1e6:6.1f} MB  {file.name}")
    print("windows-aarch64 is SYNTHETIC: there is no Python in it; the two for macOS mix CPython 3.13.11 and 3.13.5")
    print(f"PYPACK_PINS={pins.absolute()}")


if __name__ == "__main__":
    main()
