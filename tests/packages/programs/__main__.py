"""``packages NAME ARGUMENT…``: let the program NAME do its work, and say with which versions it did."""

import importlib
import sys
import traceback
from importlib import metadata
from pathlib import Path


def main(words):
    """Return 0 when the work was done; what went wrong is told on standard error."""
    name, *arguments = words or ["--help"]
    # without sources, or from inside a zip, the names end otherwise
    known = sorted(path.name.partition(".")[0] for path in Path(__file__).parent.glob("[a-z]*.py*"))
    if name not in known:
        print(f"programs: {' '.join(known)}")
        return 2
    _spare_wine()
    print(f"started {name}: Python {sys.version.split()[0]} for {sys.platform}", flush=True)
    try:
        program = importlib.import_module(f"{__package__}.{name}")
        for line in program.work(*arguments):
            print(f"  {line}")
    except Exception:
        traceback.print_exc()
        return 1
    print(f"did its work: {', '.join(f'{each} {metadata.version(each)}' for each in program.DISTRIBUTIONS)}")
    return 0


def _spare_wine():
    """Do without ``_wmi``: wine 8 lacks a function that it calls (VariantToString), and ends the process for that."""
    if sys.platform == "win32":
        import ctypes
        import platform

        if hasattr(ctypes.windll.ntdll, "wine_get_version"):
            platform._wmi = None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
