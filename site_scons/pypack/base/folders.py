"""Paths of pypack's caches and of its own data files."""

from __future__ import annotations

import os
from pathlib import Path

from pypack.errors import InputError

_DOCS = "docs/build-output.md"


def cache_root() -> Path:
    """Return the cache folder: ``$PYPACK_CACHE_DIR``, else the user's cache folder + ``pypack``.

    The launcher of a bundle uses the same folder with its own sub-folders
    (``layers/``, ``apps/``, ``tmp/``); only ``pypack cache`` looks into those.
    """
    configured = os.environ.get("PYPACK_CACHE_DIR")
    if configured:
        return Path(configured).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("pypack", appauthor=False))


def prepare() -> Path:
    """Create the cache folder with mode 0700 whatever the umask: launchers refuse one that others can write."""
    root = cache_root()
    root.parent.mkdir(parents=True, exist_ok=True)
    root.mkdir(mode=0o700, exist_ok=True)
    return root


PRODUCTS = ".pypack"
"""The folder of a build's intermediate products, beside the program; ``build`` is what other tools call theirs."""


def prepare_products(path: Path) -> None:
    """Create the folder of a build's products, which version control and backups pass over. Raises ``OSError``."""
    if path.is_dir():
        return
    path.mkdir(parents=True, exist_ok=True)
    (path / ".gitignore").write_text("*\n", encoding="utf-8")
    (path / "CACHEDIR.TAG").write_text(
        "Signature: 8a477f597d28d172789f06886806bc55\n# https://bford.info/cachedir/\n", encoding="utf-8"
    )


def downloads() -> Path:
    """Return the folder of fetched archives, one folder per sha256."""
    return cache_root() / "downloads"


def build_cache() -> Path:
    """Return the folder of the step cache."""
    return cache_root() / "build"


def zig_cache() -> Path:
    """Return zig's global cache: ``$ZIG_GLOBAL_CACHE_DIR`` where that is set."""
    configured = os.environ.get("ZIG_GLOBAL_CACHE_DIR")
    return Path(configured).absolute() if configured else cache_root() / "zig"


def wine() -> Path:
    """Return the wine prefix in which Windows bundles are started."""
    return cache_root() / "wine"


def bootstrap() -> Path:
    """Return the folder of the programs that run inside a bundle, or inside a compiler process."""
    return Path(__file__).resolve().parents[1] / "bootstrap"


def data(name: str) -> Path:
    """Return the folder ``runtimes`` or ``stubs``: inside the wheel, else of the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "data" / name, package.parent.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"pypack's own data folder {name!r} is missing from {package}", hint="install scons-pypack anew", docs=_DOCS
    )


def sconstruct() -> Path:
    """Return our SConstruct: inside the wheel, else of the checkout."""
    package = Path(__file__).resolve().parents[1]
    for file in (package / "data" / "SConstruct", package.parent.parent / "SConstruct"):
        if file.is_file():
            return file
    raise InputError(f"pypack's SConstruct is missing from {package}", hint="install scons-pypack anew", docs=_DOCS)
