"""Fetch: a pin -> a file in the download cache, its hash checked, one process at a time."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from pypack.base import folders
from pypack.download import waiting
from pypack.errors import FetchError, InputError
from pypack.steps.step import Context, Settings, Step, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pypack.download.pins import Pin

_DOCS = "docs/pins.md"


_REMOTE = re.compile(r"(git\+)?(https?|ssh|git)://|debian:|pypi:")


def step(pin: Pin) -> Step:
    """Return the node that fetches ``pin``; addresses are no part of its signature, the hash is."""
    return Step(
        product=f"fetch/{pin.sha256[:16]}/{pin.file}",
        action="fetch",
        version=1,
        run=_run,
        params={"sha256": pin.sha256, "file": pin.file},
        unhashed={"pin": pin},
        cached=False,
    )


def _run(context: Context) -> None:
    source = fetch(context.unhashed["pin"], settings=context.settings)
    context.product.unlink(missing_ok=True)
    try:
        os.link(source, context.product)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, context.product)


def check_offline(steps: Iterable[Step]) -> None:
    """Raise :class:`FetchError` that names all files to fetch that are not in the download cache.

    ``steps`` are those of an offline build that have to run; others than :func:`step`'s do not matter.
    """
    pins = [step.unhashed["pin"] for step in steps if "pin" in step.unhashed]
    missing = [pin.file for pin in pins if cached(pin) is None and _REMOTE.match(pin.urls[0])]
    if missing:
        details = "".join(f"\n  {file}" for file in dict.fromkeys(missing))
        raise FetchError(
            f"the build is offline, and these files are not in the download cache:{details}",
            hint="build once without --offline", docs="docs/dependencies.md",
        )  # fmt: skip


def cached(pin: Pin) -> Path | None:
    """Return the path of the file in the download cache (its hash is not checked), None where it is not there."""
    target = cache_path(pin)
    return target if target.is_file() else None


def cache_path(pin: Pin) -> Path:
    """Return the path of the file of ``pin`` in the download cache; the file may not exist."""
    if pin.file in {"", ".", ".."} or set(pin.file) & set("/\\\0:"):
        raise InputError(f"{pin.file!r} is not usable as a file name", hint="give the pin a plain `file`", docs=_DOCS)
    return folders.downloads() / pin.sha256 / pin.file


def fetch(pin: Pin, *, settings: Settings) -> Path:
    """Return the file of ``pin``: from the download cache, else from a mirror, else from its own addresses.

    Raises :class:`FetchError` that lists every address with its reason. ``settings.offline`` leaves only the cache and
    addresses on this machine.
    """
    target = cache_path(pin)
    if target.is_file() and file_digest(target) == pin.sha256:
        return target
    from pypack.download import getting

    with getting.disk(pin, target):
        folders.prepare()
        target.parent.mkdir(parents=True, exist_ok=True)
        with waiting.locked(target.with_name(f"{target.name}.lock"), pin.file, settings):
            if target.is_file():
                if file_digest(target) == pin.sha256:
                    return target
                settings.say(f"  {target} is damaged; it is fetched again")
                target.unlink()
            getting.get(pin, target, settings)
    return target
