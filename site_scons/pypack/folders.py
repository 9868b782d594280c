"""Where pypack keeps what it downloads and builds, and where its own data files are."""

from __future__ import annotations

import os
from pathlib import Path

from pypack.errors import InputError


def cache_root() -> Path:
    """Return the cache folder: ``$PYPACK_CACHE_DIR``, else the user's cache folder + ``pypack``.

    The launcher of a bundle uses the same folder with its own sub-folders
    (``layers/``, ``apps/``, ``tmp/``); only ``pypack cache`` looks into those.
    """
    named = os.environ.get("PYPACK_CACHE_DIR")
    if named:
        return Path(named).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("pypack", appauthor=False))


def prepare() -> Path:
    """Make the cache folder, private whatever the umask says: launchers refuse one that others can write."""
    root = cache_root()
    root.parent.mkdir(parents=True, exist_ok=True)
    root.mkdir(mode=0o700, exist_ok=True)
    return root


def downloads() -> Path:
    """Return the folder of fetched archives, one folder per sha256."""
    return cache_root() / "downloads"


def build_cache() -> Path:
    """Return the folder that SCons uses as its CacheDir."""
    return cache_root() / "build"


def zig_cache() -> Path:
    """Return zig's global cache: ``$ZIG_GLOBAL_CACHE_DIR`` where that is set."""
    named = os.environ.get("ZIG_GLOBAL_CACHE_DIR")
    return Path(named).absolute() if named else cache_root() / "zig"


def wine() -> Path:
    """Return the folder in which wine keeps the Windows machine that foreign bundles are started on."""
    return cache_root() / "wine"


def data(name: str) -> Path:
    """Return the folder ``runtimes`` or ``stubs``: inside the wheel, else of the checkout."""
    package = Path(__file__).resolve().parent
    for place in (package / "data" / name, package.parent.parent / name):
        if place.is_dir():
            return place
    raise InputError(f"pypack's own data folder {name!r} is missing from {package}", do="install scons-pypack anew")


def sconstruct() -> Path:
    """Return our SConstruct: inside the wheel, else of the checkout."""
    package = Path(__file__).resolve().parent
    for place in (package / "data" / "SConstruct", package.parent.parent / "SConstruct"):
        if place.is_file():
            return place
    raise InputError(f"pypack's SConstruct is missing from {package}", do="install scons-pypack anew")
